package futex

import (
	"runtime"

	"nanorpc/go/internal/failpoint"
)

const (
	// A spin of freeRounds costs less than asking for a permit is worth, and catches a peer that answers at once.
	freeRounds = 24
	// chunkRounds is about a microsecond of PAUSE, after which the clock is read.
	chunkRounds = 32

	// A waiter spins for about as long as going to sleep and being woken on another CPU costs (gVisor's systrap: twice 20 µs).
	maxSpin = 50_000 // ns
	minSpin = 1_000  // ns; a spin that would be shorter is none
	// A probe is longer: where both ends sleep, each sees the other's wake-up as part of its wait, and would never try again.
	probeSpin = 3 * maxSpin
	// A spin that lasts longer than it should by more than this has been interrupted: somebody else had the CPU meanwhile, perhaps the peer, which could
	// answer only for that reason. That is no sign that spinning pays.
	tooLate = maxSpin

	// A waiter that yields does so from then on, once in each chunk.
	yieldAfter = 2_000 // ns

	firstProbe = 8   // waits that slept before a probe
	lastProbe  = 512 // the same, when probes keep failing

	hopeless  = 4  // waits by Briefly in vain, in a row, before it seldom tries
	hopeAgain = 64 // of those that follow, one in so many does
)

// Spinner decides how long one waiter spins, and learns from what came of it. The zero value is ready to use, and Adaptive.
// It belongs to one goroutine at a time.
type Spinner struct {
	Policy  Policy   // immutable
	Permits *Permits // immutable; nil: those of the process
	// Yields has a waiter that waits for long let others use its CPU (sched_yield(2)). What it waits for may be done by one of them, where more spin than there are
	// CPUs; where nobody else wants the CPU it costs 0.2 µs in one. Immutable.
	Yields bool
	// Between is called about every microsecond of a spin. When it reports true the spin has paid. May be nil; immutable.
	Between func() bool

	// Allowance is for how many ns longer a spin may last, because the other side has as much to do before it can answer: see Copying. The owner may change it between two
	// waits.
	Allowance int64

	Spent  int64  // for how many ns the last Spin that returned false lasted
	Paid   uint64 // waits that a spin has ended
	Missed uint64 // waits that a spin has not ended: with Busy they go on, else the waiter sleeps

	extended   bool  // the last wait took longer than maxSpin, and a longer spin caught its end
	shortened  uint8 // by how many powers of two misses have shortened maxSpin
	misses     int   // since the last catch or probe
	probeAfter int   // misses until the next probe

	vain uint // calls of Briefly in a row that have caught nothing
}

// Spin calls poll(rounds), which spins for that many rounds and reports whether the awaited thing has happened, until it does, or until
// spinning has lasted as long as it should, or until the deadline (a time of Now; 0: none). It reports the last result of poll.
//
// With Busy a false result means only that it is time to look at anything else that ends the wait: the caller does not sleep.
func (s *Spinner) Spin(poll func(rounds int) bool, deadline int64) bool {
	length := failpoint.Spin(s.length())
	if length == 0 {
		return s.once(poll)
	}
	if poll(freeRounds) {
		s.caught(0)
		return true
	}
	if !s.permits().Take() {
		if s.Policy == Busy {
			runtime.Gosched()
		}
		return s.once(poll)
	}
	defer s.Permits.Give()
	start := Now()
	end := start + length
	if deadline != 0 && deadline < end {
		end = deadline
	}
	for now := start; ; now = Now() {
		if poll(chunkRounds) || s.Between != nil && s.Between() {
			if now > end+tooLate {
				s.missed()
			} else {
				s.caught(now - start)
			}
			return true
		}
		if s.Yields && now-start > yieldAfter {
			yield()
		}
		if now >= end {
			s.missed()
			s.Spent = now - start
			return false
		}
	}
}

// Glance is the first moment of Spin, where spins have paid, without a function to be called for each look: it spins while *addr equals old, and returns what it has loaded last, or old
// where it has not looked. If that has not changed, Spin is to follow.
func (s *Spinner) Glance(addr *uint32, old uint32) uint32 {
	if s.Policy == None || s.shortened != 0 || failpoint.Spin(maxSpin) == 0 {
		return old
	}
	value := SpinWhile32(addr, old, freeRounds)
	if value != old {
		s.caught(0)
	}
	return value
}

