package endpoint

import (
	"context"
	"sync"
	"time"
)

const (
	// shortTick is how often the monitor looks at busy connections: seldom, as clients ask for relief themselves (conn.rung), and each look takes a CPU
	// from those who spin.
	shortTick = time.Millisecond
	// longTick is how often it looks where no handler runs for long and calls are rare: to wake up and to sleep costs 40 µs, more than a call.
	longTick = 16 * time.Millisecond
	// rareCalls is how many calls in a shortTick are rare ones.
	rareCalls = 10
	// monitorPatience is after how long without a call the monitor forgets a connection.
	monitorPatience = 100 * time.Millisecond
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
	turn turn          // at the last look
	idle time.Duration // since it changed
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
	tick := shortTick
	for {
		if len(busy) == 0 {
			select {
			case <-m.alarm:
				tick = shortTick
			case <-ctx.Done():
				return
			}
		}
		time.Sleep(tick)
		if ctx.Err() != nil {
			return
		}
		for _, c := range m.takeAdded() {
			busy = append(busy, &watched{conn: c})
		}
		kept, rare := busy[:0], true
		for _, w := range busy {
			if calls := w.look(tick); calls*uint64(shortTick) > rareCalls*uint64(tick) || w.running() {
				rare = false
			}
			if !w.forgotten() {
				kept = append(kept, w)
			}
		}
		clear(busy[len(kept):])
		busy = kept
		if rare {
			tick = min(2*tick, longTick)
		} else {
			tick = shortTick
		}
	}
}

// look takes the leadership from a leader that has run one handler since the last look, a tick ago. It returns how many calls there have been.
func (w *watched) look(tick time.Duration) uint64 {
	turn := w.conn.present()
	turns := turn.number() - w.turn.number()
	switch {
	case turns > 0:
		w.turn, w.idle = turn, 0
	case w.running():
		w.conn.takeOver(turn)
	default:
		w.idle += tick
	}
	return turns / 2
}

// running reports whether a handler ran at the last look.
func (w *watched) running() bool { return w.turn.runs() }

// forgotten reports whether nothing has been called for long, and the connection is not watched any more.
func (w *watched) forgotten() bool {
	if w.idle < monitorPatience {
		return false
	}
	// The store comes before the load: a leader stores the turn and then looks whether it is watched, so that one of us sees the other.
	w.conn.watched.Store(false)
	if w.conn.present() == w.turn {
		return true
	}
	w.idle = 0
	return w.conn.watched.Swap(true) // if the leader has added the connection again, that is the one to keep
}
