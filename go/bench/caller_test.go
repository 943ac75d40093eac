package bench

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

// program is a process of this test binary that is commanded with lines of JSON.
type program struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Scanner
}

// startProgram starts a subcommand and waits until it is ready.
func startProgram(t *testing.T, subcommand string, argument processParams) *program {
	t.Helper()
	text, err := json.Marshal(argument)
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, cmd: exec.Command(self(t), subcommand, string(text))}
	p.cmd.Stderr = os.Stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.stdin.Close()
		if err := p.cmd.Wait(); err != nil {
			t.Errorf("%s: %v", subcommand, err)
		}
	})
	p.lines = bufio.NewScanner(stdout)
	var ready peerReport
	p.read(&ready)
	if !ready.Ready {
		t.Fatalf("%s: %s", subcommand, ready.Error)
	}
	return p
}

func (p *program) read(answer any) {
	p.t.Helper()
	if !p.lines.Scan() {
		p.t.Fatalf("no line: %v", p.lines.Err())
	}
	if err := json.Unmarshal(p.lines.Bytes(), answer); err != nil {
		p.t.Fatalf("%s: %v", p.lines.Text(), err)
	}
}

func (p *program) write(command string) {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.stdin, command); err != nil {
		p.t.Fatal(err)
	}
}

// callerAnswer is a line of figures, or of an error.
type callerAnswer struct {
	callerFigures
	Distribution [][2]int64 `json:"distribution"`
	Error        string     `json:"error"`
	Ready        bool       `json:"ready"`
}

func (p *program) ask(command string) callerAnswer {
	p.t.Helper()
	p.write(command)
	var a callerAnswer
	p.read(&a)
	return a
}

