package bench

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// cpuTime is what processes of a round have used of their CPUs, in ns.
type cpuTime struct{ client, server int64 }

// readCPU returns what this process, the client, has used since its start, and a server with this pid; 0: no server.
func readCPU(server int) (cpuTime, error) {
	var used cpuTime
	var err error
	if server != 0 {
		if used.server, err = readCPUClock(server); err != nil {
			return used, err
		}
	}
	used.client, err = readCPUClock(0)
	return used, err
}

func (t cpuTime) minus(earlier cpuTime) cpuTime {
	return cpuTime{client: t.client - earlier.client, server: t.server - earlier.server}
}

// readCPUClock reads the clock of a process's CPU time, all its threads together; pid 0: this process. Its id is made as clock_getcpuclockid(3)
// does it, with CPUCLOCK_SCHED in the lowest bits: the scheduler's account, to the ns, but without what threads that run just now have used
// since its last tick, some milliseconds.
func readCPUClock(pid int) (int64, error) {
	var used unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|2), &used); err != nil {
		return 0, fmt.Errorf("read the CPU time of process %d: %w", pid, err)
	}
	return used.Nano(), nil
}

// threadTime is a reading of a thread's CPU time. The zero value is none.
type threadTime struct {
	thread int
	ns     int64
}

func readThreadTime() threadTime {
	var used unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &used); err != nil {
		return threadTime{} // Linux always has this clock
	}
	return threadTime{thread: unix.Gettid(), ns: used.Nano()}
}

// since returns what the thread has used since, or 0 if the goroutine is on another one now, or there was no reading.
func (t threadTime) since() int64 {
	if t == (threadTime{}) {
		return 0
	}
	now := readThreadTime()
	if now.thread != t.thread {
		return 0
	}
	return now.ns - t.ns
}
