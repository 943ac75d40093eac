package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os/signal"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// callerWarmUp is as long that calls of 16 MiB, which take some milliseconds, are made by the dozen.
const callerWarmUp = 200 * time.Millisecond

// callerCommand is a line that a caller reads: what to measure.
type callerCommand struct {
	Size      int     `json:"size"`       // of a payload, in bytes
	Duration  float64 `json:"duration"`   // of the measured part, in seconds
	Rate      float64 `json:"rate"`       // as in Config, of this process
	StartNS   int64   `json:"start_ns"`   // when measuring begins, on monotonic; 0: after a warm-up
	ServerPID int     `json:"server_pid"` // of the process whose CPU time is measured beside this one's; 0: none
	Linger    float64 `json:"linger"`     // for how many seconds calls go on when they are no longer measured
	Connect   bool    `json:"connect"`    // only connect for calls of the size: the next command measures
}

// callerFigures is the line that a caller prints for a command: what it has measured.
type callerFigures struct {
	Calls        int64    `json:"calls"`
	Errors       int64    `json:"errors"`
	FirstError   string   `json:"first_error,omitempty"`
	MeanNS       float64  `json:"mean_ns"`
	P50NS        float64  `json:"p50_ns"`
	P99NS        float64  `json:"p99_ns"`
	P999NS       float64  `json:"p999_ns"`
	CallsPerS    float64  `json:"calls_per_s"`
	Distribution []Bucket `json:"distribution"`
	ClientCPUNS  int64    `json:"client_cpu_ns"` // of all calls
	ServerCPUNS  int64    `json:"server_cpu_ns"`
}

// RunCaller is a client of a server that RunPeer runs, for programs that measure by themselves. Its argument is a JSON object with the same keys
// as the server's: transport, directory, spin, max_size and inflight, the number of concurrent callers. It prints {"ready": true} or {"error": TEXT}
// on stdout, then reads commands on stdin, JSON objects, and prints one in return for each: what it has measured, or an error.
//
// A command has the keys size, of the payload, and duration, in seconds, and may have these: rate, to make so many calls a second, each timed
// from when it was due, in place of a closed loop; start_ns, a time of CLOCK_MONOTONIC until which it warms up, so that several clients begin
// together; linger, for how many seconds to go on calling, uncounted, so that none measures while others have left; and server_pid, of the
// process whose CPU time is measured beside its own. The figures are those of a round: calls, errors, first_error, mean_ns, p50_ns, p99_ns,
// p999_ns, calls_per_s, distribution, and client_cpu_ns and server_cpu_ns, here the sums over all calls.
//
// A command with the key connect, true, and the size only connects, and is answered by {"ready": true}: where servers and clients spin that may take long, and
// several clients are to be connected before one of them begins.
//
// It connects at the first command, and anew when the size changes or a call has failed. In between it stays connected and does nothing, so that
// an idle connection's cost can be seen; but to a server that spins as long as it has a connection it connects for each command.
//
// It blocks until stdin ends, also while it measures, or until ctx is done, and ignores SIGPIPE like RunPeer.
func RunCaller(ctx context.Context, argument string, stdin io.Reader, stdout io.Writer, extra ...Transport) error {
	signal.Ignore(unix.SIGPIPE)
	out := json.NewEncoder(stdout)
	if err := runCaller(ctx, argument, stdin, out, append(builtin(), extra...)); err != nil {
		err = fmt.Errorf("benchmark caller: %w", err)
		return errors.Join(err, out.Encode(peerReport{Error: err.Error()}))
	}
	return nil
}

func runCaller(ctx context.Context, argument string, stdin io.Reader, out *json.Encoder, transports []Transport) (err error) {
	c, err := newCallerProcess(argument, transports)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.disconnect()) }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	commands := readCommands[json.RawMessage](ctx, stdin, cancel)
	if err := out.Encode(peerReport{Ready: true}); err != nil {
		return err
	}
	for {
		line, ok := commands.next(ctx)
		if !ok {
			break
		}
		answer, err := c.obey(ctx, line)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			answer = peerReport{Error: err.Error()}
		}
		if err := out.Encode(answer); err != nil {
			return err
		}
	}
	var bad *json.SyntaxError
	if cause := context.Cause(ctx); errors.As(cause, &bad) {
		return fmt.Errorf("a command is no JSON: %w", cause)
	}
	return nil
}

// callerProcess is a client that others command. It connects when a round needs it.
type callerProcess struct {
	transport Transport
	params    Params
	config    Config // of all rounds

	session Session // nil: not connected
	size    int     // of the session's calls
}

