package endpoint

import (
	"sync/atomic"
	"time"
)

const (
	// A handler that takes longer is not run by the connection's leader.
	quickLimit = 100 * time.Microsecond
	// A method is taken for quick after so many quick calls in a row.
	quickCalls = 4
	// Of a quick method's calls, one in so many is timed, and stands for all: reading the clock twice costs a fifth of a call.
	sampleEvery = 64
)

// method is a handler and how long it usually takes.
type method struct {
	name     string
	reserved bool         // every server has it
	pulled   bool         // workers run it
	number   int          // in the order of registration, without the reserved ones; immutable
	handler  Handler      // nil if pulled
	streak   atomic.Int32 // quick calls in a row, up to quickCalls
	running  atomic.Int32 // calls that are being run, other than by leaders
	tally    tally        // of all connections
}

// quick reports whether the leader may run the handler itself.
func (m *method) quick() bool { return m.streak.Load() >= quickCalls }

// took learns from the duration of a call.
func (m *method) took(d time.Duration) {
	if d > quickLimit {
		m.streak.Store(0)
	} else if n := m.streak.Load(); n < quickCalls {
		m.streak.Store(n + 1)
	}
}
