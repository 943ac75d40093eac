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

const (
	limit     = 20_000_000 // more steps than any region has
	restEvery = 64         // steps
)

const (
	stopPatience = 500 * time.Millisecond // for a thread to come to its first mark
	stops        = 6                      // how often that is tried
	stepPatience = 5 * time.Second        // for some steps
)

// Count stops all threads of a process but one, calls stopped, has that thread run to a mark, and counts the steps in n regions from there, so that it is to execute
// n + 1 marks. The process runs on as before when Count returns. If that has failed, as it may where the thread waits for one that stands still, it is dead.
func Count(pid, thread, n int, stopped func()) ([]Region, error) {
	var regions []Region
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Only the thread that attaches may do the rest. As it stays locked it ends with the goroutine, and lets go of whatever it still traces.
		runtime.LockOSThread()
		t := tracer{pid: pid, threads: map[int]*tracee{}, text: map[uint64]instruction{}}
		if regions, err = t.count(thread, n, stopped); err != nil {
			t.kill()
			err = fmt.Errorf("count the steps of thread %d of process %d: %w", thread, pid, err)
		}
	}()
	<-done
	return regions, err
}

// tracer has attached to a process. It belongs to one thread.
type tracer struct {
	pid     int
	threads map[int]*tracee
	text    map[uint64]instruction // what is at an address, as far as it matters
	rest    time.Duration          // every so many steps

	watchdog *time.Timer // kills a process of which a step does not end
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
	if err := t.comeToMark(stepped); err != nil {
		return nil, err
	}
	// A step that never ends does with the process.
	t.watchdog = time.AfterFunc(stepPatience, t.kill)
	defer t.watchdog.Stop()
	regions := make([]Region, n)
	for i := range regions {
		regions[i] = Region{At: map[uint64]int{}}
		if err := t.stepToMark(stepped, &regions[i]); err != nil {
			return nil, err
		}
		// Who has waited for a peer, which may have to share its CPU, rests now and then from here on.
		if regions[i].Pauses > 0 {
			t.rest = min(max(2*t.rest, 100*time.Microsecond), 2*time.Millisecond)
		}
	}
	return regions, t.detach()
}

// comeToMark has a thread run to its first mark. If it needs one of the threads that stand still, such as one that Go's runtime has been about to hand the right to run
// goroutines over to, they run for a moment.
func (t *tracer) comeToMark(stepped *tracee) error {
	for range stops {
		if there, err := stepped.runToMark(time.Now().Add(stopPatience)); there || err != nil {
			return err
		}
		if err := t.resumeOthers(stepped); err != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond)
		if err := t.stopOthers(stepped); err != nil {
			return err
		}
	}
	return ErrStuck
}

// kill ends the process. Its first thread can be waited for only when the others have been.
func (t *tracer) kill() {
	_ = unix.Kill(t.pid, unix.SIGKILL)
	for id := range t.threads {
		if id != t.pid {
			_, _ = wait(id, new(unix.WaitStatus), 0)
		}
	}
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
		if r.Steps%restEvery == 0 {
			t.watchdog.Reset(stepPatience)
			time.Sleep(t.rest)
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