func newCallerProcess(argument string, transports []Transport) (*callerProcess, error) {
	var p processParams
	if err := json.Unmarshal([]byte(argument), &p); err != nil {
		return nil, fmt.Errorf("the argument is no description of a server: %w", err)
	}
	p.Inflight = cmp.Or(p.Inflight, 1)
	c := DefaultConfig()
	c.Transports, c.Sizes, c.Inflight, c.Rounds, c.WarmUpMS = []string{p.Transport}, []int{p.MaxSize}, p.Inflight, 1, callerWarmUp.Milliseconds()
	c.Spin = cmp.Or(p.Spin, c.Spin)
	if err := c.validateMeasuring(names(transports)); err != nil {
		return nil, err
	}
	if p.Directory == "" {
		return nil, fmt.Errorf("%w: no directory: name the server's", ErrConfig)
	}
	t, err := find(transports, p.Transport)
	if err != nil {
		return nil, err
	}
	p.Spin = c.Spin
	return &callerProcess{transport: t, params: p.Params, config: c}, nil
}

// obey does what a line says, and returns the answer.
func (c *callerProcess) obey(ctx context.Context, line []byte) (any, error) {
	var command callerCommand
	if err := json.Unmarshal(line, &command); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if command.Size > c.params.MaxSize {
		return nil, fmt.Errorf("%w: size of %d bytes: use up to %d, the max_size", ErrConfig, command.Size, c.params.MaxSize)
	}
	for _, seconds := range []float64{command.Duration, command.Linger} {
		if !(seconds >= 0 && seconds <= MaxDuration.Seconds()) {
			return nil, fmt.Errorf("%w: %v s: use up to %v", ErrConfig, seconds, MaxDuration.Seconds())
		}
	}
	config := c.config
	config.Sizes, config.Rate = []int{command.Size}, command.Rate
	if !command.Connect {
		config.DurationMS = int64(math.Ceil(1000 * command.Duration))
	}
	if err := config.validateMeasuring(config.Transports); err != nil {
		return nil, err
	}
	r := newRound(config, c.transport, command.Size)
	if command.Connect {
		runtime.GC() // now: once others spin it may take seconds, and the start is past
		return peerReport{Ready: true}, c.connect(ctx, r, command.Size)
	}
	r.collected = command.StartNS != 0 && c.session != nil && c.size == command.Size
	r.server = command.ServerPID
	err := c.measure(ctx, r, command)
	if polls(c.transport, c.params.Spin) || err != nil || r.broken() {
		err = errors.Join(err, c.disconnect())
	}
	if err != nil {
		return nil, err
	}
	return r.figures()
}

// measure makes the calls of a round.
func (c *callerProcess) measure(ctx context.Context, r *round, command callerCommand) error {
	if err := c.connect(ctx, r, command.Size); err != nil {
		return err
	}
	return r.use(ctx, c.session, func(loops []*loop) error {
		start := r.clock.at(command.StartNS)
		if command.StartNS == 0 {
			r.warmUp(loops)
			start = r.clock.now()
		} else if late := r.clock.now() - start; late > 0 {
			return fmt.Errorf("start_ns was %v before this client was connected", time.Duration(late))
		} else {
			r.warmUpUntil(loops, start)
		}
		if err := r.measure(loops, start); err != nil {
			return err
		}
		if command.Linger > 0 {
			r.runLoops(loops, 0, r.clock.now()+int64(1e9*command.Linger))
		}
		return nil
	})
}

// connect connects for calls of a size, unless that is done.
func (c *callerProcess) connect(ctx context.Context, r *round, size int) error {
	if c.session != nil && c.size == size {
		return nil
	}
	if err := c.disconnect(); err != nil {
		return err
	}
	session, err := r.connect(ctx, c.transport, c.params, size)
	if err != nil {
		return err
	}
	c.session, c.size = session, size
	return nil
}

func (c *callerProcess) disconnect() error {
	if c.session == nil {
		return nil
	}
	session := c.session
	c.session = nil
	return session.Close()
}

// figures returns what the round, which is over, has measured.
func (r *round) figures() (*callerFigures, error) {
	s := r.sample()
	if s.calls == 0 {
		return nil, fmt.Errorf("no call was answered: %s", cmp.Or(s.firstError, "none was due"))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return &callerFigures{
		Calls:        s.calls,
		Errors:       s.errors,
		FirstError:   s.firstError,
		MeanNS:       s.mean,
		P50NS:        s.p50,
		P99NS:        s.p99,
		P999NS:       s.p999,
		CallsPerS:    s.rate,
		Distribution: s.times.buckets(),
		ClientCPUNS:  r.cpu.client,
		ServerCPUNS:  r.cpu.server,
	}, nil
}
