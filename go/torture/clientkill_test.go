package torture

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"nanorpc/go/internal/endpoint"
	"nanorpc/go/internal/failpoint"
	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/link"
	"nanorpc/go/internal/trial"
	"nanorpc/go/internal/wire"
	"nanorpc/go/nanorpc"
)

// TestClientKilled kills clients at every point that a client comes to, beside others that check what they get.
func TestClientKilled(t *testing.T) {
	if !failpoint.Enabled {
		t.Skip("built without the tag failpoints")
	}
	const full, bystanders, grown = 1000, 8, 16 << 20
	points := failpoint.ClientPoints()
	r := begin(t, "client killed", "kills", full)
	dir := t.TempDir()
	server := start(t, "server", dir)
	pid := server.Process.Pid
	if err := useOnce(dir, 0); err != nil {
		t.Fatal(err)
	}
	idle := settled(pid)
	shared := sharedMemory(t)
	if idle.segments != 0 {
		t.Fatalf("without clients the server has %d segments mapped", idle.segments)
	}

	others := make([]*child, bystanders)
	for i := range others {
		others[i] = start(t, "bystander", dir)
	}
	before, memory := settled(pid), ownMemory(t, pid)
	var took []time.Duration
	total := size(full, len(points))
	for i := range total {
		point := points[i%len(points)]
		killed, err := launch(t, "victim", dir, fmt.Sprintf("%s=%s:%d", pointVariable, point, hits(point))).diedAt(point)
		r.tried(1, total)
		if err != nil {
			r.lose("kill %d: %v", i, err)
			continue
		}
		if !within(patience, func() bool { return stateOf(pid) == before }) {
			r.lose("kill at %s: the server has %+v, and had %+v", point, stateOf(pid), before)
			before = settled(pid)
		}
		took = append(took, time.Duration(monotonic()-killed))
	}
	r.took("until the server has what it had", took, 50*time.Millisecond, patience)
	if after := ownMemory(t, pid); after > memory+grown {
		r.lose("the server's memory has grown from %d to %d bytes", memory, after)
	} else {
		r.note("%d points; the server's memory changed by %d KiB", len(points), (after-memory)>>10)
	}
	calls := 0
	for _, c := range others {
		c.stdin.Close()
		n := 0
		if _, err := fmt.Fscan(c.stdout, &n); err != nil || !c.wait() || c.err != nil {
			r.lose("a bystander: %v, %v, %s", err, c.err, c.stderr.String())
		}
		calls += n
	}
	r.note("%d bystanders made %d calls", bystanders, calls)
	if !within(patience, func() bool { return stateOf(pid) == idle }) {
		r.lose("without clients the server has %+v, and had %+v", stateOf(pid), idle)
	}
	if n := names(t); n > 0 {
		r.lose("%d files are left in /dev/shm", n)
	}
	// What other programs take meanwhile is not to fail the small form.
	if trial.Share() > 0 && !within(patience, func() bool { return sharedMemory(t) <= shared }) {
		r.lose("of /dev/shm %d bytes were taken, and are %d", shared, sharedMemory(t))
	}
}

// hits returns which of a client's hits of a point is to kill it.
func hits(p failpoint.Point) int {
	switch p {
	case failpoint.TrimBefore, failpoint.TrimTaken:
		return 1 // there is one in a second
	case failpoint.DialConnected, failpoint.DialHelloSent, failpoint.DialWelcomeReceived, failpoint.DialMapped,
		failpoint.CloseBegun, failpoint.CloseUnmapping, failpoint.SlotPagesBefore, failpoint.SlotPagesTaken:
		return 1 + rand.IntN(3)
	}
	return 1 + rand.IntN(10)
}

// settled returns the state of a process once it stays the same for some time.
func settled(pid int) state {
	last, since := stateOf(pid), time.Now()
	for time.Since(since) < 200*time.Millisecond {
		time.Sleep(5 * time.Millisecond)
		if now := stateOf(pid); now != last {
			last, since = now, time.Now()
		}
	}
	return last
}

