package endpoint

import (
	"context"
	"sync"
	"time"
)

const (
	// monitorTick is how often the monitor looks at busy connections: seldom, as clients ask for relief themselves (conn.rung), and each look takes a CPU
	// from those who spin.
	monitorTick = time.Millisecond
	// monitorPatience is after how many ticks without a call the monitor forgets a connection.
	monitorPatience = 20
)

// monitor takes the leadership from leaders whose handler does not return, as the Go runtime's sysmon retakes a P, where no client asks for
// that. It watches connections that are being called, and sleeps while there are none.
type monitor struct {
	mu    sync.Mutex // guards added
	added []*conn    // to be watched from the next tick on
	alarm chan struct{}
}

func newMonitor() *monitor { return &monitor{alarm: make(chan struct{}, 1)} }

// watched is a connection that the monitor watches.
type watched struct {
	conn *conn
	turn uint64 // at the last tick
	idle int    // ticks since it changed
}

// add is called by a leader that runs a handler while its connection is not watched.
func (m *monitor) add(c *conn) {
	if c.watched.Swap(true) {
		return
	}
	m.mu.Lock()
	m.added = append(m.added, c)
	m.mu.Unlock()
	select {
	case m.alarm <- struct{}{}:
	default: // it has been woken already
	}
}

func (m *monitor) takeAdded() []*conn {
	m.mu.Lock()
	defer m.mu.Unlock()
	added := m.added
	m.added = nil
	return added
}

// watch runs until the context ends.
func (m *monitor) watch(ctx context.Context) {
	var busy []*watched
	for {
		if len(busy) == 0 {
			select {
			case <-m.alarm:
			case <-ctx.Done():
				return
			}
		}
		time.Sleep(monitorTick)
		if ctx.Err() != nil {
			return
		}
		for _, c := range m.takeAdded() {
			busy = append(busy, &watched{conn: c})
		}
		kept := busy[:0]
		for _, w := range busy {
			if w.look(); !w.forgotten() {
				kept = append(kept, w)
			}
		}
		clear(busy[len(kept):])
		busy = kept
	}
}

// look takes the leadership from a leader that has run one handler since the last look.
func (w *watched) look() {
	turn := w.conn.turn.Load()
	switch {
	case turn != w.turn:
		w.turn, w.idle = turn, 0
	case turn%2 == 1:
		w.conn.takeOver(turn)
	default:
		w.idle++
	}
}

// forgotten reports whether nothing has been called for long, and the connection is not watched any more.
func (w *watched) forgotten() bool {
	if w.idle < monitorPatience {
		return false
	}
	// The store comes before the load: a leader stores the turn and then looks whether it is watched, so that one of us sees the other.
	w.conn.watched.Store(false)
	if w.conn.turn.Load() == w.turn {
		return true
	}
	w.idle = 0
	return w.conn.watched.Swap(true) // if the leader has added the connection again, that is the one to keep
}
