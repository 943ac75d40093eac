package torture

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"nanorpc/go/internal/failpoint"
	"nanorpc/go/nanorpc"
)

// TestServerKilled kills the server of callers that are blocked. The next one is started with what the last has left.
func TestServerKilled(t *testing.T) {
	const full, clients, callers = 500, 4, 16
	r := begin(t, "server killed", "kills", full)
	dir := t.TempDir()
	where := nanorpc.WithDirectory(dir)
	before := stateOf(os.Getpid()).segments
	var took []time.Duration
	total := size(full, 10)
	var lasting *nanorpc.Client // of all servers, one after the other
	waited, large := make(chan error), make([]byte, 100_000)
	for i := range total {
		if i%2 == 1 {
			go func() { // it waits for the server that is about to start
				_, err := lasting.Call(context.Background(), "echo", nil)
				waited <- err
			}()
		}
		server := start(t, "server", dir)
		if lasting == nil {
			lasting = mustDial(t, where, nanorpc.WithReconnect(patience))
		} else if err := expect(lasting, "echo", large, large); err != nil {
			r.lose("a client that reconnects: %v", err)
		}
		if i%2 == 1 {
			if err := <-waited; err != nil {
				r.lose("a client that waits for a server: %v", err)
			}
		}
		var connected []*nanorpc.Client
		for range clients {
			connected = append(connected, mustDial(t, where))
		}
		type outcome struct {
			at  int64
			err error
		}
		outcomes := make(chan outcome, callers)
		for i := range callers {
			go func() {
				var err error
				client := connected[i%clients]
				if i == 0 {
					client = lasting
				}
				if i < callers*3/4 {
					_, err = client.Call(context.Background(), "wait", nil)
				} else {
					_, err = client.Go(context.Background(), "wait", nil).Result()
				}
				outcomes <- outcome{monotonic(), err}
			}()
		}
		if !within(patience, func() bool {
			n, err := connected[0].Call(context.Background(), "waiting", nil)
			return err == nil && binary.LittleEndian.Uint64(n) == callers
		}) {
			t.Fatal("the callers do not come to wait")
		}
		time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond) // some sleep by then
		killed := monotonic()
		if err := server.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for range callers {
			select {
			case o := <-outcomes:
				if !errors.Is(o.err, nanorpc.ErrServerGone) {
					r.lose("a blocked call ended with %v", o.err)
				}
				took = append(took, time.Duration(o.at-killed))
			case <-time.After(patience):
				t.Fatal("a caller is still blocked")
			}
		}
		for _, c := range connected {
			c.Close()
		}
		server.kill()
		r.tried(1, total)
	}
	lasting.Close()
	r.took("until a caller has its error", took, 100*time.Millisecond, time.Second)
	if !within(patience, func() bool { return stateOf(os.Getpid()).segments == before }) {
		r.lose("the client has %d segments mapped, and had %d", stateOf(os.Getpid()).segments, before)
	}
	start(t, "server", dir)
	if err := useOnce(dir, 0); err != nil {
		r.lose("the last server: %v", err)
	}
}

// TestServerKilledAtPoints kills servers at every point that a server comes to, and has the next one, started with what the last has left, serve.
func TestServerKilledAtPoints(t *testing.T) {
	if !failpoint.Enabled {
		t.Skip("built without the tag failpoints")
	}
	const full, callers = 500, 4
	points := failpoint.ServerPoints()
	r := begin(t, "server killed at points", "kills", full)
	dir := t.TempDir()
	var took []time.Duration
	total := size(full, len(points))
	for i := range total {
		point := points[i%len(points)]
		server := launch(t, "server", dir, fmt.Sprintf("%s=%s:%d", pointVariable, point, serverHits(point)))
		rest := time.Duration(0)
		if point == failpoint.TrimBefore || point == failpoint.TrimTaken {
			rest = 1500 * time.Millisecond
		}
		ends := make(chan int64, callers)
		if line, _ := server.stdout.ReadString('\n'); line == "ready\n" {
			if point == failpoint.ListenClosed {
				server.stdin.Close()
			}
			for range callers {
				go func() {
					var err error
					for err == nil {
						err = useOnce(dir, rest)
					}
					// A server that dies within the handshake has sent no welcome, or does not listen any more.
					if !errors.Is(err, nanorpc.ErrServerGone) && !errors.Is(err, nanorpc.ErrServerNotFound) {
						r.lose("kill at %s: %v", point, err)
					}
					ends <- monotonic()
				}()
			}
		} else {
			close(ends)
		}
		killed, err := server.diedAt(point)
		if err != nil {
			r.lose("kill %d: %v", i, err)
			server.kill()
		}
		for range callers {
			if end, ok := <-ends; ok && killed != 0 && rest == 0 { // one that rests does not look
				took = append(took, time.Duration(max(end-killed, 0)))
			}
		}
		r.tried(1, total)
	}
	r.took("until a caller has its error", took, 100*time.Millisecond, time.Second)
	r.note("%d points", len(points))
	start(t, "server", dir)
	if err := useOnce(dir, 0); err != nil {
		r.lose("the last server: %v", err)
	}
}

// serverHits returns which of a server's hits of a point is to kill it.
func serverHits(p failpoint.Point) int {
	switch p {
	case failpoint.TrimBefore, failpoint.TrimTaken, failpoint.ListenLocked, failpoint.ListenBound, failpoint.ListenClosed:
		return 1
	case failpoint.ReplyNoticed, failpoint.ConnGreeted, failpoint.ConnMapped, failpoint.ConnWelcomed:
		return 1 + rand.IntN(4)
	}
	return 1 + rand.IntN(50)
}

func mustDial(t testing.TB, options ...nanorpc.DialOption) *nanorpc.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	client, err := nanorpc.Dial(ctx, service, options...)
	if err != nil {
		t.Fatal(err)
	}
	return client
}
