package nanorpc_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"nanorpc/go/nanorpc"
)

// Calls of a method that takes long run beside each other, also where none of a connection's calls have overlapped before: the server does not know that they will. Each call
// of a pair waits in its handler for the other one.
func TestSlowCallsRunBesideEachOther(t *testing.T) {
	srv, where, _ := startServer(t)
	meeting := make(chan struct{})
	for name, handler := range map[string]nanorpc.Handler{
		"meet": func(ctx context.Context, _ []byte) ([]byte, error) {
			select {
			case meeting <- struct{}{}:
			case <-meeting:
			case <-ctx.Done():
			}
			return nil, ctx.Err()
		},
		"slow": func(context.Context, []byte) ([]byte, error) {
			time.Sleep(200 * time.Microsecond)
			return nil, nil
		},
	} {
		if err := srv.Handle(name, handler); err != nil {
			t.Fatal(err)
		}
	}
	client := dial(t, where)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for range 20 {
		for range 40 { // more than the server remembers that calls have overlapped
			if _, err := client.Call(ctx, "slow", nil); err != nil {
				t.Fatal(err)
			}
		}
		pair := []*nanorpc.Call{client.Go(ctx, "meet", nil), client.Go(ctx, "meet", nil)}
		for _, call := range pair {
			if _, err := call.Result(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if stats, err := client.Stats(ctx); err != nil || method(stats, "meet").InFlight != 0 || method(stats, "slow").Calls != 20*40 {
		t.Errorf("%v, %+v", err, stats.Methods)
	}
	// A call that is given up reaches its handler, though that is what the connection's leader runs.
	given, giveUp := context.WithCancel(ctx)
	lonely := client.Go(given, "meet", nil)
	eventually(t, "the call runs", func() bool {
		stats, err := client.Stats(ctx)
		return err == nil && method(stats, "meet").InFlight == 1
	})
	giveUp()
	if _, err := lonely.Result(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	eventually(t, "its handler has ended", func() bool {
		stats, err := client.Stats(ctx)
		return err == nil && method(stats, "meet").InFlight == 0
	})
}
