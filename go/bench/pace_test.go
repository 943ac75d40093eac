package bench

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"
)

// The time that calls wait behind a slow one is theirs: a closed loop would not see it.
func TestRateCountsTheWaitBehindASlowCall(t *testing.T) {
	const rate, calls, stall = 1000, 100, 50 // the stall is that of call 20, in ms, and as many calls are due meanwhile
	for _, test := range []struct {
		rate        float64
		least, most int64
	}{{rate, stall / 2, calls}, {0, 1, calls}} {
		c := quick(t, stalls)
		c.Calls, c.WarmUpMS, c.Rate = calls, 0, test.rate
		r := runToEnd(t, c)
		var late int64
		for _, b := range r.Snapshot().Cases[0].Distribution {
			if b.UpperNS > int64(stall/2*time.Millisecond) {
				late += b.Count
			}
		}
		if late < test.least || late > test.most {
			t.Errorf("rate %v: %d calls took more than half of the stall, want %d to %d", test.rate, late, test.least, test.most)
		}
		if got := r.Results()[0]; got.Calls != calls || got.Errors != 0 || got.Rate != test.rate {
			t.Errorf("%+v", got)
		}
	}
}

func TestRateIsNotExceeded(t *testing.T) {
	for _, transport := range []string{"nanorpc", "nanorpc-batch"} {
		for _, clients := range []int{1, 2} {
			t.Run(fmt.Sprint(transport, clients), func(t *testing.T) {
				c := quick(t, transport)
				c.Calls, c.DurationMS, c.Inflight, c.Clients, c.Rate = 0, 200, 2, clients, 500
				got := runToEnd(t, c).Results()[0]
				for got.Calls == 0 && c.DurationMS < 20_000 { // the clients have not come to run in that time
					c.DurationMS *= 4
					got = runToEnd(t, c).Results()[0]
				}
				// The last calls before the end may be one for each caller more.
				if most := float64(500) + float64(5*2*clients); got.Errors != 0 || got.Calls == 0 || got.CallsPerS > most {
					t.Errorf("%+v, want up to %v calls a second", got, most)
				}
			})
		}
	}
}

func TestPace(t *testing.T) {
	c := newClock()
	var stop atomic.Bool
	begun := c.now()
	p := newPace(c, 2000, 1, 3) // the second of three, each with a call in 1.5 ms
	for i := range int64(3) {
		due, ok := p.wait(0, &stop)
		after := due - begun - int64(500*time.Microsecond) - i*int64(1500*time.Microsecond)
		if !ok || after < -1 || after > int64(time.Second) || c.now() < due {
			t.Errorf("call %d is due %d ns late, %v", i, after, ok)
		}
	}
	if _, ok := p.wait(c.now(), &stop); ok {
		t.Error("a call begins after the end")
	}
	stop.Store(true)
	if _, ok := p.wait(0, &stop); ok {
		t.Error("a call begins after the stop")
	}
	if now, ok := (&pace{clock: c}).wait(1, &stop); !ok || now <= 1 {
		t.Errorf("a closed loop waits: %d, %v", now, ok)
	}
}
