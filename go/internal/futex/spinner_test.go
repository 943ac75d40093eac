package futex

import (
	"testing"
	"time"
)

// clockedPoll returns a poll that happens after a time in ns, and counts the ns for which it was asked to spin.
func clockedPoll(after int64) func(int) bool {
	start := Now()
	return func(rounds int) bool {
		var word uint32
		SpinWhile32(&word, 0, rounds)
		return Now()-start >= after
	}
}

// spin runs one wait that ends after a time in ns, and reports whether the spin caught its end.
func spin(s *Spinner, after int64) bool { return s.Spin(clockedPoll(after), 0) }

const never = int64(1) << 60

func TestSpinnerCatchesWhatIsQuick(t *testing.T) {
	var s Spinner
	caught := 0
	for range 100 {
		if spin(&s, 5_000) {
			caught++
		}
	}
	if caught < 90 { // others may use the CPU
		t.Errorf("%d of 100 waits of 5 µs were caught", caught)
	}
}

// An idle waiter's spinning fades out: of many waits in vain, only the first, and rare probes, last long.
func TestSpinnerFadesOut(t *testing.T) {
	var s Spinner
	for range 50 {
		spin(&s, never)
	}
	long := 0
	for range 2000 {
		if s.length() > minSpin {
			long++
		}
		spin(&s, never)
	}
	if long > 20 {
		t.Errorf("%d of 2000 waits in vain spin for longer than the least", long)
	}
}

// Waits that have been slept for without a spin, as that would not have spun, count as such; after brief ones the next is a probe.
func TestSpinnerLearnsOfSleeps(t *testing.T) {
	var s Spinner
	if s.Fades() {
		t.Error("it does not spin at first")
	}
	for !s.Fades() {
		spin(&s, never)
	}
	missed := s.Missed
	s.Learn(Slept{Waits: 1})
	if s.Missed != missed+1 || !s.Fades() {
		t.Errorf("%d waits count as missed, and it spins again: %v", s.Missed-missed, !s.Fades())
	}
	s.Learn(Slept{Briefly: true})
	if length := s.length(); length != probeSpin {
		t.Errorf("after brief sleeps it spins for %d ns", length)
	}
	spin(&s, never)
	s.Learn(Slept{Waits: lastProbe})
	if s.Fades() {
		t.Error("after many sleeps it does not probe")
	}
	for policy, fades := range map[Policy]bool{Busy: false, None: true} {
		s := Spinner{Policy: policy}
		if s.Fades() != fades {
			t.Errorf("%v: it would not spin: %v", policy, !fades)
		}
	}
}

// Waits that are longer than a usual spin, but not than a probe, are caught once a probe has found that it pays.
func TestSpinnerLearnsToSpinLonger(t *testing.T) {
	var s Spinner
	// Others may use the CPU for some time.
	for end := Now() + int64(time.Minute); ; {
		caught := 0
		for range 400 {
			if spin(&s, 80_000) {
				caught++
			}
		}
		if caught >= 200 {
			break
		}
		if Now() > end {
			t.Fatalf("at last %d of 400 waits of 80 µs were caught", caught)
		}
	}
	for range 100 {
		spin(&s, never)
	}
	if s.extended {
		t.Error("it still spins for longer after 100 waits in vain")
	}
}

// Who waits for somebody that has much to copy first spins for as long as that takes.
func TestSpinnerAllowsForCopying(t *testing.T) {
	const megabyte = 1 << 20
	s := Spinner{Allowance: Copying(2 * megabyte)}
	if s.length() < maxSpin+2*megabyte/10 { // 10 bytes in a ns
		t.Errorf("it spins for %d ns for 2 MiB", s.length())
	}
	for range 50 {
		spin(&s, never)
	}
	if s.misses < s.probeAfter && s.length() != 0 {
		t.Errorf("it spins for %d ns after 50 waits in vain", s.length())
	}
	if Copying(1<<32) != maxAllowance {
		t.Errorf("4 GiB allow for %d ns", Copying(1<<32))
	}
	s = Spinner{Policy: None, Allowance: Copying(megabyte)}
	if s.length() != 0 {
		t.Errorf("who never spins spins for %d ns", s.length())
	}
}

