package endpoint

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	// monitorTick is how often the monitor looks at busy connections. The runtime sometimes makes a millisecond of it; a thread of the monitor's own
	// that sleeps to the microsecond (nanosleep(2)) takes CPUs from those who spin: 24 µs at the p99 on two of them.
	monitorTick = 80 * time.Microsecond
	// monitorPatience is after how many ticks without a call the monitor sleeps.
	monitorPatience = 200
)

// monitor takes the leadership from leaders whose handler does not return, as the Go runtime's sysmon retakes a P.
// It sleeps while the server is idle.
type monitor struct {
	asleep atomic.Bool
	alarm  chan struct{} // of capacity 1
}

// wake is called by leaders. Nearly always it is one load of a word that nobody writes.
func (m *monitor) wake() {
	if m.asleep.Load() && m.asleep.CompareAndSwap(true, false) {
		m.alarm <- struct{}{}
	}
}

// watch runs until the context ends. connections returns those that live.
func (m *monitor) watch(ctx context.Context, connections func() []*conn) {
	seen := map[*conn]uint64{}
	for idle := 0; ; {
		if idle >= monitorPatience {
			m.asleep.Store(true)
			select {
			case <-m.alarm:
				idle = 0
			case <-ctx.Done():
				return
			}
		}
		time.Sleep(monitorTick)
		if ctx.Err() != nil {
			return
		}
		idle++
		now := map[*conn]uint64{} // afresh: connections that have gone are forgotten
		for _, c := range connections() {
			turn := c.turn.Load()
			if turn != seen[c] {
				idle = 0
			} else if turn%2 == 1 {
				c.takeOver(turn)
			}
			now[c] = turn
		}
		seen = now
	}
}
