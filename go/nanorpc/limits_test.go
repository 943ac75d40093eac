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

	"nanorpc/go/internal/trial"
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
	const full = 100
	r := trial.Begin(t, "descriptor limit of servers", "servers", full)
	total := trial.Size(full, 2)
	for i := range total {
		limit := 40 + i%2 // a connection takes two: once the first is missing, once the second
		r.Run(t, fmt.Sprint("limit ", limit), total, func(t *testing.T) { mustServeWhomItHas(t, "few-files", outOfFiles, withFiles(limit)) })
	}
}

// mustServeWhomItHas connects to a server of a role until that has no more of something.
func mustServeWhomItHas(t *testing.T, role string, out func(error) error, change ...func(*exec.Cmd)) {
	t.Helper()
	dir := t.TempDir()
	where := nanorpc.WithDirectory(dir)
	startRole(t, role, dir, change...)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	clients, err := dialAll(ctx, where)
	for _, client := range clients {
		defer client.Close()
	}
	if err := out(err); err != nil || len(clients) < 3 {
		t.Fatalf("%d clients, %v", len(clients), err)
	}
	t.Logf("%d clients, then %v", len(clients), err)
	start := time.Now()
	const tries = 20
	for range tries {
		if _, err := nanorpc.Dial(ctx, service, where); out(err) != nil {
			t.Fatal(out(err))
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
		if err != nil && out(err) != nil {
			t.Fatal(err)
		}
		if client != nil {
			mustEcho(t, client, []byte("again"))
			client.Close()
		}
		return err == nil
	})
}

// callWithFewFiles is a client that connects until it has no descriptors.
func callWithFewFiles(where nanorpc.Option) error {
	return connectUntilOut(where, limitFiles, outOfFiles)
}

// connectUntilOut connects until there is no more of what it has limited, goes on with what it has, and connects again.
func connectUntilOut(where nanorpc.Option, limit func() error, out func(error) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ready()
	if err := limit(); err != nil {
		return err
	}
	clients, err := dialAll(ctx, where)
	if err := out(err); err != nil || len(clients) < 3 {
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
	const full = 100
	r := trial.Begin(t, "descriptor limit of clients", "clients", full)
	_, where, dir := startServer(t)
	total := trial.Size(full, 2)
	for i := range total {
		limit := 30 + i%2
		r.Run(t, fmt.Sprint("limit ", limit), total, func(t *testing.T) { mustGoOn(t, where, dir, "few-files-client", withFiles(limit)) })
	}
}

// mustGoOn has a client of a role try what it can, and the server serve on.
func mustGoOn(t *testing.T, where nanorpc.Option, dir, role string, change ...func(*exec.Cmd)) {
	t.Helper()
	client := startRole(t, role, dir, change...)
	if err := client.Wait(); err != nil {
		t.Errorf("%v: %s", err, client.stderr.String())
	}
	mustEcho(t, dial(t, where), nil)
}