// Briefly is Spin for a waiter that keeps something from others while it spins: it spins for some ns at most, and not where spins have not paid, nor often where Briefly has not. It
// learns from what it catches; from what it misses Spin does, which is to follow.
func (s *Spinner) Briefly(poll func(rounds int) bool, within int64) bool {
	if failpoint.Spin(s.length()) == 0 {
		return false
	}
	s.vain++
	if s.vain > hopeless && s.vain%hopeAgain != 0 || !s.SpinFor(poll, within) {
		return false
	}
	s.vain = 0
	return true
}

// SpinFor is Spin for some ns, whatever has paid, unless too many spin already.
func (s *Spinner) SpinFor(poll func(rounds int) bool, ns int64) bool {
	if poll(freeRounds) {
		s.caught(0)
		return true
	}
	if !s.permits().Take() {
		return false
	}
	defer s.Permits.Give()
	start := Now()
	for now := start; now-start < ns; now = Now() {
		if poll(chunkRounds) || s.Between != nil && s.Between() {
			s.caught(now - start)
			return true
		}
		if now-start > yieldAfter { // the peer may have been woken on this CPU
			yield()
		}
	}
	return false
}

// permits returns the spinner's permits.
func (s *Spinner) permits() *Permits {
	if s.Permits == nil {
		s.Permits = ProcessPermits()
	}
	return s.Permits
}

// Look calls poll once, for a waiter that knows better than to spin, and else does what Spin does.
func (s *Spinner) Look(poll func(rounds int) bool) bool { return s.once(poll) }

// once looks once, for a waiter that does not spin.
func (s *Spinner) once(poll func(rounds int) bool) bool {
	s.Spent = 0
	if poll(1) {
		return true
	}
	s.Missed++
	if s.Policy == Adaptive {
		s.misses++
	}
	return false
}

// length returns for how many ns to spin now.
func (s *Spinner) length() int64 {
	switch {
	case s.Policy == None:
		return 0
	case s.Policy == Busy, s.extended, s.misses > 0 && s.misses >= s.probeAfter:
		return probeSpin + s.Allowance
	case int64(maxSpin)>>s.shortened < minSpin:
		return 0
	}
	return (maxSpin + s.Allowance) >> s.shortened
}

// Fades reports whether Spin would not spin now.
func (s *Spinner) Fades() bool { return s.length() == 0 }

// Slept is what a spinner is told of waits that have been without it, as it would not have spun.
type Slept struct {
	Waits   uint64 // for which the waiter has slept
	Briefly bool   // for the last ones not for as long as a probe lasts
}

// Learn learns from such waits: where they were brief the next one is a probe.
func (s *Spinner) Learn(slept Slept) {
	s.Missed += slept.Waits
	s.misses += int(slept.Waits)
	if slept.Briefly {
		s.misses = max(s.misses, s.probeAfter, 1)
	}
}

// Copying returns the Allowance for a wait in which the other side writes, reads or compares bytes that travel, so many of them in both directions together. A spin that lasts as
// long as that at most doubles what such a call costs. Where it takes longer than maxAllowance, a wake-up is a hundredth of it.
func Copying(bytes int64) int64 { return min(bytes/copiedPerNano*passes, maxAllowance) }

// The Allowance for payloads.
const (
	copiedPerNano = 8            // bytes, where they do not fit in a CPU's cache
	passes        = 2            // a reply is read and perhaps looked at, a request made and then written
	maxAllowance  = 80 * maxSpin // ns
)

// caught learns from a spin that has paid after some ns.
func (s *Spinner) caught(after int64) {
	s.Paid++
	s.extended, s.shortened, s.misses, s.probeAfter = after > maxSpin, 0, 0, firstProbe
}

// missed halves the spin, and doubles the distance of probes where one has just failed: an idle waiter's spinning fades out.
func (s *Spinner) missed() {
	s.Missed++
	s.extended = false
	if maxSpin>>s.shortened >= minSpin {
		s.shortened++
	}
	if s.misses >= s.probeAfter && s.probeAfter > 0 {
		s.misses = 0
		s.probeAfter = min(2*s.probeAfter, lastProbe)
		return
	}
	s.probeAfter = max(s.probeAfter, firstProbe)
	s.misses++
}
