package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// tellEvery is how often a client tells how many of its counted calls are made.
const tellEvery = 250 * time.Millisecond

// clientParams makes a process one of several clients.
type clientParams struct {
	Number int    `json:"number"` // from 1
	Config Config `json:"config"` // with this client's part of the calls
}

// clientCommand is a line that a client reads. In each round of each case it gets three, and answers each: connect, start and leave.
type clientCommand struct {
	Connect *clientCase `json:"connect,omitempty"`  // the answer is Ready
	StartNS int64       `json:"start_ns,omitempty"` // when measuring begins, on monotonic; the answer is Measured
	Leave   bool        `json:"leave,omitempty"`    // the answer is a Sample
}

// clientCase is what a client measures.
type clientCase struct {
	Server    processParams `json:"server"`
	ServerPID int           `json:"server_pid"`
	Size      int           `json:"size"`
}

// clientReport is a line that a client prints.
type clientReport struct {
	peerReport
	Called   int64         `json:"called,omitempty"` // counted calls since the last such line; no answer
	Measured bool          `json:"measured,omitempty"`
	Sample   *clientSample `json:"sample,omitempty"`
}

// clientSample is what a client has measured in a round.
type clientSample struct {
	Times      string `json:"times"` // encoded by hdrhistogram
	Errors     int64  `json:"errors"`
	FirstError string `json:"first_error,omitempty"`
	Failed     bool   `json:"failed"`     // a call has failed
	ElapsedNS  int64  `json:"elapsed_ns"` // from the start that was commanded
	ClientCPU  int64  `json:"client_cpu_ns"`
	ServerCPU  int64  `json:"server_cpu_ns"` // all that it has used, whichever client it was for
}

var errOutOfTurn = errors.New("a command that is not the next")

// client is one of several client processes. It uses no CPU but between connect and leave.
type client struct {
	transports []Transport
	params     clientParams
	commands   commands[clientCommand]

	mu  sync.Mutex
	out *json.Encoder
}

// serveClient obeys commands until stdin ends or ctx is done.
func serveClient(ctx context.Context, p processParams, stdin io.Reader, stdout io.Writer, ready func() error, transports []Transport) error {
	if p.CPU != nil {
		if err := pinProcess(*p.CPU); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &client{transports: transports, params: *p.Client, out: json.NewEncoder(stdout)}
	c.commands = readCommands[clientCommand](ctx, stdin, func(error) { cancel() })
	if err := ready(); err != nil {
		return err
	}
	for {
		command, ok := c.commands.next(ctx)
		if !ok {
			return nil
		}
		if command.Connect == nil {
			return errOutOfTurn
		}
		if err := c.measure(ctx, *command.Connect); err != nil {
			return err
		}
	}
}

func (c *client) report(r clientReport) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Encode(r)
}

// measure runs a round of a case. Its failure is reported and no error: what it comes from, such as the server's end, is for others to find out.
func (c *client) measure(ctx context.Context, at clientCase) error {
	t, err := find(c.transports, at.Server.Transport)
	if err != nil {
		return err
	}
	r := newRound(c.params.Config, t, at.Size)
	r.client, r.server = c.params.Number-1, at.ServerPID
	err = r.connected(ctx, t, at.Server.Params, at.Size, func(loops []*loop) error { return c.callAmongOthers(ctx, r, loops) })
	if ctx.Err() != nil {
		return nil
	}
	if err == nil {
		var sample *clientSample
		if sample, err = r.clientSample(); err == nil {
			return c.report(clientReport{Sample: sample})
		}
	}
	return c.report(clientReport{peerReport: peerReport{Error: err.Error()}})
}

// callAmongOthers warms up until the common start, measures, and goes on calling until the last of the clients has measured.
func (c *client) callAmongOthers(ctx context.Context, r *round, loops []*loop) error {
	if err := c.report(clientReport{peerReport: peerReport{Ready: true}}); err != nil {
		return err
	}
	command, ok := c.commands.next(ctx)
	if !ok {
		return nil
	}
	if command.StartNS == 0 {
		return errOutOfTurn
	}
	start := r.clock.at(command.StartNS)
	r.warmUpUntil(loops, start)
	tell := c.tell(r)
	err := r.measure(loops, start)
	tell()
	if err != nil {
		return err
	}
	if err := c.report(clientReport{Measured: true}); err != nil {
		return err
	}
	left := make(chan struct{})
	go func() {
		defer close(left)
		command, ok = c.commands.next(ctx)
		r.stop.Store(true)
	}()
	r.runLoops(loops, 0, 0)
	<-left
	if ok && !command.Leave {
		return errOutOfTurn
	}
	return nil
}

// tell reports the round's calls now and then, if those are counted, until the function that it returns has returned.
func (c *client) tell(r *round) (stop func()) {
	if r.config.Calls == 0 {
		return func() {}
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(tellEvery)
		defer tick.Stop()
		for told := int64(0); ; {
			select {
			case <-end:
				return
			case <-tick.C:
			}
			done := r.done.Load()
			if done == told {
				continue
			}
			if c.report(clientReport{Called: done - told}) != nil {
				return // nobody listens any more: stdin ends too
			}
			told = done
		}
	}()
	return func() {
		close(end)
		<-ended
	}
}

// clientSample returns what the round, which is over, has measured.
func (r *round) clientSample() (*clientSample, error) {
	elapsed := r.elapsed()
	r.mu.Lock()
	defer r.mu.Unlock()
	times, err := r.times.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return nil, fmt.Errorf("encode the times: %w", err)
	}
	return &clientSample{
		Times: string(times), Errors: r.errors, FirstError: r.first, Failed: r.failed, ElapsedNS: elapsed, ClientCPU: r.cpu.client, ServerCPU: r.cpu.server,
	}, nil
}
