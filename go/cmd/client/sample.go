package main

import (
	"time"

	"nanorpc/go/nanorpc"
)

// sample is what one print shows.
type sample struct {
	watch       bool
	self        int            // this process: its connection is among those that are shown
	now, before *nanorpc.Stats // before: at the print before, nil for the first
}

// recent is what a print says of some calls besides how many there were: of a watch what was since the print before, else since the server's start.
type recent struct {
	known bool // in a watch there may be no print before
	rate  float64
	times nanorpc.Times
}

// interval returns the time between the two prints by the server's clock, or 0 if there is one print only.
func (s sample) interval() time.Duration {
	if s.before == nil {
		return 0
	}
	return max(s.now.Uptime-s.before.Uptime, 0)
}

// method returns what is recent of a method. One that was not listed before had no calls then.
func (s sample) method(m nanorpc.MethodStats) recent {
	var before nanorpc.Counts
	if s.before != nil {
		for _, b := range s.before.Methods {
			if b.Name == m.Name {
				before = b.Counts
			}
		}
	}
	return s.recent(m.Counts, before)
}

// connection returns what is recent of a connection. One that was not listed before either is new, or had fewer calls than those that were.
func (s sample) connection(c nanorpc.ConnectionStats) recent {
	if s.before != nil {
		for _, b := range s.before.Connections {
			if b.ID == c.ID {
				return s.recent(c.Counts, b.Counts)
			}
		}
		if c.Age > s.interval() {
			return recent{}
		}
	}
	return s.recent(c.Counts, nanorpc.Counts{})
}

func (s sample) recent(now, before nanorpc.Counts) recent {
	if !s.watch {
		return recent{known: true, times: now.Times}
	}
	interval := s.interval()
	if interval == 0 {
		return recent{}
	}
	calls := now.Calls - min(now.Calls, before.Calls)
	return recent{known: true, rate: float64(calls) / interval.Seconds(), times: since(now.Times, before.Times)}
}

// since returns the calls of a histogram that are not in an earlier one.
func since(now, before nanorpc.Times) nanorpc.Times {
	counted := map[time.Duration]uint64{}
	for _, b := range before {
		counted[b.Below] = b.Calls
	}
	var left nanorpc.Times
	for _, b := range now {
		if earlier := counted[b.Below]; b.Calls > earlier {
			left = append(left, nanorpc.TimeBucket{Below: b.Below, Calls: b.Calls - earlier})
		}
	}
	return left
}
