package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSeveralClients(t *testing.T) {
	for _, inflight := range []int{1, 2} {
		t.Run(fmt.Sprint("inflight ", inflight), func(t *testing.T) {
			c := quick(t, Transports()...)
			c.Clients, c.Inflight, c.Rounds, c.Sizes = 3, inflight, 2, []int{64, 5000}
			var finished int
			c.Finished = func(Result) { finished++ }
			r := runToEnd(t, c)
			results := r.Results()
			if len(results) != len(c.Transports)*len(c.Sizes) || finished != len(results) {
				t.Fatalf("%d results, %d finished", len(results), finished)
			}
			for _, r := range results {
				checkResult(t, c, r)
			}
			checkEnd(t, r.Snapshot(), results)
		})
	}
}

func TestIdleConnections(t *testing.T) {
	c := quick(t, "nanorpc", "nanorpc-batch", "uds")
	c.Idle = 20
	r := runToEnd(t, c)
	for _, result := range r.Results() {
		checkResult(t, c, result)
	}
}

func TestSeveralClientsForADuration(t *testing.T) {
	c := quick(t, "uds", "nanorpc")
	c.Calls, c.DurationMS, c.Clients = 0, 20, 2
	for _, r := range runToEnd(t, c).Results() {
		if r.Calls < 2 || r.Errors != 0 || r.CallsPerS <= 0 || r.Clients != 2 {
			t.Errorf("%+v", r)
		}
	}
}

func TestErrorsOfSeveralClients(t *testing.T) {
	c := quick(t, breaksDown, cutsShort)
	c.Calls, c.Clients = 60, 3
	results := runToEnd(t, c).Results()
	if got := results[0]; got.Errors != 3 || got.FirstError != errBreakdown.Error() {
		t.Errorf("%+v", got)
	}
	if got := results[1]; got.Calls != c.Calls || got.Errors < c.Calls || !strings.Contains(got.FirstError, "wrong reply") {
		t.Errorf("%+v", got)
	}
}

// awaitClients waits until a run that a process has started measures with so many clients, and returns its processes.
func awaitClients(t *testing.T, parent, clients int) map[string]int {
	t.Helper()
	var found map[string]int
	await(t, "all clients run", func() bool {
		found = children(t, parent)
		return found[fmt.Sprint("client ", clients)] != 0
	})
	return found
}

func awaitMeasuring(t *testing.T, r *Run) {
	t.Helper()
	await(t, "measuring", func() bool {
		s := r.Progress()
		if s.State != Running {
			t.Fatalf("the run ended: %v", r.Wait())
		}
		return s.Fraction > 0
	})
}

