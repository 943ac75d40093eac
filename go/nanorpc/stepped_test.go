//go:build amd64 && !race

package nanorpc_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"nanorpc/go/internal/steps"
	"nanorpc/go/nanorpc"
)

// attempts is how often a count is tried. One fails where the thread that is stepped needs another one after all: when Go's runtime has moved the goroutine that leads
// the connection, or the server, seeing a handler run for so long, has another thread lead.
const attempts = 10

// attempt counts until that has not failed, and skips the test where no process may trace another.
func attempt(t *testing.T, count func(t *testing.T) ([]steps.Region, error)) []steps.Region {
	t.Helper()
	for n := 1; ; n++ {
		regions, err := count(t)
		switch {
		case errors.Is(err, unix.EPERM):
			t.Skip("no process may trace another here:", err)
		case err == nil:
			return regions
		case n == attempts:
			t.Fatal(err)
		}
		t.Log(err)
	}
}

// stay has Go leave a goroutine that never blocks on its thread: no garbage is collected, and no other thread runs goroutines.
var stay = []string{"GOGC=off", "GOMAXPROCS=1"}

func withVariables(variables ...string) func(*exec.Cmd) {
	return func(c *exec.Cmd) { c.Env = append(c.Env, variables...) }
}

// stepClient counts what a client executes for an operation, n times, while its server waits with a spin policy.
func stepClient(t *testing.T, spin, name string, size, n int) []steps.Region {
	t.Helper()
	return attempt(t, func(t *testing.T) ([]steps.Region, error) {
		dir := t.TempDir()
		server := startRole(t, steppedServer, dir, withVariables(spinVariable+"="+spin))
		client := startRole(t, steppedClient, dir, withVariables(stay...))
		return stepOperation(t, server, client, name, size, n)
	})
}

// stepOperation has a client, which reads what callWithMarks reads, do an operation n times, and counts.
func stepOperation(t *testing.T, server, client *child, name string, size, n int) ([]steps.Region, error) {
	t.Helper()
	if _, err := fmt.Fprintln(client.stdin, name, size, n); err != nil {
		t.Fatal(err)
	}
	var thread int
	if _, err := fmt.Fscanln(client.stdout, &thread); err != nil {
		_ = client.Wait()
		t.Fatal(err, client.stderr.String())
	}
	return steps.Count(client.Process.Pid, thread, n, func() { _, _ = fmt.Fprintln(server.stdin) })
}

// stepServer counts what a server executes for a call, from handler to handler, n times, while its client waits with a spin policy. batched calls are published
// together.
func stepServer(t *testing.T, spin nanorpc.SpinPolicy, method string, size, n int, batched bool) []steps.Region {
	t.Helper()
	return attempt(t, func(t *testing.T) ([]steps.Region, error) {
		dir := t.TempDir()
		return stepHandlers(t, startRole(t, steppedServer, dir, withVariables(stay...)), dir, spin, method, size, n, batched)
	})
}

// stepHandlers is stepServer for a server that has been started.
func stepHandlers(t *testing.T, server *child, dir string, spin nanorpc.SpinPolicy, method string, size, n int, batched bool) ([]steps.Region, error) {
	t.Helper()
	client := dial(t, nanorpc.WithDirectory(dir), nanorpc.WithSpin(spin))
	ctx := context.Background()
	request, reply := make([]byte, size), make([]byte, 0, size)
	call := func(mark byte) (err error) {
		request[0] = mark
		reply, err = client.AppendCall(ctx, reply[:0], method, request)
		return err
	}
	for range warmUp {
		if err := call(unmarked); err != nil {
			t.Fatal(err)
		}
	}
	if err := call(whoseAsk); err != nil {
		t.Fatal(err)
	}
	thread := int(binary.LittleEndian.Uint64(reply))
	var stopped atomic.Bool
	var caller sync.WaitGroup
	defer caller.Wait()
	caller.Go(func() {
		for !stopped.Load() {
			if call(unmarked) != nil {
				return // the count has failed
			}
		}
		for range settled {
			if call(unmarked) != nil {
				return
			}
		}
		if !batched {
			for range n + 1 {
				if call(marked) != nil {
					return
				}
			}
			return
		}
		request[0] = marked
		batch := client.NewBatch()
		for range n + 1 {
			batch.Add(method, request)
		}
		_ = batch.Do(ctx)
	})
	return steps.Count(server.Process.Pid, thread, n, func() { stopped.Store(true) })
}

// settled is how many calls come before the first mark once all other threads stand still: the stop takes so long that the leader may have slept, and times the next call. One
// that is stopped at a mark meanwhile is slow, and its method runs elsewhere from then on.
const settled = 100

// least counts until there has been a region that has not waited for the peer, and returns the one with the fewest steps. Others have done more than a call takes: now and then the
// server reads the clock, for its statistics.
func least(t *testing.T, count func() []steps.Region) steps.Region {
	t.Helper()
	for range tries {
		prompt := slices.DeleteFunc(count(), func(r steps.Region) bool { return r.Pauses > 0 })
		if len(prompt) > 0 {
			return slices.MinFunc(prompt, func(a, b steps.Region) int { return a.Steps - b.Steps })
		}
	}
	t.Fatal("the peer has never answered in time")
	return steps.Region{}
}
