//go:build amd64 || arm64

package futex

// SpinWhile32 loads *addr at most n times, with the processor's spin-wait hint (PAUSE, YIELD) after each, while it equals old.
// It returns the last value loaded; what the peer published with that value is visible to the caller.
//
// The line behind the word's, which holds the rest of a short request or reply, is asked for at once: a miss that waited for the first one would add 20 ns to a
// round trip.
//
// It runs in assembly, where the runtime cannot preempt the goroutine: keep n such that it takes microseconds at most.
//
//go:noescape
func SpinWhile32(addr *uint32, old uint32, n int) uint32

// SpinEither spins like SpinWhile32 until *word differs from old or *mask is not zero, and reports whether that happened.
//
//go:noescape
func SpinEither(word *uint32, old uint32, mask *uint64, n int) bool

// StoreRelease publishes everything written before it to whoever loads the new value, and is not ordered against loads that follow. Go's atomic stores
// are, and on x86 wait for it until all earlier stores have reached the cache: several lines' transfer, when many calls are published one after the other.
//
//go:noescape
func StoreRelease(addr *uint32, value uint32)

// PrefetchRead asks for the two lines at addr, to be read soon. It does not wait for them, and changes nothing that can be seen.
//
//go:noescape
func PrefetchRead(addr *uint32)

// PrefetchWrite asks for some lines, one or more, from addr's on, to be written soon. It does not wait for them, and changes nothing that can be seen.
//
// A store to a line that another CPU has waits for it, 100 to 200 ns, and every store behind it waits as well, until the one that publishes them all: the processor asks for the next line
// only then.
//
//go:noescape
func PrefetchWrite(addr *uint32, lines int)
