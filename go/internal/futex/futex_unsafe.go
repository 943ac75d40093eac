package futex

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Operations and constants of futex(2) that x/sys/unix does not name.
const (
	opWake         = 1
	opWaitBitset   = 9
	bitsetMatchAny = 0xffffffff
)

// Wait sleeps in the kernel while *word == value, until a Wake, the deadline, a signal, or a spurious return; the caller looks at the
// word again in every case. Deadline is a time of Now, in nanoseconds; 0 means none.
//
// It goes through unix.Syscall6, which hands this thread's P to another goroutine: RawSyscall would keep it and block the garbage collector.
// FUTEX_WAIT_BITSET is FUTEX_WAIT with an absolute time on CLOCK_MONOTONIC, so that a wait resumed after a signal does not start over.
func Wait(word *uint32, value uint32, deadline int64) {
	var timeout *unix.Timespec
	if deadline != 0 {
		ts := unix.NsecToTimespec(max(deadline, 0))
		timeout = &ts
	}
	// Every error (EAGAIN: the word has changed, EINTR, ETIMEDOUT) means the same to the caller: look again.
	_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), opWaitBitset, uintptr(value),
		uintptr(unsafe.Pointer(timeout)), 0, bitsetMatchAny)
}

// WaitExactly is Wait for deadlines of microseconds. The kernel ends the waits of ordinary threads up to 50 µs late, so that timers can be served together. That is turned off
// for the thread (PR_SET_TIMERSLACK, prctl(2)), and stays so: whatever else the runtime has it wait for ends in time as well.
func WaitExactly(word *uint32, value uint32, deadline int64) {
	_, _, _ = unix.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_TIMERSLACK, 1, 0)
	Wait(word, value, deadline)
}

// Wake wakes up to n threads that sleep on word. It does not block, and costs 0.4 µs with nobody waiting: call it only for a peer
// that has said that it sleeps.
func Wake(word *uint32, n int) {
	// FUTEX_WAKE never sleeps, so the cheaper RawSyscall may keep the P.
	_, _, _ = unix.RawSyscall(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), opWake, uintptr(n))
}

// clock relates Go's monotonic clock to CLOCK_MONOTONIC, which all processes of the machine share.
type clock struct {
	start time.Time
	base  int64 // CLOCK_MONOTONIC at start, ns
}

// readClock finds the relation. Go reads CLOCK_MONOTONIC itself (runtime·nanotime), so it is constant for the life of the process.
func readClock() clock {
	var ts unix.Timespec
	// Of some tries, the one with the shortest distance between the two readings is the most exact.
	best, bestGap := clock{}, time.Duration(1<<62)
	for range 8 {
		before := time.Now()
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
			panic("futex: CLOCK_MONOTONIC: " + err.Error()) // Linux always has this clock
		}
		if gap := time.Since(before); gap < bestGap {
			best, bestGap = clock{start: before.Add(gap / 2), base: ts.Nano()}, gap
		}
	}
	return best
}

// yield lets other threads run on this CPU before the caller goes on. It keeps the P, as a thread does that the kernel preempts.
func yield() { _, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }
