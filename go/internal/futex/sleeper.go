package futex

import (
	"runtime"
	"sync"
)

// Sleeper puts one waiter to sleep, and decides by how long its last sleep was what becomes of its thread's P meanwhile. The zero value is ready to use. It belongs to one goroutine at a
// time.
//
// Go's monitor thread (sysmon) takes the P of a thread in a system call after 10 ms, or at once where other goroutines want it; and while all Ps are idle it sleeps, to be woken by the next
// thread that wants one. A P that is given up for each sleep, or taken, costs the monitor two or three wake-ups a call where calls are a millisecond apart: half of the CPU time of both
// ends. A P that is kept costs nothing, as long as it is kept: see renewAfter.
type Sleeper struct {
	last    int64 // for how many ns it last slept
	renewed int64 // when its goroutine was last scheduled for a sleep, a time of Now
}

const (
	// A sleep as short as this always keeps the P: nobody misses it for long, and to get one again would take about as long as the sleep.
	shortSleep = 150_000 // ns
	// Two sleeps as long as this, at the latest, are 10 ms.
	longSleep = 5_000_000 // ns
	// The monitor takes the P of a thread in a system call also where the P has run the same goroutine for 10 ms, system calls and all (schedtick in retake, runtime/proc.go): so it would
	// take it from who makes a call each millisecond at each look, and look every 20 µs for having taken one. To be scheduled anew is 0.3 µs, and for a goroutine that belongs to a thread,
	// as one called from C does, the way through another thread, some 30 µs.
	renewAfter = 5_000_000 // ns
)

// keepers bounds how many threads keep their Ps through sleeps that are not short. Those Ps are lost, for some milliseconds at worst, to goroutines that become ready meanwhile: half of them
// are left, and where there is only one nobody keeps it.
var keepers = sync.OnceValue(func() *Permits { return NewPermits(runtime.GOMAXPROCS(0) / 2) })

// Sleep is Wait, for a waiter whose sleeps are probably as long as the last one was.
func (s *Sleeper) Sleep(word *uint32, value uint32, deadline int64) {
	s.sleep(word, value, deadline, false)
}

// SleepExactly is Sleep, and BeExact.
func (s *Sleeper) SleepExactly(word *uint32, value uint32, deadline int64) {
	s.sleep(word, value, deadline, true)
}

func (s *Sleeper) sleep(word *uint32, value uint32, deadline int64, exact bool) {
	keeps := s.last < longSleep
	if keeps && s.last > shortSleep {
		if keeps = keepers().Take(); keeps {
			defer keepers().Give()
		}
	}
	start := Now()
	if keeps && start-s.renewed > renewAfter {
		runtime.Gosched()
		start = Now()
		s.renewed = start
	}
	if exact {
		BeExact() // of the thread that it has now
	}
	if keeps {
		Wait(word, value, deadline)
	} else {
		WaitLong(word, value, deadline)
	}
	s.last = Now() - start
}
