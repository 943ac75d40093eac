package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nanorpc/go/internal/failpoint"
	"nanorpc/go/internal/wire"
	"nanorpc/go/nanorpc"
)

// TestNoReplyOfAnotherCall has many callers give up calls whose replies come late, or at the same moment. With the tag failpoints the generations of their slots wrap round early on, and
// chance decides when anything happens.
func TestNoReplyOfAnotherCall(t *testing.T) {
	const full, wrapAfter = 10_000_000, 100
	r := begin(t, "late replies", "calls", full)
	total := size(full, 20_000)
	dir := t.TempDir()
	start(t, "server", dir, "NANORPC_CHANCE=1")
	client := launch(t, "late", dir, "NANORPC_CHANCE=1", fmt.Sprintf("%s=%d", numberVariable, total),
		fmt.Sprintf("NANORPC_GENERATION=%d", wire.GenerationMask-wrapAfter))
	for made := 0; made < total; {
		n := 0
		if _, err := fmt.Fscanln(client.stdout, &n); err != nil {
			r.lose("after %d calls: %v: %s", made, err, client.stderr.String())
			return
		}
		made += n
		r.tried(n, total)
	}
	var late int
	if _, err := fmt.Fscanln(client.stdout, &late); err != nil || !client.wait() || client.err != nil {
		r.lose("%v, %v: %s", err, client.err, client.stderr.String())
	}
	if late == 0 || late == total {
		t.Errorf("of %d calls %d timed out: that tries nothing", total, late)
	}
	r.note("%d timed out; generations that wrap round: %v", late, failpoint.Enabled)
}

// callTooLate makes calls with deadlines of about the time that they take. It prints how many it has made, and at last how many have timed out.
func callTooLate(dir string) error {
	calls, err := strconv.ParseInt(os.Getenv(numberVariable), 10, 64)
	if err != nil {
		return err
	}
	client, err := nanorpc.Dial(context.Background(), service, nanorpc.WithDirectory(dir))
	if err != nil {
		return err
	}
	defer client.Close()
	const callers, told = 32, 5000
	var next, done, late atomic.Int64
	failures := make(chan error, callers)
	var printing sync.Mutex
	for g := range callers {
		go func() {
			rng := rand.New(rand.NewPCG(rand.Uint64(), uint64(g)))
			for id := next.Add(1); id <= calls; id = next.Add(1) {
				gaveUp, err := callInTime(client, rng, uint64(id))
				if err != nil {
					failures <- fmt.Errorf("call %d: %w", id, err)
					return
				}
				if gaveUp {
					late.Add(1)
				}
				if n := done.Add(1); n%told == 0 || n == calls {
					printing.Lock()
					fmt.Println((n-1)%told + 1)
					printing.Unlock()
				}
			}
			failures <- nil
		}()
	}
	for range callers {
		err = errors.Join(err, <-failures)
	}
	fmt.Println(late.Load())
	return err
}

// callInTime makes a call whose reply may come too late, and reports whether it has given it up.
func callInTime(client *nanorpc.Client, rng *rand.Rand, id uint64) (gaveUp bool, err error) {
	size := minLetter + rng.IntN(100)
	if rng.IntN(4) == 0 {
		size += rng.IntN(5000) // not in its slot
	}
	delay := time.Duration(max(rng.IntN(600)-300, 0)) * time.Microsecond
	request := seal(make([]byte, size), id, delay, rng)
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(5+rng.IntN(500))*time.Microsecond)
	defer cancel()
	var reply []byte
	if rng.IntN(4) == 0 {
		reply, err = client.Go(ctx, "late", request).Result()
	} else {
		reply, err = client.Call(ctx, "late", request)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if string(reply) != string(request) {
		return false, fmt.Errorf("the reply of another call, of %d bytes: %.32x for %.32x", len(reply), reply, request)
	}
	return false, nil
}
