package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestResultsMakeSense(t *testing.T) {
	for _, inflight := range []int{1, 3} {
		t.Run(fmt.Sprint("inflight ", inflight), func(t *testing.T) {
			c := quick(t, Transports()...)
			c.Sizes, c.Rounds, c.Inflight = []int{0, 1, 9, 64, 5000, 100_000}, 3, inflight
			var finished []Result
			c.Finished = func(r Result) { finished = append(finished, r) }
			r := runToEnd(t, c)
			results := r.Results()
			if len(results) != len(c.Transports)*len(c.Sizes) {
				t.Fatalf("%d results", len(results))
			}
			if !slices.Equal(finished, results) {
				t.Errorf("Finished got %v, Results returns %v", finished, results)
			}
			for _, r := range results {
				checkResult(t, c, r)
			}
			checkEnd(t, r.Snapshot(), results)
		})
	}
}

func checkResult(t *testing.T, c Config, r Result) {
	t.Helper()
	switch {
	case r.Errors != 0 || r.FirstError != "":
		t.Errorf("%+v: errors", r)
	case r.Calls != c.Calls*int64(c.Rounds) || r.Rounds != c.Rounds || r.Clients != c.Clients || r.Inflight != c.Inflight:
		t.Errorf("%+v: miscounted", r)
	case r.P50NS <= 0 || r.P50NS > r.P99NS || r.P99NS > r.P999NS:
		t.Errorf("%+v: percentiles", r)
	case r.P50LowNS > r.P50NS || r.P50NS > r.P50HighNS:
		t.Errorf("%+v: spread of p50", r)
	case r.MeanNS <= 0 || r.CallsPerS <= 0:
		t.Errorf("%+v: mean and rate", r)
	case r.FairShareLow <= 0 || r.FairShareLow > 1 || c.Clients == 1 && r.FairShareLow != 1:
		t.Errorf("%+v: the clients' shares", r)
	case r.ClientCPUNS < 0 || r.ServerCPUNS < 0:
		t.Errorf("%+v: CPU time", r)
	}
}

func checkEnd(t *testing.T, s Snapshot, results []Result) {
	t.Helper()
	if s.State != Done || s.Error != "" || s.Fraction != 1 || s.ETAS != 0 || s.Current != nil {
		t.Errorf("at the end: %+v", s.Progress)
	}
	if len(s.Cases) != len(results) {
		t.Fatalf("%d cases, %d results", len(s.Cases), len(results))
	}
	for i, c := range s.Cases {
		if c.Result != results[i] {
			t.Errorf("case %+v, result %+v", c.Result, results[i])
		}
		var calls int64
		for _, b := range c.Distribution {
			calls += b.Count
		}
		if calls != c.Calls {
			t.Errorf("%s: %d calls in the distribution, %d in all", c.Transport, calls, c.Calls)
		}
	}
}

func TestDuration(t *testing.T) {
	c := quick(t, "uds", "nanorpc")
	c.Calls, c.DurationMS, c.Inflight = 0, 20, 2
	r := runToEnd(t, c)
	for _, r := range r.Results() {
		if r.Calls == 0 || r.Errors != 0 {
			t.Errorf("%+v", r)
		}
	}
}

func TestMoreCallersThanCalls(t *testing.T) {
	c := quick(t, "uds")
	c.Calls, c.Inflight = 2, 5
	r := runToEnd(t, c)
	if got := r.Results()[0]; got.Calls != 2 || got.Errors != 0 {
		t.Errorf("%+v", got)
	}
}

func TestSpinPolicies(t *testing.T) {
	for _, spin := range []string{"adaptive", "busy", "none"} {
		t.Run(spin, func(t *testing.T) {
			c := quick(t, "nanorpc")
			c.Spin = spin
			checkResult(t, c, runToEnd(t, c).Results()[0])
		})
	}
}

func TestWrongRepliesAreErrors(t *testing.T) {
	const warmUps = 20 // the warm-up of a Config with counted calls makes as many
	for transport, want := range map[string]int64{flipsBits: 20, cutsShort: 40, isStale: 39} {
		t.Run(transport, func(t *testing.T) {
			c := quick(t, transport)
			got := runToEnd(t, c).Results()[0]
			if got.Errors < want-warmUps || got.Errors > want || got.Calls != c.Calls {
				t.Errorf("%+v, want up to %d errors", got, want)
			}
			if !strings.Contains(got.FirstError, "wrong reply") {
				t.Errorf("first error %q", got.FirstError)
			}
		})
	}
}

func TestFailedCallEndsTheRoundOnly(t *testing.T) {
	c := quick(t, breaksDown, "uds")
	c.Rounds = 2
	r := runToEnd(t, c)
	results := r.Results()
	if got := results[0]; got.Errors != 2 || got.Calls != 0 || got.FirstError != errBreakdown.Error() || got.P50NS != 0 {
		t.Errorf("%+v", got)
	}
	checkResult(t, c, results[1])
}

// awaitData waits until the run has measured calls of a transport, and returns the snapshot that shows them.
func awaitData(t *testing.T, r *Run, transport string) Snapshot {
	t.Helper()
	var s Snapshot
	await(t, "data of "+transport, func() bool {
		s = r.Snapshot()
		if s.State != Running {
			t.Fatalf("the run ended: %v", r.Wait())
		}
		return slices.ContainsFunc(s.Cases, func(c Case) bool { return c.Transport == transport && c.Calls > 0 })
	})
	return s
}

