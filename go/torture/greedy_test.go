package torture

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"nanorpc/go/internal/trial"
	"nanorpc/go/nanorpc"
)

// What the server of the greedy client allows.
const (
	greedyConnections = 32 // of its user, of which one is another client's
	greedyArena       = 4 << 20
	greedyEach        = 8   // handlers at once for one connection
	greedyTotal       = 300 // for all, so that the greedy client's 31 connections do not get all places
)

// TestGreedyClient has a client take all that it can get, until it is refused, and give nothing back: connections, slots, handlers, loans and leases. Another client calls before that, and beside it.
func TestGreedyClient(t *testing.T) {
	const full = 50
	r := begin(t, "greedy client", "times", full)
	dir := t.TempDir()
	where := nanorpc.WithDirectory(dir)
	server := start(t, "frugal", dir)
	bystander := mustDial(t, where)
	defer bystander.Close()
	mustWork := func() []time.Duration {
		t.Helper()
		took, err := timeCalls(bystander)
		if err != nil {
			r.lose("the bystander: %v", err)
		}
		return took
	}
	mustWork()
	idle := settled(server.Process.Pid)
	total := size(full, 2)
	var ratios []float64
	for range total {
		alone := p99(mustWork())
		greedy := launch(t, "greedy", dir)
		line, err := greedy.stdout.ReadString('\n')
		if err != nil {
			greedy.kill()
			t.Fatalf("%v: %s", err, greedy.stderr.String())
		}
		if want := fmt.Sprintf("%d connections\n", greedyConnections-1); line != want {
			r.lose("it got %q", line)
		}
		ratios = append(ratios, float64(p99(mustWork()))/float64(alone))
		greedy.kill()
		if !within(patience, func() bool { return stateOf(server.Process.Pid) == idle }) {
			r.lose("the server has %+v, and had %+v", stateOf(server.Process.Pid), idle)
		}
		r.tried(1, total)
	}
	slices.Sort(ratios)
	median := ratios[len(ratios)/2]
	r.note("the bystander's p99 beside it, as a multiple of that before: median %.2f, from %.2f to %.2f", median, ratios[0], ratios[len(ratios)-1])
	if trial.Share() > 0 && total >= 10 && median > 2 {
		r.lose("the bystander's p99 beside it is %.2f times that before", median)
	}
}

// timeCalls makes calls and returns how long they took.
func timeCalls(client *nanorpc.Client) ([]time.Duration, error) {
	const calls = 20_000
	took := make([]time.Duration, 0, calls)
	request := make([]byte, 64)
	var reply []byte
	var err error
	for range calls {
		begin := time.Now()
		if reply, err = client.AppendCall(context.Background(), reply[:0], "echo", request); err != nil {
			return took, err
		}
		took = append(took, time.Since(begin))
	}
	return took, expect(client, "echo", make([]byte, 1<<20), make([]byte, 1<<20))
}

func p99(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)*99/100]
}

// serveFrugally is serve with quotas.
func serveFrugally(dir string) error {
	return serve(dir, nanorpc.WithArena(greedyArena), nanorpc.WithMaxPayload(greedyArena), nanorpc.WithMaxConnectionsPerUser(greedyConnections),
		nanorpc.WithMaxConcurrency(greedyTotal), nanorpc.WithMaxConcurrencyPerConnection(greedyEach))
}

// takeEverything connects until it is refused, takes all of each connection, prints how many there are, and keeps it all until it is killed.
func takeEverything(dir string) error {
	var kept []any
	for connections := 0; ; connections++ {
		client, err := nanorpc.Dial(context.Background(), service, nanorpc.WithDirectory(dir))
		if errors.Is(err, nanorpc.ErrExhausted) && strings.Contains(err.Error(), "connections to this service") {
			fmt.Println(connections, "connections")
			break
		}
		if err != nil {
			return err
		}
		all, err := takeConnection(client)
		if err != nil {
			return err
		}
		kept = append(kept, client, all)
	}
	<-make(chan struct{})
	return fmt.Errorf("it has given %d things back", len(kept))
}

// takeConnection takes all leases and loans for which there is room, and all slots that are left for calls that do not end.
func takeConnection(client *nanorpc.Client) (kept []any, err error) {
	soon := func() (context.Context, context.CancelFunc) {
		return context.WithTimeout(context.Background(), 20*time.Millisecond)
	}
	const large = greedyArena / 4
	for {
		ctx, cancel := soon()
		lease, err := client.CallLease(ctx, "echo", make([]byte, large))
		cancel()
		if errors.Is(err, nanorpc.ErrExhausted) || errors.Is(err, nanorpc.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return nil, err
		}
		kept = append(kept, lease)
	}
	for {
		ctx, cancel := soon()
		loan, err := client.Loan(ctx, large)
		cancel()
		if errors.Is(err, nanorpc.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return nil, err
		}
		kept = append(kept, loan)
	}
	for range 300 { // more than there are slots
		kept = append(kept, client.Go(context.Background(), "wait", nil))
	}
	return kept, nil
}
