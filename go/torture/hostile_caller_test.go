package torture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"sync/atomic"
	"time"

	"nanorpc/go/nanorpc"
)

// honestVariable names the directory of a server that keeps to the protocol.
const honestVariable = "NANORPC_TEST_HONEST"

// trappedTimeout is what calls of a hostile server have: long enough for an answer.
const trappedTimeout = 20 * time.Millisecond

// callTraps calls a hostile server in all ways, over and over, until the standard input ends, and then one that keeps to the protocol. Whatever comes of the calls, each must end.
// It prints how many it has made.
func callTraps(dir string) error {
	ctx := stdinEnds()
	var calls atomic.Int64
	go mustProgress(&calls)
	ready()
	for ctx.Err() == nil {
		dialing, cancel := context.WithTimeout(ctx, time.Second)
		client, err := nanorpc.Dial(dialing, service, nanorpc.WithDirectory(dir))
		cancel()
		calls.Add(1)
		if err != nil {
			continue
		}
		for i := 0; i < 100 && ctx.Err() == nil; i++ {
			err := callTrap(client, i, &calls)
			if errors.Is(err, nanorpc.ErrServerGone) || errors.Is(err, nanorpc.ErrIncompatible) {
				break
			}
		}
		if err := client.Close(); err != nil {
			return err
		}
	}
	// Nothing is left of all these connections: no segment, and no goroutine but those of this function.
	if !within(patience, func() bool { return stateOf(os.Getpid()).segments == 0 && runtime.NumGoroutine() < 10 }) {
		_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
		return fmt.Errorf("%d segments and %d goroutines are left", stateOf(os.Getpid()).segments, runtime.NumGoroutine())
	}
	if err := useOnce(os.Getenv(honestVariable), 0); err != nil {
		return fmt.Errorf("a server that keeps to the protocol: %w", err)
	}
	fmt.Println(calls.Load())
	return nil
}

// mustProgress ends the process if no call ends for long, and says what hangs.
func mustProgress(calls *atomic.Int64) {
	for last := int64(-1); ; {
		time.Sleep(patience)
		now := calls.Load()
		if now == last {
			fmt.Fprintln(os.Stderr, "no call has ended for", patience)
			_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
			os.Exit(1)
		}
		last = now
	}
}

// callTrap makes the i-th call, or some, and returns its error.
func callTrap(client *nanorpc.Client, i int, calls *atomic.Int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), trappedTimeout)
	defer cancel()
	defer calls.Add(1)
	request := make([]byte, []int{0, 16, 224, 225, 5000, 100_000}[i%6])
	switch i % 8 {
	case 0, 1, 2:
		_, err := client.Call(ctx, "echo", request)
		return err
	case 3:
		var all []*nanorpc.Call
		for range 8 {
			all = append(all, client.Go(ctx, "echo", request))
		}
		var failed error
		for _, c := range all {
			_, err := c.Result()
			failed = errors.Join(failed, err)
			calls.Add(1)
		}
		return failed
	case 4:
		batch := client.NewBatch()
		for range 20 {
			batch.Add("echo", request)
		}
		return batch.Do(ctx)
	case 5:
		loan, err := client.Loan(ctx, len(request))
		if err != nil {
			return err
		}
		return readLease(loan.Call(ctx, "echo"))
	case 6:
		return readLease(client.CallLease(ctx, "echo", request))
	default:
		_, err := client.Stats(ctx)
		_, describeErr := client.Describe(ctx)
		return errors.Join(err, describeErr)
	}
}

// readLease reads a reply where it lies, and releases it.
func readLease(lease nanorpc.Lease, err error) error {
	if err != nil {
		return err
	}
	sum := byte(0)
	for _, b := range lease.Bytes() {
		sum += b
	}
	_ = sum
	lease.Release()
	return nil
}