func TestPeerKilled(t *testing.T) {
	for _, transport := range Transports() {
		t.Run(transport, func(t *testing.T) {
			r := startRun(t, endless(t, transport))
			awaitData(t, r, transport)
			if err := unix.Kill(children(t, os.Getpid())[transport], unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			err := r.Wait()
			if !errors.Is(err, ErrPeer) || !strings.Contains(err.Error(), transport) || !strings.Contains(err.Error(), "killed") {
				t.Errorf("Wait returned %v", err)
			}
			if s := r.Snapshot(); s.State != Failed || s.Error != err.Error() {
				t.Errorf("%+v", s.Progress)
			}
		})
	}
}

func TestIdlePeerKilled(t *testing.T) {
	r := startRun(t, endless(t, "limit", "uds"))
	awaitData(t, r, "limit")
	if err := unix.Kill(children(t, os.Getpid())["uds"], unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := r.Wait(); !errors.Is(err, ErrPeer) || !strings.Contains(err.Error(), "uds") {
		t.Errorf("Wait returned %v", err)
	}
}

func TestBenchmarkKilled(t *testing.T) {
	dir := privateTemp(t)
	config, err := json.Marshal(endless(t, Transports()...))
	if err != nil {
		t.Fatal(err)
	}
	benchmark := exec.Command(self(t), asBenchmark, string(config))
	if err := benchmark.Start(); err != nil {
		t.Fatal(err)
	}
	var peers map[string]int
	await(t, "all peers run", func() bool {
		peers = children(t, benchmark.Process.Pid)
		return len(peers) == len(Transports())
	})
	if err := benchmark.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = benchmark.Wait() // it was killed
	for transport, pid := range peers {
		await(t, "the peer of "+transport+" ends", func() bool { return unix.Kill(pid, 0) == unix.ESRCH || zombie(pid) })
	}
	wantEmpty(t, dir)
}

// zombie reports whether a process has ended and init has not noticed: there may be none in a container.
func zombie(pid int) bool {
	_, err := os.Readlink(procPath(pid, "exe"))
	return err != nil
}

func TestStop(t *testing.T) {
	for _, transport := range Transports() {
		t.Run(transport, func(t *testing.T) {
			c := endless(t, transport)
			c.Inflight = 2
			r := startRun(t, c)
			s := awaitData(t, r, transport)
			if s.Current == nil || s.Current.Transport != transport || s.Current.Round != 1 || s.Fraction <= 0 || s.ETAS <= 0 {
				t.Errorf("while running: %+v", s.Progress)
			}
			if got := s.Cases[0]; got.Rounds != 0 || got.P50NS <= 0 || got.CallsPerS <= 0 || len(got.Distribution) == 0 {
				t.Errorf("while running: %+v", got)
			}
			r.Stop()
			if err := r.Wait(); !errors.Is(err, ErrStopped) {
				t.Errorf("Wait returned %v", err)
			}
			after := r.Snapshot()
			if after.State != Stopped || after.Error != "" || after.Current != nil {
				t.Errorf("after Stop: %+v", after.Progress)
			}
			if len(after.Cases) != 1 || after.Cases[0].Calls < s.Cases[0].Calls || after.Cases[0].Rounds != 0 || after.Cases[0].Errors != 0 {
				t.Errorf("what was measured before Stop has not stayed: %+v", after.Cases)
			}
			if results := r.Results(); len(results) != 0 {
				t.Errorf("an unfinished round is a result: %+v", results)
			}
		})
	}
}

func TestContextStops(t *testing.T) {
	privateTemp(t)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := Start(ctx, endless(t, "limit"))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := r.Wait(); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait returned %v", err)
	}
	if got := r.Progress().State; got != Stopped {
		t.Errorf("state %s", got)
	}
}

func TestSnapshotJSON(t *testing.T) {
	c := quick(t, "uds")
	r := runToEnd(t, c)
	text, err := json.Marshal(r.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	var snapshot map[string]any
	if err := json.Unmarshal(text, &snapshot); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, snapshot, "state", "error", "fraction", "elapsed_s", "eta_s", "current", "cases")
	row := snapshot["cases"].([]any)[0].(map[string]any)
	wantKeys(t, row, "transport", "size_bytes", "clients", "fair_share_low", "inflight", "calls", "mean_ns", "p50_ns", "p99_ns", "p999_ns", "calls_per_s",
		"errors", "client_cpu_ns", "server_cpu_ns", "rounds", "p50_low_ns", "p50_high_ns", "round_p50_ns", "distribution")
	if bucket := row["distribution"].([]any)[0].([]any); len(bucket) != 2 {
		t.Errorf("a bucket is %v", bucket)
	}

	empty, err := json.Marshal(Snapshot{Cases: []Case{}})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(empty), `"current":null,"cases":[]`) {
		t.Errorf("an empty snapshot is %s", empty)
	}
}

func wantKeys(t *testing.T, object map[string]any, want ...string) {
	t.Helper()
	var got []string
	for key := range object {
		got = append(got, key)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("keys %v, want %v", got, want)
	}
}

func TestPin(t *testing.T) {
	var before, after unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		t.Fatal(err)
	}
	if before.Count() < 2 {
		t.Skip("takes two CPUs")
	}
	c := endless(t, "limit")
	c.Pin = true
	r := startRun(t, c)
	awaitData(t, r, "limit")
	var client, peer unix.CPUSet
	if err := errors.Join(unix.SchedGetaffinity(0, &client), unix.SchedGetaffinity(children(t, os.Getpid())["limit"], &peer)); err != nil {
		t.Fatal(err)
	}
	if client.Count() != 1 || peer.Count() != 1 || client == peer {
		t.Errorf("pinned to %v and %v", client, peer)
	}
	r.Stop()
	if err := r.Wait(); !errors.Is(err, ErrStopped) {
		t.Fatal(err)
	}
	if err := unix.SchedGetaffinity(0, &after); err != nil {
		t.Fatal(err)
	}
	if after != before {
		t.Error("the CPU affinity was not restored")
	}
}
