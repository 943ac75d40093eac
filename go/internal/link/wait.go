package link

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"nanorpc/go/internal/futex"
)

// Errors of both ends. Callers compare with errors.Is.
var (
	ErrClosed    = errors.New("connection closed")
	ErrGone      = errors.New("the peer has gone")
	ErrDeadline  = errors.New("deadline exceeded")
	ErrTooLarge  = errors.New("payload too large")
	ErrProtocol  = errors.New("the peer broke the protocol")
	ErrExhausted = errors.New("exhausted")
	// ErrInterrupted is what Next returns after Interrupt.
	ErrInterrupted = errors.New("interrupted")
	// ErrParked is what Next returns to a leader that is to go until the client rings.
	ErrParked = errors.New("parked")
	// ErrJoined is what Next returns to a leader in whose place somebody else waits for calls.
	ErrJoined = errors.New("joined")
	// ErrPending is what NextSoon returns while there is no call.
	ErrPending = errors.New("nothing yet")
	// ErrElsewhere is what Next returns to a leader that is to look at other connections.
	ErrElsewhere = errors.New("calls elsewhere")
)

// Moment bounds a wait by which something is kept from others, such as an interpreter's lock.
type Moment struct {
	Within time.Duration // microseconds
	Insist bool          // wait also where that has not paid lately: see futex.Spinner.Briefly
}

// spin spins for a moment.
func (m Moment) spin(s *futex.Spinner, poll func(rounds int) bool) bool {
	if m.Insist {
		return s.SpinFor(poll, int64(m.Within))
	}
	return s.Briefly(poll, int64(m.Within))
}

// Wait bounds a blocking operation. The zero value waits for as long as the connection lives.
type Wait struct {
	Context  context.Context // ends the wait when done; may be nil
	Deadline int64           // CLOCK_MONOTONIC in ns, 0: none
	Slice    int64           // for Await alone: ns after which it ends as well, from when it first reads the clock, which it need not do where the reply comes soon; 0: none
	exact    bool            // the deadline is microseconds away
}

// begin has the slice begin, if there is one that has not.
func (w *Wait) begin() {
	if w.Slice == 0 {
		return
	}
	if end := futex.Now() + w.Slice; w.Deadline == 0 || end < w.Deadline {
		w.Deadline = end
	}
	w.Slice = 0
}

// over returns why the wait must end now, or nil.
func (w Wait) over() error {
	if w.Context != nil {
		select {
		case <-w.Context.Done():
			return w.Context.Err()
		default:
		}
	}
	if w.Deadline != 0 && futex.Now() >= w.Deadline {
		return ErrDeadline
	}
	return nil
}

// done returns the channel that ends the wait, or nil.
func (w Wait) done() <-chan struct{} {
	if w.Context == nil {
		return nil
	}
	return w.Context.Done()
}

// alarm tells when a wait's deadline has passed. The zero value never does.
type alarm struct {
	C     <-chan time.Time
	timer *time.Timer
}

func (w Wait) alarm() alarm {
	if w.Deadline == 0 {
		return alarm{}
	}
	timer := time.NewTimer(time.Duration(w.Deadline - futex.Now()))
	return alarm{timer.C, timer}
}

func (a alarm) stop() {
	if a.timer != nil {
		a.timer.Stop()
	}
}

// sleep waits in the kernel, by a sleeper, while *word == value. When the context ends it sets the bit nudge in the word, which the sleeper ignores, and
// wakes it: the changed value keeps the sleeper awake if it was only about to sleep.
func (w Wait) sleep(s *futex.Sleeper, word *uint32, value, nudge uint32) {
	if w.done() != nil {
		nudged := make(chan struct{})
		stop := context.AfterFunc(w.Context, func() {
			atomic.OrUint32(word, nudge)
			futex.Wake(word, 1)
			close(nudged)
		})
		defer func() {
			if !stop() {
				<-nudged // the word may be unmapped once we return
				atomic.AndUint32(word, ^nudge)
			}
		}()
	}
	if w.exact {
		s.SleepExactly(word, value, w.Deadline)
	} else {
		s.Sleep(word, value, w.Deadline)
	}
}
