//go:build amd64

package steps

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// tracee is a thread of the traced process.
type tracee struct {
	id     int
	halted bool        // it has stopped and been waited for
	signal unix.Signal // what it has stopped for, to be delivered when it goes on; 0: nothing
}

// Errors of Count.
var (
	ErrEnded = errors.New("it has ended")
	ErrStuck = errors.New("it does not come to a mark")
)

// attach traces all threads.
func (t *tracer) attach() error {
	for {
		tasks, err := os.ReadDir("/proc/" + strconv.Itoa(t.pid) + "/task")
		if err != nil {
			return fmt.Errorf("list threads: %w", err)
		}
		fresh := false
		for _, task := range tasks {
			id, err := strconv.Atoi(task.Name())
			if err != nil {
				return fmt.Errorf("list threads: %w", err)
			}
			if t.threads[id] != nil {
				continue
			}
			err = unix.PtraceSeize(id)
			if errors.Is(err, unix.ESRCH) {
				continue // it has ended since
			}
			if err != nil {
				return fmt.Errorf("attach to thread %d: %w", id, err)
			}
			t.threads[id] = &tracee{id: id}
			fresh = true
		}
		if !fresh {
			return nil
		}
	}
}

// stopOthers stops all threads but one.
func (t *tracer) stopOthers(running *tracee) error {
	if err := t.attach(); err != nil { // to those that are new
		return err
	}
	for _, s := range t.threads {
		if s == running {
			continue
		}
		if err := unix.PtraceInterrupt(s.id); errors.Is(err, unix.ESRCH) {
			delete(t.threads, s.id)
			continue
		} else if err != nil {
			return fmt.Errorf("interrupt thread %d: %w", s.id, err)
		}
		if err := s.wait(); errors.Is(err, ErrEnded) && s.id != t.pid {
			delete(t.threads, s.id)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// resumeOthers undoes stopOthers.
func (t *tracer) resumeOthers(running *tracee) error {
	for _, s := range t.threads {
		if s == running {
			continue
		}
		if err := s.resume(); err != nil {
			return err
		}
	}
	return nil
}

// detach has all threads, which must stand still, run on untraced.
func (t *tracer) detach() error {
	for _, s := range t.threads {
		// Not unix.PtraceDetach, which delivers no signal.
		if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_DETACH, uintptr(s.id), 0, uintptr(s.signal), 0, 0); errno != 0 && errno != unix.ESRCH { // one that runs may have ended the process
			return fmt.Errorf("detach from thread %d: %w", s.id, errno)
		}
	}
	return nil
}

// runToMark has a thread run to its next mark, and reports whether it has come there before the deadline.
func (s *tracee) runToMark(deadline time.Time) (bool, error) {
	for {
		if stopped, err := s.stopsBefore(deadline); !stopped || err != nil {
			return false, err
		}
		if s.signal == unix.SIGTRAP {
			s.signal = 0
			return true, nil
		}
		if err := s.resume(); err != nil {
			return false, err
		}
	}
}

// stopsBefore waits until a thread stops, or until the deadline.
func (s *tracee) stopsBefore(deadline time.Time) (bool, error) {
	for ; !s.halted; time.Sleep(time.Millisecond) {
		var status unix.WaitStatus
		id, err := wait(s.id, &status, unix.WNOHANG)
		if err != nil {
			return false, err
		}
		if id != 0 {
			return true, s.note(status)
		}
		if time.Now().After(deadline) {
			return false, nil
		}
	}
	return true, nil
}

// resume has a thread run on from where it stands.
func (s *tracee) resume() error {
	signal := s.signal
	s.halted, s.signal = false, 0
	if err := unix.PtraceCont(s.id, int(signal)); err != nil {
		return fmt.Errorf("resume thread %d: %w", s.id, err)
	}
	return nil
}

// step has a thread execute one instruction. A signal that comes meanwhile is dropped: those of Go's runtime mean that it would like another goroutine to run.
func (s *tracee) step() error {
	for {
		s.halted = false
		if err := unix.PtraceSingleStep(s.id); err != nil {
			return fmt.Errorf("step thread %d: %w", s.id, err)
		}
		if err := s.wait(); err != nil {
			return err
		}
		trapped := s.signal == unix.SIGTRAP
		s.signal = 0
		if trapped {
			return nil
		}
	}
}

// wait waits until a thread stops.
func (s *tracee) wait() error {
	var status unix.WaitStatus
	if _, err := wait(s.id, &status, 0); err != nil {
		return err
	}
	return s.note(status)
}

// note notes that a thread has stopped, and why. Errors: ErrEnded.
func (s *tracee) note(status unix.WaitStatus) error {
	if !status.Stopped() {
		return fmt.Errorf("thread %d: %w: %s", s.id, ErrEnded, reason(status))
	}
	s.halted, s.signal = true, 0
	// A stop with an event is one that PTRACE_INTERRUPT has asked for, and no signal.
	if status>>16 == 0 {
		s.signal = status.StopSignal()
	}
	return nil
}

func reason(status unix.WaitStatus) string {
	if status.Signaled() {
		return status.Signal().String()
	}
	return fmt.Sprint("exit status ", status.ExitStatus())
}

func wait(id int, status *unix.WaitStatus, options int) (int, error) {
	for {
		n, err := unix.Wait4(id, status, unix.WALL|options, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return n, fmt.Errorf("wait for thread %d: %w", id, err)
		}
		return n, nil
	}
}

// programCounterOffset is where struct user of <sys/user.h> has regs.rip.
const programCounterOffset = 16 * 8

func (s *tracee) programCounter() (uint64, error) {
	var word [8]byte
	if _, err := unix.PtracePeekUser(s.id, programCounterOffset, word[:]); err != nil {
		return 0, fmt.Errorf("read the program counter of thread %d: %w", s.id, err)
	}
	return binary.LittleEndian.Uint64(word[:]), nil
}
