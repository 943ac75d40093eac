package bench

import (
	"context"
	"errors"
	"slices"
	"time"
)

// faulty is uds, with replies that spoil changes.
type faulty struct {
	stream
	as    string
	spoil func(call int, reply []byte) ([]byte, error)
}

const (
	flipsBits  = "flips-bits"  // in the middle of every second reply
	cutsShort  = "cuts-short"  // every reply
	isStale    = "is-stale"    // answers each call with the reply before
	breaksDown = "breaks-down" // at the fifth call
	stalls     = "stalls"      // for 50 ms at call 20
)

var errBreakdown = errors.New("broken down")

func faults() []Transport {
	return []Transport{
		faulty{stream: uds, as: flipsBits, spoil: func(call int, reply []byte) ([]byte, error) {
			if call%2 == 0 {
				reply[len(reply)/2] ^= 1
			}
			return reply, nil
		}},
		faulty{stream: uds, as: cutsShort, spoil: func(_ int, reply []byte) ([]byte, error) { return reply[:len(reply)-1], nil }},
		faulty{stream: uds, as: isStale},
		faulty{stream: uds, as: stalls, spoil: func(call int, reply []byte) ([]byte, error) {
			if call == 20 {
				time.Sleep(50 * time.Millisecond)
			}
			return reply, nil
		}},
		faulty{stream: uds, as: breaksDown, spoil: func(call int, reply []byte) ([]byte, error) {
			if call == 5 {
				return reply, errBreakdown
			}
			return reply, nil
		}},
	}
}

func (f faulty) Name() string { return f.as }

func (f faulty) Connect(ctx context.Context, p Params, size, callers int) (Session, error) {
	s, err := f.stream.Connect(ctx, p, size, callers)
	return faultySession{s, f}, err
}

type faultySession struct {
	Session
	faulty faulty
}

func (s faultySession) Caller(i int) Caller {
	return &faultyCaller{Caller: s.Session.Caller(i), faulty: s.faulty}
}

type faultyCaller struct {
	Caller
	faulty faulty
	calls  int
	last   []byte
}

func (c *faultyCaller) Call(buffer, request []byte) ([]byte, error) {
	reply, err := c.Caller.Call(buffer, request)
	c.calls++
	if err != nil {
		return reply, err
	}
	if c.faulty.spoil != nil {
		return c.faulty.spoil(c.calls, reply)
	}
	stale := c.last
	c.last = slices.Clone(reply)
	if stale == nil {
		return reply, nil
	}
	return stale, nil
}
