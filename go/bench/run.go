package bench

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// ErrStopped is what Wait returns after Stop.
var ErrStopped = errors.New("benchmark stopped")

// settleTime is how long a failed call waits for the news that its peer has ended.
const settleTime = time.Second

// Run is a benchmark in progress, or its results. Its methods are safe for concurrent use.
type Run struct {
	config     Config      // immutable
	transports []Transport // those of the config; immutable
	cancel     context.CancelCauseFunc
	finished   chan struct{} // closed when the run has ended
	started    time.Time     // immutable

	mu      sync.Mutex
	state   State
	err     error
	ended   time.Time
	steps   int // finished rounds of cases
	current *Current
	round   *round     // in progress, or what Stop has cut short
	rounds  *caseState // the case that round measures
	cases   []caseState
}

// caseState is one transport at one size.
type caseState struct {
	transport int // index
	size      int
	samples   []sample     // of finished rounds, without their times
	times     distribution // of finished rounds, together: those of each would be much to keep, and to add up at each Snapshot
}

// Start starts a run and returns at once. It ends by itself, by Stop, or when ctx is done; use Wait to be sure that its processes and
// files are gone. Transports that are not of this package are passed as extra, here and to RunPeer. Errors: ErrConfig. Everything that fails
// later is reported by Wait and Snapshot.
func Start(ctx context.Context, c Config, extra ...Transport) (*Run, error) {
	known := append(builtin(), extra...)
	if err := c.validate(names(known)); err != nil {
		return nil, err
	}
	r := &Run{config: c, finished: make(chan struct{}), started: time.Now(), state: Running}
	for _, name := range c.Transports {
		t, err := find(known, name)
		if err != nil {
			return nil, err
		}
		r.transports = append(r.transports, t)
	}
	for _, size := range c.Sizes {
		for i := range r.transports {
			r.cases = append(r.cases, caseState{transport: i, size: size})
		}
	}
	running, cancel := context.WithCancelCause(ctx)
	r.cancel = cancel
	go func() {
		defer close(r.finished)
		defer cancel(nil)
		err := r.run(running)
		cause := context.Cause(running)
		r.end(err, cause, ctx.Err() != nil || errors.Is(cause, ErrStopped))
	}()
	return r, nil
}

// Stop asks the run to stop and returns at once. After the end it does nothing.
func (r *Run) Stop() { r.cancel(ErrStopped) }

// Wait blocks until the run has ended, and its peer processes and files are gone. It returns nil if all rounds are finished, with or
// without errors in calls; ErrStopped after Stop; the context's cause if that ended the run; else why the run failed, such as ErrPeer.
func (r *Run) Wait() error {
	<-r.finished
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Results returns the cases that have finished at least one round, ordered as in Snapshot.
func (r *Run) Results() []Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	var results []Result
	for _, c := range r.cases {
		if len(c.samples) > 0 {
			results = append(results, r.result(c))
		}
	}
	return results
}

// Progress returns how far the run is. It does not disturb what is being measured.
func (r *Run) Progress() Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.progress()
}

// Snapshot returns how far the run is and all that has been measured. It takes less than a millisecond, and makes the callers publish their
// times about every 100 ms, between calls. Several clients tell their times at the end of a round only.
func (r *Run) Snapshot() Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Snapshot{Progress: r.progress(), Cases: []Case{}}
	for i := range r.cases {
		c := r.cases[i]
		finished := len(c.samples)
		if live, ok := r.live(&r.cases[i]); ok {
			c.samples = append(slices.Clip(c.samples), live)
		}
		if len(c.samples) == 0 {
			continue
		}
		row := Case{Result: r.result(c), Distribution: []Bucket{}}
		row.Rounds = finished
		times := c.times
		for _, s := range c.samples {
			times = times.plus(s.times)
			row.RoundP50NS = append(row.RoundP50NS, s.p50)
		}
		row.Distribution = times.buckets()
		s.Cases = append(s.Cases, row)
	}
	return s
}

// live returns what the unfinished round has measured, if it belongs to the case. r.mu is held.
func (r *Run) live(c *caseState) (sample, bool) {
	if r.round == nil || c != r.rounds {
		return sample{}, false
	}
	r.round.watched.Store(true)
	if r.round.elapsed() == 0 {
		return sample{}, false
	}
	s := r.round.sample()
	return s, s.calls > 0
}

