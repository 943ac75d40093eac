package bench

import (
	"context"
	"errors"
	"slices"
	"time"
)

// faulty is uds, with replies that spoil changes.
type faulty struct {
	uds
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

func withFaulty() []transport {
	return append(builtin(),
		faulty{as: flipsBits, spoil: func(call int, reply []byte) ([]byte, error) {
			if call%2 == 0 {
				reply[len(reply)/2] ^= 1
			}
			return reply, nil
		}},
		faulty{as: cutsShort, spoil: func(_ int, reply []byte) ([]byte, error) { return reply[:len(reply)-1], nil }},
		faulty{as: isStale},
		faulty{as: stalls, spoil: func(call int, reply []byte) ([]byte, error) {
			if call == 20 {
				time.Sleep(50 * time.Millisecond)
			}
			return reply, nil
		}},
		faulty{as: breaksDown, spoil: func(call int, reply []byte) ([]byte, error) {
			if call == 5 {
				return reply, errBreakdown
			}
			return reply, nil
		}},
	)
}

func (f faulty) name() string { return f.as }

func (f faulty) connect(ctx context.Context, p peerParams, size, callers int) (session, error) {
	s, err := f.uds.connect(ctx, p, size, callers)
	return faultySession{s, f}, err
}

type faultySession struct {
	session
	faulty faulty
}

func (s faultySession) caller(i int) caller {
	return &faultyCaller{caller: s.session.caller(i), faulty: s.faulty}
}

type faultyCaller struct {
	caller
	faulty faulty
	calls  int
	last   []byte
}

func (c *faultyCaller) call(buffer, request []byte) ([]byte, error) {
	reply, err := c.caller.call(buffer, request)
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