// startCaller starts a server, and clients of it.
func startCaller(t *testing.T, transport string, inflight, clients int) (server *program, callers []*program) {
	t.Helper()
	dir, err := os.MkdirTemp("", "bench-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	argument := processParams{Transport: transport, Params: Params{Directory: dir, Spin: "adaptive", MaxSize: 5000, Inflight: inflight}}
	server = startProgram(t, asPeer, argument)
	for range clients {
		callers = append(callers, startProgram(t, asCaller, argument))
	}
	return server, callers
}

func (a callerAnswer) check(t *testing.T) {
	t.Helper()
	var calls int64
	for _, b := range a.Distribution {
		calls += b[1]
	}
	switch {
	case a.Error != "" || a.Errors != 0 || a.FirstError != "":
		t.Errorf("%+v: errors", a)
	case a.Calls <= 0 || a.Calls != calls:
		t.Errorf("%+v: %d calls in the distribution", a, calls)
	case a.P50NS <= 0 || a.P50NS > a.P99NS || a.P99NS > a.P999NS || a.MeanNS <= 0 || a.CallsPerS <= 0:
		t.Errorf("%+v: figures", a)
	}
}

func TestCaller(t *testing.T) {
	for _, transport := range Transports() {
		for _, inflight := range []int{1, 3} {
			t.Run(fmt.Sprint(transport, " ", inflight), func(t *testing.T) {
				server, callers := startCaller(t, transport, inflight, 1)
				// A size of its own makes the client connect anew, the same does not.
				for _, size := range []int{64, 64, 5000, 0} {
					callers[0].ask(fmt.Sprintf(`{"size":%d,"duration":0.02,"server_pid":%d}`, size, server.cmd.Process.Pid)).check(t)
				}
			})
		}
	}
}

// Long enough for the kernel's account, which lags by a tick, both ends must have used CPU, and no more than there is.
func TestCallerCPU(t *testing.T) {
	const duration = 500 * time.Millisecond
	server, callers := startCaller(t, "uds", 2, 1)
	command := func(pid int) string {
		return fmt.Sprintf(`{"size":64,"duration":%v,"server_pid":%d}`, duration.Seconds(), pid)
	}
	begun := time.Now()
	got := callers[0].ask(command(server.cmd.Process.Pid))
	most := int64(time.Since(begun)) * int64(runtime.NumCPU())
	got.check(t)
	if got.ClientCPUNS <= 0 || got.ServerCPUNS <= 0 || got.ClientCPUNS+got.ServerCPUNS > most {
		t.Errorf("%d ns of CPU for the client, %d for the server, of %d", got.ClientCPUNS, got.ServerCPUNS, most)
	}
	if got := callers[0].ask(command(0)); got.ClientCPUNS <= 0 || got.ServerCPUNS != 0 {
		t.Errorf("without a server's pid: %+v", got)
	}
	if got := callers[0].ask(command(math.MaxInt32 / 16)); !strings.Contains(got.Error, "CPU time of process") {
		t.Errorf("with a pid of nobody: %+v", got)
	}
	callers[0].ask(command(server.cmd.Process.Pid)).check(t)
}

// A run's CPU times are per call, and the clients' together.
func TestCPUPerCall(t *testing.T) {
	for _, clients := range []int{1, 2} {
		c := quick(t, "uds", "nanorpc")
		c.Calls, c.DurationMS, c.Clients = 0, 300, clients
		begun := time.Now()
		results := runToEnd(t, c).Results()
		most := float64(time.Since(begun)) * float64(runtime.NumCPU())
		for _, r := range results {
			if r.ClientCPUNS <= 0 || r.ServerCPUNS <= 0 || (r.ClientCPUNS+r.ServerCPUNS)*float64(r.Calls) > most {
				t.Errorf("%d clients: %+v, with %v ns of CPU time there", clients, r, most)
			}
		}
	}
}

func TestCallerRate(t *testing.T) {
	const rate, duration = 500, 0.4
	_, callers := startCaller(t, "uds", 2, 1)
	got := callers[0].ask(fmt.Sprintf(`{"size":64,"duration":%v,"rate":%d}`, duration, rate))
	got.check(t)
	// The last call before the end may be one for each caller more.
	if most := int64(rate*duration) + 2; got.Calls > most || got.CallsPerS > float64(most)/duration {
		t.Errorf("%d calls, %v a second, want up to %d", got.Calls, got.CallsPerS, most)
	}
}

// Clients that are told the same start begin together, whenever they have been told, and the calls in linger are not counted.
func TestCallerStartAndLinger(t *testing.T) {
	const rate, duration, linger = 1000, 0.2, 0.3
	_, callers := startCaller(t, "uds", 1, 2)
	start := monotonic() + int64(time.Second)
	for _, c := range callers {
		c.write(fmt.Sprintf(`{"size":64,"duration":%v,"rate":%d,"start_ns":%d,"linger":%v}`, duration, rate, start, linger))
	}
	for _, c := range callers {
		var got callerAnswer
		c.read(&got)
		if after := monotonic() - start; after < int64(1e9*(duration+linger-1.0/rate)) { // no call would have been due in the last bit
			t.Errorf("an answer %d ns after the start", after)
		}
		if strings.Contains(got.Error, "before this client was connected") {
			continue // a machine that takes a second for that
		}
		got.check(t)
		if most := int64(rate*duration) + 1; got.Calls > most {
			t.Errorf("%d calls, want up to %d", got.Calls, most)
		}
	}
	for _, c := range callers {
		if got := c.ask(`{"size":4096,"connect":true}`); !got.Ready || got.Calls != 0 {
			t.Errorf("told to connect: %+v", got)
		}
	}
	late := fmt.Sprintf(`{"size":64,"duration":0.1,"start_ns":%d}`, start)
	if got := callers[0].ask(late); !strings.Contains(got.Error, "before this client was connected") {
		t.Errorf("a start that is past: %+v", got)
	}
	callers[0].ask(`{"size":64,"duration":0.01}`).check(t)
}

func TestCallerRefusesCommands(t *testing.T) {
	_, callers := startCaller(t, "uds", 1, 1)
	for command, says := range map[string]string{
		`{"size":64}`:                                 "duration of 0 ms",
		`{"size":64,"duration":-1}`:                   "-1 s: use up to 600",
		`{"size":64,"duration":1e300}`:                "use up to 600",
		`{"size":64,"duration":0.1,"linger":9e9}`:     "use up to 600",
		`{"size":5001,"duration":0.1}`:                "size of 5001 bytes: use up to 5000",
		`{"size":-1,"duration":0.1}`:                  "size of -1 bytes",
		`{"size":64,"duration":0.1,"rate":-1}`:        "rate of -1",
		`{"size":"many","duration":0.1}`:              "cannot unmarshal",
		`{"size":64,"duration":0.02,"server_pid":-7}`: "CPU time of process",
	} {
		if got := callers[0].ask(command); !strings.Contains(got.Error, says) {
			t.Errorf("%s: %+v, want %q", command, got, says)
		}
	}
	callers[0].ask(`{"size":64,"duration":0.01}`).check(t)
}

func TestRunCallerRefuses(t *testing.T) {
	for argument, says := range map[string]string{
		`surplus`: "the argument is no description of a server",
		`{"transport":"pigeon","directory":"/d","max_size":64}`:                             `unknown transport "pigeon": use some of limit`,
		`{"transport":"uds","max_size":64}`:                                                 "no directory",
		`{"transport":"uds","directory":"/d","max_size":64,"inflight":-1}`:                  "-1 calls in flight",
		`{"transport":"uds","directory":"/d","max_size":-64}`:                               "size of -64 bytes",
		`{"transport":"uds","directory":"/d","max_size":64,"inflight":1,"spin":"like mad"}`: "unknown spin policy",
	} {
		var stdout strings.Builder
		err := RunCaller(t.Context(), argument, strings.NewReader(""), &stdout)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: RunCaller returned %v", argument, err)
		}
		var report peerReport
		if err := json.Unmarshal([]byte(stdout.String()), &report); err != nil || report.Ready || !strings.Contains(report.Error, says) {
			t.Errorf("%s: RunCaller printed %q", argument, stdout.String())
		}
	}
	argument := `{"transport":"uds","directory":"/d","max_size":64}`
	if err := RunCaller(t.Context(), argument, strings.NewReader("go!"), io.Discard); err == nil || !strings.Contains(err.Error(), "a command is no JSON") {
		t.Errorf("RunCaller returned %v", err)
	}
}