// A spin that has been interrupted for long, in which the awaited thing happened, is no sign that spinning pays.
func TestSpinnerDoesNotLearnFromInterruptions(t *testing.T) {
	var s Spinner
	for range 20 {
		spin(&s, never)
	}
	if s.length() != 0 {
		t.Fatalf("it spins for %d ns after 20 waits in vain", s.length())
	}
	s.misses = s.probeAfter // now comes a probe
	polls := 0
	s.Spin(func(int) bool {
		polls++
		if polls == 3 { // the free rounds, a chunk, and what comes long after
			return true
		}
		if polls == 2 {
			time.Sleep(time.Duration(2*probeSpin + 2*tooLate))
		}
		return false
	}, 0)
	if s.length() != 0 {
		t.Errorf("it spins for %d ns because of a wait of which it slept through the end", s.length())
	}
}

// A waiter that gets no permit looks a few times, and is counted.
func TestSpinnerWithoutPermits(t *testing.T) {
	s := Spinner{Permits: NewPermits(0)}
	for range 100 {
		s.Spin(func(int) bool { return false }, 0)
	}
	if s.Missed != 100 || s.Paid != 0 {
		t.Errorf("%d waits missed, %d paid", s.Missed, s.Paid)
	}
}

// Glance spins, and learns from what it catches, where spins have paid; else it does not look.
func TestSpinnerGlance(t *testing.T) {
	word := uint32(1)
	s := Spinner{}
	if got := s.Glance(&word, 0); got != 1 || s.Paid != 1 {
		t.Errorf("it has seen %d, and %d waits paid", got, s.Paid)
	}
	if got := s.Glance(&word, 1); got != 1 || s.Paid != 1 || s.Missed != 0 {
		t.Errorf("it has seen %d; %d waits paid, %d did not", got, s.Paid, s.Missed)
	}
	for s.shortened == 0 {
		spin(&s, never)
	}
	if got := s.Glance(&word, 0); got != 0 {
		t.Errorf("it has seen %d where spins do not pay", got)
	}
	s = Spinner{Policy: None}
	if got := s.Glance(&word, 0); got != 0 {
		t.Errorf("it has seen %d where there is to be no spin", got)
	}
}

func TestSpinnerPolicies(t *testing.T) {
	none := Spinner{Policy: None}
	rounds := 0
	none.Spin(func(n int) bool {
		rounds += n
		return false
	}, 0)
	if rounds != 1 {
		t.Errorf("none spins %d rounds", rounds)
	}
	var polled bool
	busy := Spinner{Policy: Busy, Permits: &Permits{limit: 0}}
	busy.Spin(func(int) bool {
		polled = true
		return false
	}, 0)
	if !polled {
		t.Error("busy does not look where it gets no permit")
	}
}

func TestTimes(t *testing.T) {
	now := Now()
	if back := Time(ToTime(now)); back != now {
		t.Errorf("%d there and back is %d", now, back)
	}
	if later := Now(); later < now {
		t.Errorf("the clock went from %d to %d", now, later)
	}
}

// Briefly catches what is quick. It hardly tries where that has been in vain, nor where spins have been.
func TestSpinnerBriefly(t *testing.T) {
	const moment = 5_000 // ns
	polled := 0
	counted := func(poll func(int) bool) func(int) bool {
		return func(rounds int) bool {
			polled++
			return poll(rounds)
		}
	}
	var s Spinner
	caught := 0
	for range 100 {
		if s.Briefly(clockedPoll(1_000), moment) {
			caught++
		}
	}
	if caught < 90 { // others may use the CPU
		t.Errorf("%d of 100 waits of 1 µs were caught", caught)
	}
	tried := 0
	for range 100 * hopeAgain {
		before := polled
		if s.Briefly(counted(clockedPoll(never)), moment) {
			t.Fatal("a wait in vain was caught")
		}
		if polled > before {
			tried++
		}
	}
	if tried < 100 || tried > 100+hopeless {
		t.Errorf("%d of %d waits in vain were tried", tried, 100*hopeAgain)
	}
	if !s.SpinFor(clockedPoll(1_000), int64(time.Minute)) {
		t.Error("SpinFor has not caught a wait of 1 µs")
	}
	for range 50 {
		spin(&s, never)
	}
	polled = 0
	for s.length() == 0 {
		if s.Briefly(counted(clockedPoll(never)), moment); polled > 0 {
			t.Fatal("Briefly spins where spins have faded out")
		}
		spin(&s, never) // until the next probe
	}
}
