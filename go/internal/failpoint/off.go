//go:build !failpoints

package failpoint

// Enabled says whether the program was built with the tag failpoints.
const Enabled = false

// Hit is called where the point is. It does nothing.
func Hit(Point) {}

// Spin returns for how many ns to spin: what it is given.
func Spin(length int64) int64 { return length }

// Generation returns the generation of a slot that has had no call: 0.
func Generation() uint32 { return 0 }
