package endpoint

import "testing"

// A connection is taken for one whose calls overlap for some calls after they have, and not for ever.
func TestOverlappingIsForgotten(t *testing.T) {
	var c conn
	if c.overlapping() {
		t.Error("the first call overlaps")
	}
	c.overlap()
	n := 0
	for c.overlapping() {
		if n++; n > 2*overlapMemory {
			t.Fatal("it is never forgotten")
		}
	}
	if n != overlapMemory {
		t.Errorf("it is forgotten after %d calls, not %d", n, overlapMemory)
	}
}
