package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// musterTime is how long before the start clients are told of it, beyond what they need to warm up: the last of many runs late. One that has
// still not run at the start is the worse for it in its figures.
const musterTime = 50 * time.Millisecond

var errNotReady = fmt.Errorf("%w: a client is not ready after %v", ErrPeer, readyTimeout)

// clientProcess is one of several clients, seen from the process that runs the benchmark.
type clientProcess struct {
	child
	answers chan clientReport     // closed when the process has ended
	round   atomic.Pointer[round] // in progress
}

func startClient(command []string, p processParams) (*clientProcess, error) {
	c := &clientProcess{
		child:   child{what: fmt.Sprintf("client %d of %d", p.Client.Number, p.Client.Config.Clients)},
		answers: make(chan clientReport, 1),
	}
	stdout, output := io.Pipe()
	if err := c.start(command, p, output); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPeer, err)
	}
	go func() {
		<-c.done
		output.Close()
	}()
	go c.read(stdout)
	return c, nil
}

// read takes the client's output until it ends.
func (c *clientProcess) read(stdout io.Reader) {
	defer close(c.answers)
	for lines := json.NewDecoder(stdout); ; {
		var r clientReport
		err := lines.Decode(&r)
		switch {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			r.Error = fmt.Sprintf("unexpected output: %v", err)
		case r.Called > 0:
			if at := c.round.Load(); at != nil {
				at.done.Add(r.Called)
			}
			continue
		}
		select {
		case c.answers <- r:
		default: // nobody has asked
		}
		if err != nil {
			_, _ = io.Copy(io.Discard, stdout)
			return
		}
	}
}

// answer waits for the answer to the last command.
func (c *clientProcess) answer(ctx context.Context) (clientReport, error) {
	select {
	case r, ok := <-c.answers:
		if !ok {
			return r, c.ended()
		}
		if r.Error != "" {
			return r, fmt.Errorf("%w: %s: %s", ErrPeer, c.what, r.Error)
		}
		return r, nil
	case <-ctx.Done():
		return clientReport{}, context.Cause(ctx)
	}
}

// clientGroup is all clients of a run.
type clientGroup []*clientProcess

// startClients starts the clients, each of which ends the run if it ends by itself. The caller stops those returned, also after an error.
func (r *Run) startClients(ctx context.Context, cpu *int) (clientGroup, error) {
	var clients clientGroup
	for i := range r.config.Clients {
		config := r.config
		config.Calls, config.PeerCommand = share(config.Calls, i, config.Clients), nil
		c, err := startClient(r.config.PeerCommand, processParams{Client: &clientParams{Number: i + 1, Config: config}, CPU: cpu})
		if err != nil {
			return clients, err
		}
		clients = append(clients, c)
	}
	starting, cancel := context.WithTimeoutCause(ctx, readyTimeout, errNotReady)
	defer cancel()
	if _, err := clients.answers(starting); err != nil {
		return clients, err
	}
	for _, c := range clients {
		go r.endWith(&c.child)
	}
	return clients, nil
}

// stop ends the processes. It blocks until they have ended.
func (g clientGroup) stop() {
	for _, c := range g {
		c.stdin.Close() // all end at once
	}
	for _, c := range g {
		c.stop()
	}
}

// answers waits for the clients' answers to the last command.
func (g clientGroup) answers(ctx context.Context) ([]clientReport, error) {
	var reports []clientReport
	for _, c := range g {
		r, err := c.answer(ctx)
		if err != nil {
			return nil, err
		}
		reports = append(reports, r)
	}
	return reports, nil
}

// command tells all clients what to do and waits until they have done it.
func (g clientGroup) command(ctx context.Context, command clientCommand) ([]clientReport, error) {
	line, err := json.Marshal(command)
	if err != nil {
		return nil, err
	}
	line = append(line, '\n')
	for _, c := range g {
		if _, err := c.stdin.Write(line); err != nil {
			return nil, fmt.Errorf("%w: %s takes no commands: %w", ErrPeer, c.what, err)
		}
	}
	return g.answers(ctx)
}

// measure makes the clients run a round, and sets r to what they have measured. No client leaves before all have measured.
func (g clientGroup) measure(ctx context.Context, r *round, server *peerProcess, size int) error {
	for _, c := range g {
		c.round.Store(r)
	}
	if _, err := g.command(ctx, clientCommand{Connect: &clientCase{Server: server.params, ServerPID: server.pid(), Size: size}}); err != nil {
		return err
	}
	start := monotonic() + int64(r.config.warmUp()+musterTime)
	r.begin(r.clock.at(start))
	if _, err := g.command(ctx, clientCommand{StartNS: start}); err != nil {
		return err
	}
	reports, err := g.command(ctx, clientCommand{Leave: true})
	if err != nil {
		return err
	}
	var samples []clientSample
	for i, report := range reports {
		if report.Sample == nil {
			return fmt.Errorf("%w: %s has no figures", ErrPeer, g[i].what)
		}
		samples = append(samples, *report.Sample)
	}
	return r.gather(samples)
}

// gather ends the round, with what its clients have measured.
func (r *round) gather(samples []clientSample) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var longest int64
	var rates []float64
	var sum float64
	for _, s := range samples {
		times, err := hdrhistogram.Decode([]byte(s.Times))
		if err != nil {
			return fmt.Errorf("%w: a client's times: %w", ErrPeer, err)
		}
		// A client whose calls have failed did not call for as long as the others.
		elapsed := max(s.ElapsedNS, int64(r.config.duration()), 1)
		rate := float64(times.TotalCount()) * 1e9 / float64(elapsed)
		rates, sum = append(rates, rate), sum+rate
		longest = max(longest, elapsed)
		r.times.Merge(times)
		r.errors += s.Errors
		r.first = cmp.Or(r.first, s.FirstError)
		r.failed = r.failed || s.Failed
		r.cpu.client += s.ClientCPU
		r.cpu.server = max(r.cpu.server, s.ServerCPU) // each has read the same clock; where calls are counted the last one saw all that was used
	}
	r.ended = r.started + longest
	r.fair = fairShareLow(rates)
	if r.config.duration() > 0 {
		r.rate = sum // the last call of one client, if it takes long, is no reason to count the others' calls over its time
	}
	return nil
}

// fairShareLow returns the lowest rate divided by the mean: where all call for the same time, the fewest calls divided by a fair share.
func fairShareLow(rates []float64) float64 {
	var sum float64
	for _, rate := range rates {
		sum += rate
	}
	if sum == 0 {
		return 0
	}
	return slices.Min(rates) * float64(len(rates)) / sum
}
