//go:build !amd64 && !arm64

package futex

import "sync/atomic"

// SpinWhile32 loads *addr at most n times while it equals old, and returns the last value loaded.
func SpinWhile32(addr *uint32, old uint32, n int) uint32 {
	value := atomic.LoadUint32(addr)
	for ; value == old && n > 1; n-- {
		value = atomic.LoadUint32(addr)
	}
	return value
}

// SpinEither spins until *word differs from old or *mask is not zero, at most n times, and reports whether that happened.
func SpinEither(word *uint32, old uint32, mask *uint64, n int) bool {
	for ; n > 0; n-- {
		if atomic.LoadUint32(word) != old || atomic.LoadUint64(mask) != 0 {
			return true
		}
	}
	return false
}

// StoreRelease is an atomic store.
func StoreRelease(addr *uint32, value uint32) { atomic.StoreUint32(addr, value) }

// PrefetchRead does nothing here.
func PrefetchRead(*uint32) {}

// PrefetchWrite does nothing here.
func PrefetchWrite(*uint32, int) {}
