//go:build amd64

package steps

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Region is what a thread has executed between two marks.
type Region struct {
	Steps    int            // instructions; each repetition of one with REP counts
	Syscalls int            // system calls among them
	Pauses   int            // PAUSE instructions: the thread has waited for a peer, and would have executed fewer instructions had that been there
	At       map[uint64]int // how many were executed at each address
}

// limit is more steps than any region has.
const limit = 20_000_000

// patience is how long Count waits for a thread to come to its first mark.
const patience = 10 * time.Second

// Count stops all threads of a process but one, calls stopped, has that thread run to a mark, and counts the steps in n regions from there, so that it is to execute
// n + 1 marks. The process runs on as before when Count returns. If that has failed, as it may where the thread waits for one that stands still, it is dead.
func Count(pid, thread, n int, stopped func()) ([]Region, error) {
	// The thread that attaches is the only one that may do the rest.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	t := tracer{pid: pid, threads: map[int]*tracee{}, text: map[uint64]instruction{}}
	regions, err := t.count(thread, n, stopped)
	if err != nil {
		_ = unix.Kill(pid, unix.SIGKILL)
		return nil, fmt.Errorf("count the steps of thread %d of process %d: %w", thread, pid, err)
	}
	return regions, nil
}

// tracer has attached to a process. It belongs to one thread.
type tracer struct {
	pid     int
	threads map[int]*tracee
	text    map[uint64]instruction // what is at an address, as far as it matters
	pace    time.Duration          // wait before each step
}

// instruction is what Count has to know of one.
type instruction uint8

const (
	other instruction = iota
	mark              // INT3
	systemCall
	pause
)

func (t *tracer) count(thread, n int, stopped func()) ([]Region, error) {
	if err := t.attach(); err != nil {
		return nil, err
	}
	stepped := t.threads[thread]
	if stepped == nil {
		return nil, ErrEnded
	}
	if err := t.stopOthers(stepped); err != nil {
		return nil, err
	}
	stopped()
	// A wait for what never comes ends with the process.
	watchdog := time.AfterFunc(patience, func() { _ = unix.Kill(t.pid, unix.SIGKILL) })
	err := stepped.runToMark()
	watchdog.Stop()
	if err != nil {
		return nil, err
	}
	regions := make([]Region, n)
	for i := range regions {
		regions[i] = Region{At: map[uint64]int{}}
		if err := t.stepToMark(stepped, &regions[i]); err != nil {
			return nil, err
		}
		// Whoever has waited takes more time for each step from now on, so that the peer has more, too: it may have to share its CPU.
		if regions[i].Pauses > 0 {
			t.pace = min(max(2*t.pace, time.Microsecond), time.Millisecond)
		}
	}
	return regions, t.detach()
}

// stepToMark steps a thread until its next instruction is a mark, and over that.
func (t *tracer) stepToMark(s *tracee, r *Region) error {
	for {
		address, err := s.programCounter()
		if err != nil {
			return err
		}
		what, err := t.look(s, address)
		if err != nil {
			return err
		}
		if t.pace > 0 && what != mark {
			time.Sleep(t.pace)
		}
		if err := s.step(); err != nil {
			return err
		}
		switch what {
		case mark:
			return nil
		case systemCall:
			r.Syscalls++
		case pause:
			r.Pauses++
		}
		r.At[address]++
		if r.Steps++; r.Steps > limit {
			return fmt.Errorf("no mark within %d steps", limit)
		}
	}
}

// look returns what instruction is at an address.
func (t *tracer) look(s *tracee, address uint64) (instruction, error) {
	if what, ok := t.text[address]; ok {
		return what, nil
	}
	var code [8]byte
	if _, err := unix.PtracePeekText(s.id, uintptr(address), code[:]); err != nil {
		return other, fmt.Errorf("read the instruction at %#x: %w", address, err)
	}
	what := other
	switch binary.LittleEndian.Uint16(code[:]) {
	case 0x050f:
		what = systemCall
	case 0x90f3:
		what = pause
	default:
		if code[0] == 0xcc {
			what = mark
		}
	}
	t.text[address] = what
	return what, nil
}

// Sum returns how many steps of a region were at addresses for which in is true.
func (r Region) Sum(in func(address uint64) bool) (steps int) {
	for address, n := range r.At {
		if in(address) {
			steps += n
		}
	}
	return steps
}
