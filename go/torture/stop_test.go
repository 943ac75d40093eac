package torture

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nanorpc/go/internal/trial"
	"nanorpc/go/nanorpc"
)

const (
	deadlineLimit = 20 * time.Millisecond // how late a deadline may be
	stopLanes     = 10                    // pairs of processes that are stopped side by side
)

// stop is when a process was stopped, in ns of CLOCK_MONOTONIC.
type stop struct{ from, to int64 }

// stopFor stops a process for a time that chance decides.
func stopFor(t testing.TB, pid int) stop {
	t.Helper()
	length := 100*time.Millisecond + time.Duration(rand.Int64N(int64(4900*time.Millisecond)))
	if trial.Share() == 0 {
		length = 100*time.Millisecond + time.Duration(rand.Int64N(int64(100*time.Millisecond)))
	}
	s := stop{from: monotonic()}
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		t.Error(err)
	}
	time.Sleep(length)
	if !isStopped(pid) {
		t.Error("it has not been stopped")
	}
	s.to = monotonic()
	if err := unix.Kill(pid, unix.SIGCONT); err != nil {
		t.Error(err)
	}
	return s
}

// expiry is a call that has ended with its deadline.
type expiry struct{ deadline, ended int64 }

// late returns how late the call has ended, of a process that was stopped now and then: it ends no sooner than that goes on.
func (e expiry) late(stops []stop) time.Duration {
	due := e.deadline
	for _, s := range stops {
		if s.from-int64(deadlineLimit) <= e.deadline && e.deadline <= s.to && e.ended >= s.to {
			due = s.to
		}
	}
	return time.Duration(e.ended - due)
}

// callers call one server until the context ends: some without a deadline, which are never to fail, and some with one.
func callers(ctx context.Context, client *nanorpc.Client, expired func(expiry)) error {
	failures := make(chan error, 6)
	for g := range cap(failures) {
		go func() {
			rng := rand.New(rand.NewPCG(rand.Uint64(), uint64(g)))
			var err error
			for n := uint64(0); ctx.Err() == nil && err == nil; n++ {
				request := seal(make([]byte, minLetter+rng.IntN(1000)), n<<8|uint64(g), 0, rng)
				if g < 4 {
					err = expect(client, "echo", request, request)
					time.Sleep(time.Duration(rng.IntN(2000)) * time.Microsecond)
				} else {
					err = callUntil(client, seal(request, n<<8|uint64(g), 150*time.Millisecond, rng), 10+rng.IntN(190), expired)
				}
			}
			failures <- err
		}()
	}
	var err error
	for range cap(failures) {
		err = errors.Join(err, <-failures)
	}
	return err
}

// callUntil makes a call with a deadline of some ms, which it may miss.
func callUntil(client *nanorpc.Client, request letter, wait int, expired func(expiry)) error {
	// Both clocks are read at once: the runtime's is CLOCK_MONOTONIC as well.
	deadline := monotonic() + int64(wait)*int64(time.Millisecond)
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(wait)*time.Millisecond)
	defer cancel()
	reply, err := client.Call(ctx, "late", request)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		expired(expiry{deadline, monotonic()})
		return nil
	case err != nil:
		return err
	case string(reply) != string(request):
		return fmt.Errorf("the reply of another call: %x for %x", reply[:16], request[:16])
	}
	return nil
}

// TestServerStopped stops servers, of which clients ask things meanwhile.
func TestServerStopped(t *testing.T) {
	const full = 200
	r := begin(t, "server stopped", "stops", full)
	stopBesides(t, r, full, func(dir string, stops int, tried func()) (all []stop, expired []expiry) {
		server := start(t, "server", dir)
		client := mustDial(t, nanorpc.WithDirectory(dir))
		defer client.Close()
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		var mu sync.Mutex
		go func() {
			ended <- callers(ctx, client, func(e expiry) {
				mu.Lock()
				defer mu.Unlock()
				expired = append(expired, e)
			})
		}()
		for range stops {
			time.Sleep(time.Duration(50+rand.IntN(100)) * time.Millisecond)
			stopFor(t, server.Process.Pid)
			tried()
		}
		cancel()
		if err := <-ended; err != nil {
			r.lose("a call: %v", err)
		}
		return nil, expired // the client itself was never stopped
	})
}

// TestClientStopped stops clients in the middle of their calls.
func TestClientStopped(t *testing.T) {
	const full = 200
	r := begin(t, "client stopped", "stops", full)
	stopBesides(t, r, full, func(dir string, stops int, tried func()) (all []stop, expired []expiry) {
		start(t, "server", dir)
		client := start(t, "stopped", dir)
		for range stops {
			time.Sleep(time.Duration(50+rand.IntN(100)) * time.Millisecond)
			all = append(all, stopFor(t, client.Process.Pid))
			tried()
		}
		client.stdin.Close()
		for {
			var e expiry
			if _, err := fmt.Fscanln(client.stdout, &e.deadline, &e.ended); err == io.EOF {
				break
			} else if err != nil {
				t.Error(err)
				break
			}
			expired = append(expired, e)
		}
		if !client.wait() || client.err != nil {
			r.lose("the client: %v: %s", client.err, client.stderr.String())
		}
		return all, expired
	})
}

// stopBesides has lanes of one client and one server each side by side, and checks how late their deadlines were.
func stopBesides(t *testing.T, r *row, full int, lane func(dir string, stops int, tried func()) ([]stop, []expiry)) {
	t.Helper()
	total := size(full, 4)
	lanes := min(stopLanes, total)
	if trial.Share() == 0 {
		lanes = 2
	}
	var mu sync.Mutex
	var took []time.Duration
	var wait sync.WaitGroup
	for i := range lanes {
		dir := t.TempDir()
		wait.Go(func() {
			stops, expired := lane(dir, (total+i)/lanes, func() { r.tried(1, total) })
			mu.Lock()
			defer mu.Unlock()
			for _, e := range expired {
				late := e.late(stops)
				if late < -deadlineLimit {
					r.lose("a call ended %v before its deadline", -late)
				}
				took = append(took, max(late, -late))
			}
		})
	}
	wait.Wait()
	r.took("distance from the deadline", took, deadlineLimit, time.Second)
	r.note("%d side by side", lanes)
}

// callWithDeadlines prints the deadlines that calls have ended with, and when they have, until the standard input ends.
func callWithDeadlines(dir string) error {
	ctx := stdinEnds()
	client, err := nanorpc.Dial(context.Background(), service, nanorpc.WithDirectory(dir))
	if err != nil {
		return err
	}
	defer client.Close()
	var mu sync.Mutex
	out := bufio.NewWriter(os.Stdout) // at the end: the test reads it then
	defer out.Flush()
	first := false
	expired := func(e expiry) {
		mu.Lock()
		defer mu.Unlock()
		first = true
		fmt.Fprintln(out, e.deadline, e.ended)
	}
	// Of the calls that meet a stop most get their replies, which have come meanwhile: with few stops it may be all. So one misses its deadline before.
	rng := rand.New(rand.NewPCG(rand.Uint64(), 0))
	for !first {
		if err := callUntil(client, seal(make([]byte, minLetter), 0, 150*time.Millisecond, rng), 10, expired); err != nil {
			return err
		}
	}
	ready()
	return callers(ctx, client, expired)
}