// The failure of a call is counted, and the next command connects anew.
func TestCallerOfFailingCalls(t *testing.T) {
	_, callers := startCaller(t, breaksDown, 1, 1)
	for range 2 {
		// If it comes in the warm-up there is nothing to report but the error.
		got := callers[0].ask(`{"size":64,"duration":0.05}`)
		if counted := got.Calls > 0 && got.Calls < 5 && got.Errors == 1; !counted && got.Error == "" || !strings.Contains(got.Error+got.FirstError, errBreakdown.Error()) {
			t.Errorf("%+v", got)
		}
	}
	_, callers = startCaller(t, cutsShort, 1, 1)
	if got := callers[0].ask(`{"size":64,"duration":0.05}`); got.Error != "" || got.Errors < got.Calls || !strings.Contains(got.FirstError, "wrong reply") {
		t.Errorf("%+v", got)
	}
}

// A client that is waited for no more ends, also while it measures.
func TestCallerEndsWithStdin(t *testing.T) {
	_, callers := startCaller(t, "nanorpc", 2, 1)
	callers[0].write(`{"size":64,"duration":600}`)
	callers[0].stdin.Close()
	if callers[0].lines.Scan() {
		t.Errorf("a line: %s", callers[0].lines.Text())
	}
}

// Between its rounds a client stays connected, but for a server that would spin all that time.
func TestCallerStaysConnected(t *testing.T) {
	for transport, stays := range map[string]bool{"uds": true, "nanorpc": true, "nanorpc-none": true, "nanorpc-busy": false, "limit": false, "limit-copy": false} {
		server, _ := startCaller(t, transport, 1, 0)
		c, err := newCallerProcess(server.cmd.Args[2], builtin())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.obey(t.Context(), []byte(`{"size":64,"duration":0.01}`)); err != nil || (c.session != nil) != stays {
			t.Errorf("%s: %v, connected: %v", transport, err, c.session != nil)
		}
		if err := c.disconnect(); err != nil {
			t.Errorf("%s: %v", transport, err)
		}
	}
}

func TestTransportThatIsNotGiven(t *testing.T) {
	c := quick(t, cutsShort)
	if _, err := Start(t.Context(), c); !errors.Is(err, ErrConfig) {
		t.Errorf("Start returned %v for a transport that it was not given", err)
	}
}
