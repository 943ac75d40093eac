package futex

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// Policy says whether a waiter spins before it sleeps.
type Policy int

// The policies. The zero value is Adaptive.
const (
	Adaptive Policy = iota // spin as long as a sleep would cost, less where that does not pay
	Busy                   // never sleep
	None                   // never spin
)

// ErrPolicy reports a name that is not a policy's.
var ErrPolicy = errors.New("unknown spin policy")

// ParsePolicy returns the policy called name.
func ParsePolicy(name string) (Policy, error) {
	for _, p := range []Policy{Adaptive, Busy, None} {
		if p.String() == name {
			return p, nil
		}
	}
	return Adaptive, fmt.Errorf("%w %q: use adaptive, busy or none", ErrPolicy, name)
}

// String returns the policy's name.
func (p Policy) String() string {
	switch p {
	case Adaptive:
		return "adaptive"
	case Busy:
		return "busy"
	case None:
		return "none"
	}
	return fmt.Sprintf("Policy(%d)", int(p))
}

// Permits bounds how many goroutines of a process do something at once: spin, so that a P is left for those with work to do, or sleep, as each takes a thread.
type Permits struct {
	limit int32 // immutable
	taken atomic.Int32
}

// ProcessPermits returns the permits that all waiters of this process share, because its Ps are shared: GOMAXPROCS-1 of them, at
// least one.
var ProcessPermits = sync.OnceValue(func() *Permits {
	return &Permits{limit: int32(max(runtime.GOMAXPROCS(0)-1, 1))}
})

// NewPermits returns n permits.
func NewPermits(n int) *Permits { return &Permits{limit: int32(n)} }

// Take takes a permit if there is one, and reports whether there was.
func (p *Permits) Take() bool {
	if p.taken.Add(1) <= p.limit {
		return true
	}
	p.taken.Add(-1)
	return false
}

// Give gives a permit back.
func (p *Permits) Give() { p.taken.Add(-1) }