// standBy calls with payloads of all sizes, and checks what it gets, until the standard input ends. It prints how many calls it has made.
func standBy(dir string) error {
	ctx := stdinEnds()
	client, err := nanorpc.Dial(context.Background(), service, nanorpc.WithDirectory(dir))
	if err != nil {
		return err
	}
	defer client.Close()
	rng := rand.New(rand.NewPCG(uint64(os.Getpid()), 0))
	payload := make([]byte, 1<<18)
	for i := range payload {
		payload[i] = byte(rng.Uint32())
	}
	ready()
	calls := 0
	for ; ctx.Err() == nil; calls += 2 {
		size := rng.IntN(1 << rng.IntN(19))
		at := rng.IntN(len(payload) - size)
		request := payload[at : at+size]
		digest := sha256.Sum256(request)
		if err := expect(client, "echo", request, request); err != nil {
			return fmt.Errorf("call %d: %w", calls, err)
		}
		if err := expect(client, "sha256", request, digest[:]); err != nil {
			return fmt.Errorf("call %d: %w", calls, err)
		}
		time.Sleep(time.Duration(rng.IntN(2000)) * time.Microsecond) // so that eight of them leave the CPUs to others
	}
	fmt.Println(calls)
	return nil
}

// expect makes a call and compares the reply.
func expect(client *nanorpc.Client, method string, request, want []byte) error {
	reply, err := client.Call(context.Background(), method, request)
	if err != nil {
		return fmt.Errorf("%s of %d bytes: %w", method, len(request), err)
	}
	if !bytes.Equal(reply, want) {
		return fmt.Errorf("%s of %d bytes: another reply, of %d bytes", method, len(request), len(reply))
	}
	return nil
}

// useEverything comes to all points of a client, until it dies.
func useEverything(dir string) error {
	rest := time.Duration(0)
	if p := os.Getenv(pointVariable); slices.Contains([]string{"trim-before:1", "trim-taken:1"}, p) {
		rest = 1500 * time.Millisecond
	}
	for {
		if err := useOnce(dir, rest); err != nil {
			return err
		}
		if err := askForNotice(dir); err != nil {
			return err
		}
	}
}

// useOnce connects, uses what a client has, and closes. With a rest it rests so long after what has taken memory.
func useOnce(dir string, rest time.Duration) error {
	client, err := nanorpc.Dial(context.Background(), service, nanorpc.WithDirectory(dir))
	if err != nil {
		return err
	}
	defer client.Close()
	rng := rand.New(rand.NewPCG(rand.Uint64(), 0))
	small := seal(make([]byte, 64), rng.Uint64(), 200*time.Microsecond, rng)
	large := seal(make([]byte, 100_000), rng.Uint64(), 0, rng)
	huge := make([]byte, 3<<20)
	for range 3 {
		err = errors.Join(err,
			expect(client, "echo", small, small), expect(client, "late", small, small),
			expect(client, "echo", large, large), expect(client, "late", large, large))
	}
	if err == nil {
		err = expect(client, "echo", huge, huge)
	}
	if rest > 0 && err == nil {
		err = expect(client, "echo", small, small) // the server frees the last reply
		time.Sleep(rest)
	}
	if err != nil {
		return err
	}
	batch := client.NewBatch()
	for range 20 {
		batch.Add("echo", small)
	}
	if err := batch.Do(context.Background()); err != nil {
		return err
	}
	var calls []*nanorpc.Call
	for range 5 {
		calls = append(calls, client.Go(context.Background(), "late", small))
	}
	for _, c := range calls {
		if _, err := c.Result(); err != nil {
			return err
		}
	}
	late := seal(make([]byte, 1000), rng.Uint64(), 3*time.Millisecond, rng)
	for range 3 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		_, err := client.Call(ctx, "late", late)
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
	return nil
}

// askForNotice connects and makes calls as an event loop does, which asks for notice of the reply once that does not come at once.
func askForNotice(dir string) error {
	rng := rand.New(rand.NewPCG(rand.Uint64(), 0))
	request := seal(make([]byte, 64), rng.Uint64(), 200*time.Microsecond, rng)
	client, err := endpoint.Dial(context.Background(), dir, service, futex.Adaptive)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Hold(); err != nil {
		return err
	}
	defer client.Unhold()
	notices := client.Notices()
	for range 3 {
		slot, err := client.Acquire(link.Wait{})
		if err != nil {
			return err
		}
		defer client.Release(slot)
		copy(client.Bytes(client.Inline(slot), len(request)), request)
		client.Submit(slot, link.Submission{Method: wire.MethodID("late"), Length: len(request)})
		for !client.AskForNotice(slot) {
			if _, err := notices.Wait(); err != nil {
				return err
			}
		}
	}
	return nil
}
