package nanorpc_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nanorpc/go/internal/rendezvous"
	"nanorpc/go/nanorpc"
)

// filesVariable says how many open files a role may have.
const filesVariable = "NANORPC_TEST_FILES"

func withFiles(n int) func(*exec.Cmd) {
	return func(c *exec.Cmd) { c.Env = append(c.Env, filesVariable+"="+strconv.Itoa(n)) }
}

// limitFiles sets the limit, once the runtime has what it needs.
func limitFiles() error {
	n, err := strconv.Atoi(os.Getenv(filesVariable))
	if err != nil {
		return err
	}
	return unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(n), Max: uint64(n)})
}

func serveWithFewFiles(where nanorpc.Option) error {
	if err := limitFiles(); err != nil {
		return err
	}
	return serveUntilStdinEnds(where)
}

// outOfFiles checks that an error says what there is not enough of.
func outOfFiles(err error) error {
	if !errors.Is(err, nanorpc.ErrExhausted) || !strings.Contains(err.Error(), "open files") {
		return fmt.Errorf("with too many open files: %w", err)
	}
	return nil
}

// dialAll connects until that fails, and returns the clients and the error.
func dialAll(ctx context.Context, where nanorpc.Option) ([]*nanorpc.Client, error) {
	var clients []*nanorpc.Client
	for len(clients) < 100 {
		client, err := nanorpc.Dial(ctx, service, where)
		if err != nil {
			return clients, err
		}
		clients = append(clients, client)
	}
	return clients, nil
}

// A server without descriptors tells clients so at once, and serves those that it has, also with more memory; when some are gone it takes others.
func TestServerWithoutDescriptors(t *testing.T) {
	for limit := 40; limit < 42; limit++ { // a connection takes two: once the first is missing, once the second
		dir := t.TempDir()
		where := nanorpc.WithDirectory(dir)
		startRole(t, "few-files", dir, withFiles(limit))
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		clients, err := dialAll(ctx, where)
		if err := outOfFiles(err); err != nil || len(clients) < 5 {
			t.Fatalf("limit %d: %d clients, %v", limit, len(clients), err)
		}
		t.Logf("limit %d: %d clients, then %v", limit, len(clients), err)
		start := time.Now()
		const tries = 20
		for range tries {
			if _, err := nanorpc.Dial(ctx, service, where); outOfFiles(err) != nil {
				t.Fatal(outOfFiles(err))
			}
		}
		if took := time.Since(start); took > tries*200*time.Millisecond {
			t.Errorf("a refusal takes %v", took/tries)
		}
		for _, client := range clients {
			mustEcho(t, client, make([]byte, 3<<20))
			mustEcho(t, client, []byte("served on"))
		}
		clients[0].Close()
		clients[1].Close()
		eventually(t, "others can connect", func() bool {
			client, err := nanorpc.Dial(ctx, service, where)
			if err != nil && outOfFiles(err) != nil {
				t.Fatal(err)
			}
			if client != nil {
				mustEcho(t, client, []byte("again"))
				client.Close()
			}
			return err == nil
		})
		for _, client := range clients {
			client.Close()
		}
	}
}

// callWithFewFiles is a client that connects until it has no descriptors.
func callWithFewFiles(where nanorpc.Option) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ready()
	if err := limitFiles(); err != nil {
		return err
	}
	clients, err := dialAll(ctx, where)
	if err := outOfFiles(err); err != nil || len(clients) < 5 {
		return fmt.Errorf("%d clients: %w", len(clients), err)
	}
	for _, client := range clients {
		if _, err := client.Call(ctx, "echo", make([]byte, 3<<20)); err != nil {
			return err
		}
	}
	clients[0].Close()
	again, err := nanorpc.Dial(ctx, service, where)
	if err != nil {
		return err
	}
	_, err = again.Call(ctx, "echo", nil)
	return err
}

func TestClientWithoutDescriptors(t *testing.T) {
	_, where, dir := startServer(t)
	for limit := 30; limit < 32; limit++ {
		client := startRole(t, "few-files-client", dir, withFiles(limit))
		if err := client.Wait(); err != nil {
			t.Errorf("limit %d: %v: %s", limit, err, client.stderr.String())
		}
		mustEcho(t, dial(t, where), nil)
	}
}

// TestPunchedSharedMemory has a client take pages away that a full /dev/shm does not give back: what the server touches then is not there.
func TestPunchedSharedMemory(t *testing.T) { mustSucceedInNamespace(t, "punched-shm") }

func punchSharedMemory(where nanorpc.Option) error {
	if err := unix.Mount("none", "/dev/shm", "tmpfs", 0, "size=2m"); err != nil {
		return err
	}
	srv, err := newTestServer(where)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	served := make(chan error)
	go func() { served <- srv.Serve(ctx) }()
	ready()
	bystander, err := nanorpc.Dial(ctx, service, where)
	if err != nil {
		return err
	}
	for range 10 {
		peer, segment, err := rendezvous.Dial(ctx, os.Getenv(directoryVariable), service, rendezvous.Trust{})
		if err != nil {
			return err
		}
		filler, err := os.Create("/dev/shm/filler")
		if err != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond) // the server's leader sleeps now, and looks at the memory again before it parks
		if err := unix.Fallocate(int(segment.File.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, segment.Size); err != nil {
			return err
		}
		for err == nil {
			_, err = filler.Write(make([]byte, 4096))
		}
		if _, err := bystander.Call(ctx, "echo", []byte("full")); err != nil {
			return err
		}
		peer.WaitEnd(nil) // the server has ended it
		if err := errors.Join(peer.Close(), segment.File.Close(), filler.Close(), os.Remove(filler.Name())); err != nil {
			return err
		}
		if _, err := bystander.Call(ctx, "echo", make([]byte, 100_000)); err != nil {
			return err
		}
	}
	cancel()
	return errors.Join(bystander.Close(), <-served)
}
