package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const connectTimeout = 30 * time.Second

// round measures one case once.
type round struct {
	config Config // immutable
	clock  clock  // immutable
	size   int    // immutable: bytes that a call carries
	client int    // from 0, of the config's; immutable
	server int    // pid of the process whose CPU time is measured; 0: none; immutable

	stop    atomic.Bool  // callers stop after their current call
	watched atomic.Bool  // somebody takes snapshots: callers publish their times
	done    atomic.Int64 // calls told by ticks

	mu        sync.Mutex
	started   int64                   // when measuring began, on clock; 0: not yet
	ended     int64                   // when it ended; 0: not yet
	times     *hdrhistogram.Histogram // published by callers
	errors    int64
	first     string  // error
	failed    bool    // a call has failed
	fair      float64 // see Result.FairShareLow
	rate      float64 // of several clients together; 0: the calls divided by the time
	cpu       cpuTime // that all calls have taken
	collected bool    // garbage has been collected for this round
}

func newRound(c Config, t Transport, size int) *round {
	return &round{config: c, clock: newClock(), size: payload(t, size), times: newHistogram(), fair: 1}
}

// run connects, warms up and measures. A failure to connect is an error; failed calls are counted. When ctx is done it returns soon, without error.
func (r *round) run(ctx context.Context, t Transport, p Params, size int) error {
	return r.connected(ctx, t, p, size, func(loops []*loop) error {
		r.warmUp(loops)
		return r.measure(loops, r.clock.now())
	})
}

// connected connects, passes the callers to measure, and disconnects when that has returned.
func (r *round) connected(ctx context.Context, t Transport, p Params, size int, measure func([]*loop) error) (err error) {
	session, err := r.connect(ctx, t, p, size)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	return r.use(ctx, session, measure)
}

func (r *round) connect(ctx context.Context, t Transport, p Params, size int) (Session, error) {
	connecting, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	session, err := t.Connect(connecting, p, size, r.config.Inflight)
	if err != nil {
		return nil, fmt.Errorf("%s, %d bytes: %w", t.Name(), size, err)
	}
	return session, nil
}

// use passes a session's callers to measure. When ctx is done calls fail and loops stop.
func (r *round) use(ctx context.Context, session Session, measure func([]*loop) error) error {
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		r.stop.Store(true)
		session.Interrupt()
	})
	defer func() {
		if !stop() {
			<-interrupted // before close
		}
	}()

	callers, width := r.config.Inflight, 1
	if _, ok := session.Caller(0).(manyCaller); ok {
		callers, width = 1, r.config.Inflight
	}
	loops := make([]*loop, callers)
	for i := range loops {
		loops[i] = newLoop(r, session.Caller(i), i, width)
	}
	if !r.collected {
		runtime.GC() // so that no garbage of the last case is collected in this one
	}
	return measure(loops)
}

func (r *round) warmUp(loops []*loop) {
	if limit := r.config.warmUp(); limit > 0 {
		r.runLoops(loops, r.config.Calls, r.clock.now()+int64(limit))
	}
	r.forget(loops)
}

// warmUpUntil warms up until a time of r.clock.
func (r *round) warmUpUntil(loops []*loop, start int64) {
	r.runLoops(loops, 0, start)
	r.forget(loops)
}

// forget drops the times up to now, those of the warm-up.
func (r *round) forget(loops []*loop) {
	for _, l := range loops {
		l.times.Reset()
	}
	r.mu.Lock()
	r.times.Reset()
	r.mu.Unlock()
	r.done.Store(0)
}

// measure makes the calls that count. start is the time of r.clock from which the round counts. An error is one of measuring, not of calls.
func (r *round) measure(loops []*loop, start int64) error {
	r.begin(start)
	before, err := readCPU(r.server)
	if err != nil {
		return err
	}
	until := int64(0)
	if d := r.config.duration(); d > 0 {
		until = start + int64(d)
	}
	r.runLoops(loops, r.config.Calls, until)
	end := r.clock.now()
	if r.config.Rate > 0 && !r.stop.Load() {
		end = max(end, until) // the next call would have been due later
	}
	after, err := readCPU(r.server)
	if err != nil {
		return err
	}
	used := after.minus(before)
	for _, l := range loops {
		used.client -= l.pace.awake
	}
	r.mu.Lock()
	r.ended, r.cpu = end, used
	r.mu.Unlock()
	for _, l := range loops {
		r.publish(l.times)
		r.mu.Lock()
		r.errors += l.errors
		r.first = cmp.Or(r.first, l.firstError)
		r.failed = r.failed || l.broken
		r.mu.Unlock()
	}
	return nil
}

// begin says when measuring begins or has begun, on r.clock.
func (r *round) begin(start int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started = start
}

// runLoops runs all callers until they have made so many calls together (0: any number), or until the given time of clock (0: never).
func (r *round) runLoops(loops []*loop, calls, until int64) {
	var running sync.WaitGroup
	for i, l := range loops {
		count := share(calls, i, len(loops))
		if calls > 0 && count == 0 {
			continue // more callers than calls
		}
		l.pace = r.pace(i, len(loops))
		running.Go(func() { l.run(count, until) })
	}
	running.Wait()
}

// pace returns that of the i-th of this process's callers, who make a batch at once if their calls are made in batches.
func (r *round) pace(i, loops int) pace {
	return newPace(r.clock, r.config.Rate*float64(loops)/float64(r.config.Inflight), r.client*loops+i, r.config.Clients*loops)
}

// share returns how many of the calls the i-th of several makes.
func share(calls int64, i, among int) int64 {
	n := int64(among)
	part := calls / n
	if int64(i) < calls%n {
		part++
	}
	return part
}

// tick is called by callers now and then, with the calls made since and the times recorded since the last publish.
func (r *round) tick(calls int64, times *hdrhistogram.Histogram) {
	r.done.Add(calls)
	if r.watched.Load() {
		r.publish(times)
	}
}

// publish moves times to the round's.
func (r *round) publish(times *hdrhistogram.Histogram) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.times.Merge(times)
	times.Reset()
}

// sample summarises what has been published.
func (r *round) sample() sample {
	elapsed := r.elapsed()
	r.mu.Lock()
	defer r.mu.Unlock()
	s := newSample(r.times, r.config.Clients*r.config.Inflight == 1 && r.config.Rate == 0, elapsed)
	s.errors, s.firstError, s.fair, s.cpu = r.errors, r.first, r.fair, r.cpu
	if r.rate > 0 {
		s.rate = r.rate
	}
	return s
}

// broken reports whether a call has failed, rather than brought a wrong reply.
func (r *round) broken() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// elapsed returns for how long the round has been measured, in ns.
func (r *round) elapsed() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.started == 0:
		return 0
	case r.ended == 0:
		return max(r.clock.now()-r.started, 0)
	}
	return r.ended - r.started
}

// fraction returns how much of the round's measuring is done, 0 to 1.
func (r *round) fraction() float64 {
	if r.config.Calls > 0 {
		return min(float64(r.done.Load())/float64(r.config.Calls), 1)
	}
	return min(float64(r.elapsed())/float64(r.config.duration()), 1)
}
