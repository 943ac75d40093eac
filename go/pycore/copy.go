package pycore

import "nanorpc/go/internal/bulk"

// Copy copies length bytes between addresses, as bulk.Copy does, and returns how many. It does not block. A function in C calls it, which has both places until it has returned.
func Copy(to, source, length int64) int64 {
	return int64(bulk.Copy(octets(to, length), octets(source, length)))
}
