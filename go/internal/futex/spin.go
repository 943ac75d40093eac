//go:build amd64 || arm64

package futex

// SpinWhile32 loads *addr at most n times, with the processor's spin-wait hint (PAUSE, YIELD) after each, while it equals old.
// It returns the last value loaded; what the peer published with that value is visible to the caller.
// It runs in assembly, where the runtime cannot preempt the goroutine: keep n such that it takes microseconds at most.
//
//go:noescape
func SpinWhile32(addr *uint32, old uint32, n int) uint32

// SpinEither spins like SpinWhile32 until *word differs from old or *mask is not zero, and reports whether that happened.
//
//go:noescape
func SpinEither(word *uint32, old uint32, mask *uint64, n int) bool
