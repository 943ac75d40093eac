package wire

// MethodID returns the number by which a method is called: the 64-bit FNV-1a hash of its name (Fowler, Noll, Vo;
// draft-eastlake-fnv). A server refuses to register two names with one number.
func MethodID(name string) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * prime
	}
	return h
}