func (r *Run) result(c caseState) Result {
	result := Result{
		Transport: r.transports[c.transport].Name(),
		SizeBytes: c.size,
		Clients:   r.config.Clients,
		Inflight:  r.config.Inflight,
		Rate:      r.config.Rate,
		Rounds:    len(c.samples),
	}
	result.summarise(c.samples)
	return result
}

func (r *Run) progress() Progress {
	end := r.ended
	if r.state == Running {
		end = time.Now()
	}
	p := Progress{State: r.state, ElapsedS: end.Sub(r.started).Seconds(), Current: r.current}
	if r.state == Failed {
		p.Error = r.err.Error()
	}
	done := float64(r.steps)
	if r.round != nil {
		done += r.round.fraction()
	}
	p.Fraction = done / float64(len(r.cases)*r.config.Rounds)
	if r.state == Running && p.Fraction > 0 {
		p.ETAS = p.ElapsedS * (1 - p.Fraction) / p.Fraction
	}
	return p
}

// end records how the run ended: err is nil or why it went no further, cause why its context was done, if it was.
func (r *Run) end(err, cause error, stopped bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended, r.current = time.Now(), nil
	switch {
	case err == nil:
		r.state = Done
	case stopped:
		r.state, r.err = Stopped, cause // what the round has measured stays
	default:
		r.state, r.err, r.round = Failed, err, nil
	}
}

// run measures everything. It returns nil when that is done.
func (r *Run) run(ctx context.Context) (err error) {
	var peerCPU, clientCPU *int
	if r.config.Pin {
		pinned, cpu, err := pinApart()
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, pinned.release()) }()
		peerCPU, clientCPU = &cpu, &pinned.cpu
	}
	peers, err := r.startPeers(ctx, peerCPU)
	defer func() {
		for _, p := range peers {
			err = errors.Join(err, p.stop())
		}
	}()
	if err != nil {
		return err
	}
	var clients clientGroup // none: this process is the client
	defer func() { clients.stop() }()
	if r.config.Clients > 1 {
		if clients, err = r.startClients(ctx, clientCPU); err != nil {
			return err
		}
	}
	for number := range r.config.Rounds {
		for i := range r.cases {
			c := &r.cases[i]
			if err := r.measure(ctx, c, peers[c.transport], clients, number); err != nil {
				return err
			}
			if number == r.config.Rounds-1 && r.config.Finished != nil {
				r.config.Finished(r.result(*c))
			}
		}
	}
	return nil
}

// startPeers starts a peer for each transport, which ends the run if it ends by itself. The caller stops those returned, also after an error.
func (r *Run) startPeers(ctx context.Context, cpu *int) ([]*peerProcess, error) {
	var peers []*peerProcess
	for _, t := range r.transports {
		p, err := startPeer(ctx, r.config.PeerCommand, processParams{
			Transport: t.Name(),
			Params:    Params{Spin: r.config.Spin, MaxSize: slices.Max(r.config.Sizes), Inflight: r.config.Inflight, Idle: r.config.Idle},
			CPU:       cpu,
		})
		if err != nil {
			return peers, err
		}
		peers = append(peers, p)
		go r.endWith(&p.child)
	}
	return peers, nil
}

// endWith ends the run when the process ends by itself.
func (r *Run) endWith(c *child) {
	<-c.done
	r.cancel(c.ended()) // does nothing once the run is over
}

// measure runs one round of a case and adds what it has measured.
func (r *Run) measure(ctx context.Context, c *caseState, peer *peerProcess, clients clientGroup, number int) error {
	t := r.transports[c.transport]
	round := newRound(r.config, t, c.size)
	round.server = peer.pid()
	r.mu.Lock()
	r.current, r.round, r.rounds = &Current{Transport: t.Name(), SizeBytes: c.size, Round: number + 1}, round, c
	r.mu.Unlock()

	var err error
	if len(clients) == 0 {
		err = round.run(ctx, t, peer.params.Params, c.size)
	} else {
		err = clients.measure(ctx, round, peer, c.size)
	}
	if err != nil || round.broken() {
		select {
		case <-ctx.Done():
		case <-peer.done:
			return peer.ended()
		case <-time.After(settleTime):
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := round.sample()
	c.times, s.times = c.times.plus(s.times), nil
	c.samples = append(c.samples, s)
	r.steps++
	r.current, r.round = nil, nil
	return nil
}
