package bench

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// tickEvery is how often a caller tells how far it is, in ns.
const tickEvery = int64(100 * time.Millisecond)

// loop is one of a round's callers: it calls, measures and compares.
type loop struct {
	caller   Caller
	round    *round
	patterns []pattern // of the requests that are made at once
	requests [][]byte  // the same
	reply    []byte
	times    *hdrhistogram.Histogram // since the last publish
	pace     pace                    // of run

	errors     int64
	firstError string
	broken     bool // a call has failed
}

// newLoop returns the i-th caller's, which makes width calls at once.
func newLoop(r *round, c Caller, i, width int) *loop {
	l := &loop{caller: c, round: r, times: newHistogram(), requests: make([][]byte, width)}
	for j := range width {
		l.patterns = append(l.patterns, newPattern(r.size, uint64(r.client*MaxInflight+i*width+j+1)))
	}
	return l
}

// runMany is run for a caller that makes several calls at once. Each of them takes the time of all.
func (l *loop) runMany(many manyCaller, count, until int64) {
	clock := l.round.clock
	nextTick := clock.now() + tickEvery
	told := int64(0)
	for n := int64(0); !l.broken && (count == 0 || n < count) && !l.round.stop.Load(); {
		width := len(l.patterns)
		if count != 0 {
			width = int(min(int64(width), count-n))
		}
		requests := l.requests[:width]
		for i := range requests {
			requests[i] = l.patterns[i].next()
		}
		before, ok := l.pace.wait(until, &l.round.stop)
		if !ok {
			return
		}
		err := many.callMany(requests)
		after := clock.now()
		if err != nil {
			l.fail(err)
			return
		}
		n += int64(width)
		_ = l.times.RecordValues(min(after-before, longestTime), int64(width))
		for i, request := range requests {
			if reply := many.reply(i); !bytes.Equal(reply, request) {
				l.wrong(reply, request)
			}
		}
		if after >= nextTick {
			nextTick = after + tickEvery
			l.round.tick(n-told, l.times)
			told = n
		}
		if until != 0 && after >= until {
			return
		}
	}
}

// run makes calls until it has made count (0: any number), or the round's clock says until (0: never), or the round is stopped, or a call
// fails. The hot loop: nothing in it allocates or waits, apart from the call.
func (l *loop) run(count, until int64) {
	if many, ok := l.caller.(manyCaller); ok {
		l.runMany(many, count, until)
		return
	}
	clock := l.round.clock
	nextTick := clock.now() + tickEvery
	told := int64(0)
	for n := int64(0); !l.broken && (count == 0 || n < count) && !l.round.stop.Load(); {
		request := l.patterns[0].next()
		before, ok := l.pace.wait(until, &l.round.stop)
		if !ok {
			return
		}
		reply, err := l.caller.Call(l.reply, request)
		after := clock.now()
		if err != nil {
			l.fail(err)
			return
		}
		n++
		l.reply = reply
		// Only a value beyond the range is an error.
		_ = l.times.RecordValue(min(after-before, longestTime))
		if !bytes.Equal(reply, request) {
			l.wrong(reply, request)
		}
		if after >= nextTick {
			nextTick = after + tickEvery
			l.round.tick(n-told, l.times)
			told = n
		}
		if until != 0 && after >= until {
			return
		}
	}
}

// fail ends this caller's round, as a broken connection would fail all calls to come.
func (l *loop) fail(err error) {
	if l.round.stop.Load() {
		return // interrupted
	}
	l.broken = true
	l.note(err.Error())
}

func (l *loop) wrong(reply, request []byte) {
	at := 0
	for at < len(reply) && at < len(request) && reply[at] == request[at] {
		at++
	}
	l.note(fmt.Sprintf("wrong reply: %d bytes to a request of %d, different from byte %d on", len(reply), len(request), at))
}

func (l *loop) note(text string) {
	l.errors++
	if l.firstError == "" {
		l.firstError = text
	}
}

// stampSize is how many bytes at either end of a request change from call to call.
const stampSize = 8

// pattern is a request's payload: noise, with numbers at both ends that differ from call to call.
type pattern struct {
	payload []byte
	state   uint64
}

func newPattern(size int, seed uint64) pattern {
	p := pattern{payload: make([]byte, size), state: seed}
	noise := rand.New(rand.NewPCG(seed, uint64(size)))
	for i := range p.payload {
		p.payload[i] = byte(noise.Uint32())
	}
	return p
}

// next returns the next request, which is valid until the next call of next.
func (p *pattern) next() []byte {
	p.state += 0x9e3779b97f4a7c15 // an odd constant: each value comes once in 2^64 calls, with all its bytes changing
	var stamp [stampSize]byte
	binary.LittleEndian.PutUint64(stamp[:], p.state)
	n := len(p.payload)
	copy(p.payload, stamp[:])
	copy(p.payload[max(n-stampSize, 0):], stamp[:])
	return p.payload
}