func TestClientKilled(t *testing.T) {
	for _, counted := range []bool{false, true} {
		t.Run(fmt.Sprint("counted ", counted), func(t *testing.T) {
			c := endless(t, "nanorpc")
			c.Clients = 3
			if counted {
				c.Calls = MaxCalls
			}
			r := startRun(t, c)
			awaitMeasuring(t, r)
			if err := unix.Kill(children(t, os.Getpid())["client 2"], unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			err := r.Wait()
			if !errors.Is(err, ErrPeer) || !strings.Contains(err.Error(), "client 2 of 3 ended early: signal: killed") {
				t.Errorf("Wait returned %v", err)
			}
			if s := r.Snapshot(); s.State != Failed || s.Error != err.Error() {
				t.Errorf("%+v", s.Progress)
			}
		})
	}
}

func TestServerOfSeveralClientsKilled(t *testing.T) {
	for _, transport := range Transports() {
		t.Run(transport, func(t *testing.T) {
			c := endless(t, transport)
			c.Clients = 2
			r := startRun(t, c)
			awaitMeasuring(t, r)
			if err := unix.Kill(children(t, os.Getpid())[transport], unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			if err := r.Wait(); !errors.Is(err, ErrPeer) || !strings.Contains(err.Error(), transport) || !strings.Contains(err.Error(), "killed") {
				t.Errorf("Wait returned %v", err)
			}
		})
	}
}

func TestSeveralClientsStop(t *testing.T) {
	for _, transport := range Transports() {
		t.Run(transport, func(t *testing.T) {
			c := endless(t, transport)
			c.Clients, c.Inflight = 2, 2
			r := startRun(t, c)
			awaitMeasuring(t, r)
			r.Stop()
			if err := r.Wait(); !errors.Is(err, ErrStopped) {
				t.Errorf("Wait returned %v", err)
			}
			if s := r.Snapshot(); s.State != Stopped || len(s.Cases) != 0 || len(r.Results()) != 0 {
				t.Errorf("an unfinished round of several clients has figures: %+v", s)
			}
		})
	}
}

func TestBenchmarkOfSeveralClientsKilled(t *testing.T) {
	dir := privateTemp(t)
	c := endless(t, "nanorpc", "limit")
	c.Clients = 3
	config, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	benchmark := exec.Command(self(t), asBenchmark, string(config))
	if err := benchmark.Start(); err != nil {
		t.Fatal(err)
	}
	processes := awaitClients(t, benchmark.Process.Pid, 3)
	if err := benchmark.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = benchmark.Wait() // it was killed
	for name, pid := range processes {
		await(t, name+" ends", func() bool { return unix.Kill(pid, 0) == unix.ESRCH || zombie(pid) })
	}
	wantEmpty(t, dir)
}

func TestClientsPinned(t *testing.T) {
	var before unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		t.Fatal(err)
	}
	if before.Count() < 2 {
		t.Skip("takes two CPUs")
	}
	c := endless(t, "nanorpc")
	c.Pin, c.Clients = true, 2
	r := startRun(t, c)
	awaitMeasuring(t, r)
	sets := make(map[string]unix.CPUSet)
	for name, pid := range children(t, os.Getpid()) {
		var set unix.CPUSet
		if err := unix.SchedGetaffinity(pid, &set); err != nil {
			t.Fatal(err)
		}
		sets[name] = set
	}
	server, one, two := sets["nanorpc"], sets["client 1"], sets["client 2"]
	if one != two || one.Count() != 1 || server.Count() != 1 || server == one {
		t.Errorf("pinned to %v", sets)
	}
}

// A client that is told nonsense ends, with an error.
func TestClientOutOfTurn(t *testing.T) {
	argument, err := json.Marshal(processParams{Client: &clientParams{Number: 1, Config: quick(t, "uds")}})
	if err != nil {
		t.Fatal(err)
	}
	if err := RunPeer(t.Context(), string(argument), strings.NewReader(`{"leave":true}`), io.Discard); !errors.Is(err, errOutOfTurn) {
		t.Errorf("RunPeer returned %v", err)
	}
}

func TestFairShareLow(t *testing.T) {
	for _, test := range []struct {
		rates []float64
		want  float64
	}{{[]float64{5, 5}, 1}, {[]float64{1, 3}, 0.5}, {[]float64{0, 4}, 0}, {[]float64{0, 0}, 0}} {
		if got := fairShareLow(test.rates); got != test.want {
			t.Errorf("fairShareLow(%v) = %v", test.rates, got)
		}
	}
}

// One client's long last call must not thin out the calls of the others; where calls are counted it does, as they make no more of them.
func TestGather(t *testing.T) {
	c := quick(t, "uds")
	c.Clients = 2
	samples := make([]clientSample, c.Clients)
	for i, calls := range []int64{300, 100} {
		client := newRound(c, uds, 64)
		if err := client.times.RecordValues(1000, calls); err != nil {
			t.Fatal(err)
		}
		client.errors, client.first = int64(i), "late"
		sample, err := client.clientSample()
		if err != nil {
			t.Fatal(err)
		}
		samples[i] = *sample
		samples[i].ElapsedNS = int64(i+1) * 1e9
	}
	for _, test := range []struct {
		calls int64
		want  float64
	}{{0, 350}, {400, 200}} {
		c.Calls, c.DurationMS = test.calls, 1000
		r := newRound(c, uds, 64)
		if err := r.gather(samples); err != nil {
			t.Fatal(err)
		}
		r.started, r.ended = 1, r.ended+1 // the round has begun
		s := r.sample()
		if s.rate != test.want || s.calls != 400 || s.errors != 1 || s.firstError != "late" || s.fair != 50.0/175 {
			t.Errorf("%d calls counted: %+v", test.calls, s)
		}
	}
	if err := newRound(c, uds, 64).gather([]clientSample{{Times: "noise"}}); !errors.Is(err, ErrPeer) {
		t.Errorf("gather returned %v", err)
	}
}
