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
	timeout := timespec(deadline)
	// Every error (EAGAIN: the word has changed, EINTR, ETIMEDOUT) means the same to the caller: look again.
	_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), opWaitBitset, uintptr(value),
		uintptr(unsafe.Pointer(timeout)), 0, bitsetMatchAny)
}

// WaitLong is Wait for who is likely to sleep for milliseconds, or while other goroutines want to run. It gives up this thread's P before it sleeps, as the runtime does for its own long
// waits. After Wait the P stays with the thread until the runtime's monitor takes it, after 10 ms if nobody else wants it. See Sleeper.
func WaitLong(word *uint32, value uint32, deadline int64) {
	waitWithoutP(word, value, timespec(deadline))
}

// timespec returns a deadline as futex(2) takes it.
func timespec(deadline int64) *unix.Timespec {
	if deadline == 0 {
		return nil
	}
	ts := unix.NsecToTimespec(max(deadline, 0))
	return &ts
}

// waitWithoutP has no room to grow its stack between the two calls of the runtime: all that it calls there is nosplit. A goroutine in a system call keeps its stack, and with it what
// the kernel reads.
//
//go:nosplit
//go:norace
func waitWithoutP(word *uint32, value uint32, timeout *unix.Timespec) {
	entersyscallblock()
	_, _, _ = unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), opWaitBitset, uintptr(value),
		uintptr(unsafe.Pointer(timeout)), 0, bitsetMatchAny)
	exitsyscall()
}

// The runtime keeps the names and types of both for packages that do this: gVisor was the first.
//
//go:linkname entersyscallblock runtime.entersyscallblock
func entersyscallblock()

//go:linkname exitsyscall runtime.exitsyscall
func exitsyscall()

// BeExact makes this thread's next waits end in time, for deadlines of microseconds. The kernel ends the waits of ordinary threads up to 50 µs late, so that timers can be served
// together. That is turned off for the thread (PR_SET_TIMERSLACK, prctl(2)), and stays so: whatever else the runtime has it wait for ends in time as well.
func BeExact() { _, _, _ = unix.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_TIMERSLACK, 1, 0) }

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

// PrefetchWriteAfter is PrefetchWrite for lines after addr's, one or more: for who is to write that one too, but not before somebody who spins on a word in it would have fetched it again.
func PrefetchWriteAfter(addr *uint32, lines int) {
	const line = 64 // bytes
	PrefetchWrite((*uint32)(unsafe.Add(unsafe.Pointer(addr), line)), lines)
}
