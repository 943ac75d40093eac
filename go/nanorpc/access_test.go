package nanorpc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"nanorpc/go/nanorpc"
)

// Users and groups that have nothing to do with the tests.
const (
	foreignUID   = 54321
	foreignGID   = 54322
	foreignExtra = 54323
)

// as has a child run as another user. Its binary must lie where that one can run it.
func as(binary string, uid uint32, groups ...uint32) func(*exec.Cmd) {
	return func(c *exec.Cmd) {
		c.Path, c.Args = binary, []string{binary}
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid + 1, Groups: groups}}
	}
}

// needRoot skips tests that run processes of other users, and returns a copy of the test binary for them, and a directory that they can enter.
func needRoot(t *testing.T) (binary, dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to run processes as other users")
	}
	open, err := os.MkdirTemp("", "nanorpc-others")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(open) })
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	binary = filepath.Join(open, "test")
	if err := os.WriteFile(binary, content, 0o755); err != nil {
		t.Fatal(err)
	}
	return binary, filepath.Join(open, "run", "nanorpc")
}

// callOtherUser is a client of a server that runs as root. It prints what it gets.
func callOtherUser(where nanorpc.Option) error {
	ready()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := nanorpc.Dial(ctx, service, where); !errors.Is(err, nanorpc.ErrNotAllowed) {
		return fmt.Errorf("without WithServerUID: %w", err)
	}
	client, err := nanorpc.Dial(ctx, service, where, nanorpc.WithServerUID(0))
	if errors.Is(err, nanorpc.ErrNotAllowed) {
		fmt.Println("turned away:", err)
		return nil
	}
	if err != nil {
		return err
	}
	defer client.Close()
	reply, err := client.Call(ctx, "who", make([]byte, 100_000))
	if err != nil {
		return err
	}
	if maps, err := os.ReadFile("/proc/self/maps"); err != nil || !strings.Contains(string(maps), "/memfd:nanorpc") {
		return fmt.Errorf("the shared memory is not sealed: %w\n%s", err, maps)
	}
	fmt.Printf("called as %s\n", reply)
	return nil
}

// rest returns what a child prints until it ends.
func (c *child) rest(t *testing.T) string {
	t.Helper()
	b, err := io.ReadAll(c.stdout)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Fatalf("%v: %s", err, c.stderr.String())
	}
	return string(b)
}

func TestOtherUsers(t *testing.T) {
	binary, _ := needRoot(t)
	for _, test := range []struct {
		what    string
		options []nanorpc.ServerOption
		uid     uint32
		groups  []uint32
		want    string
	}{
		{"its uid", []nanorpc.ServerOption{nanorpc.AllowUID(1, foreignUID)}, foreignUID, nil, "called as uid 54321, gid 54322"},
		{"its gid", []nanorpc.ServerOption{nanorpc.AllowGID(foreignGID)}, foreignUID, nil, "called as uid 54321, gid 54322"},
		{"a supplementary group", []nanorpc.ServerOption{nanorpc.AllowGID(foreignExtra)}, foreignUID, []uint32{5, foreignExtra}, "called as"},
		{"one of many groups", []nanorpc.ServerOption{nanorpc.AllowGID(foreignExtra)}, foreignUID, manyGroups(1000, foreignExtra), "called as"},
		{"another uid", []nanorpc.ServerOption{nanorpc.AllowUID(foreignUID + 1)}, foreignUID, nil, "turned away"},
		{"another gid", []nanorpc.ServerOption{nanorpc.AllowGID(foreignGID + 7)}, foreignUID, []uint32{5, foreignExtra}, "turned away"},
		{"a gid with the number of the uid", []nanorpc.ServerOption{nanorpc.AllowGID(foreignUID)}, foreignUID, nil, "turned away"},
	} {
		t.Run(test.what, func(t *testing.T) {
			dir := filepath.Join(filepath.Dir(binary), strings.ReplaceAll(test.what, " ", "-"))
			where := nanorpc.WithDirectory(dir)
			var log lockedBuffer
			srv, err := newTestServer(where, append(test.options, nanorpc.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))...)
			if err != nil {
				t.Fatal(err)
			}
			if err := srv.Handle("who", func(ctx context.Context, _ []byte) ([]byte, error) {
				peer, ok := nanorpc.PeerFrom(context.WithValue(ctx, t, "derived"))
				if !ok || peer.PID <= 0 || peer.PID == os.Getpid() {
					return nil, fmt.Errorf("%+v, %v", peer, ok)
				}
				return fmt.Appendf(nil, "uid %d, gid %d", peer.UID, peer.GID), nil
			}); err != nil {
				t.Fatal(err)
			}
			serveUntilEnd(t, srv)
			own := dial(t, where)
			client := startRole(t, "other-user", dir, as(binary, test.uid, test.groups...))
			if got := client.rest(t); !strings.Contains(got, test.want) || strings.Contains(got, "away") && !strings.Contains(got, "uid 54321") {
				t.Errorf("%s\n%s", got, &log)
			}
			mustEcho(t, own, []byte("this user has access always"))
			if turned := strings.Contains(log.String(), "turned away"); turned != strings.HasPrefix(test.want, "turned") {
				t.Errorf("the log says: %s", &log)
			}
		})
	}
}

func manyGroups(n int, last uint32) []uint32 {
	groups := make([]uint32, 0, n+1)
	for i := range n {
		groups = append(groups, uint32(100_000+i))
	}
	return append(groups, last)
}

// serveUntilEnd serves until the end of the test.
func serveUntilEnd(t *testing.T, srv *nanorpc.Server) {
	t.Helper()
	served := make(chan error)
	go func() { served <- srv.Serve(context.Background()) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := errors.Join(srv.Shutdown(ctx), <-served); err != nil {
			t.Error(err)
		}
	})
}

// A client that wants a certain user's server takes no other's, and one of root does not take another user's.
func TestServersOfOtherUsers(t *testing.T) {
	binary, _ := needRoot(t)
	dir := filepath.Join(filepath.Dir(binary), "theirs")
	if err := errors.Join(os.Mkdir(dir, 0o755), os.Chown(dir, foreignUID, foreignGID)); err != nil {
		t.Fatal(err)
	}
	startRole(t, "server", dir, as(binary, foreignUID))
	where := nanorpc.WithDirectory(dir)
	for _, options := range [][]nanorpc.DialOption{{where}, {where, nanorpc.WithServerUID(foreignUID + 1)}} {
		if _, err := nanorpc.Dial(t.Context(), service, options...); !errors.Is(err, nanorpc.ErrNotAllowed) {
			t.Error(err)
		}
	}
	// This user is not on that server's list, though it is root.
	_, err := nanorpc.Dial(t.Context(), service, where, nanorpc.WithServerUID(foreignUID))
	if !errors.Is(err, nanorpc.ErrNotAllowed) || !strings.Contains(err.Error(), "uid 0") {
		t.Error(err)
	}
}

func TestAccessOptions(t *testing.T) {
	t.Setenv("NANORPC_DIR", "")
	dir := nanorpc.WithDirectory(t.TempDir())
	for _, options := range [][]nanorpc.ServerOption{
		{nanorpc.AllowUID(1)},
		{nanorpc.AllowGID(1)},
		{dir, nanorpc.AllowUID(-1)},
		{dir, nanorpc.AllowGID(1 << 32)},
		{dir, nanorpc.AllowUID(1<<32 - 1)},
	} {
		if err := nanorpc.NewServer("x", options...).Listen(); !errors.Is(err, nanorpc.ErrInvalidOption) {
			t.Error(err)
		}
	}
}

func TestPeerFrom(t *testing.T) {
	if _, ok := nanorpc.PeerFrom(context.Background()); ok {
		t.Error("a context of no call has a peer")
	}
	srv, where, _ := startServer(t)
	want := nanorpc.Peer{PID: os.Getpid(), UID: os.Geteuid(), GID: os.Getegid()}
	if err := srv.Handle("who", func(ctx context.Context, _ []byte) ([]byte, error) {
		derived, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		for _, c := range []context.Context{ctx, derived} {
			if got, ok := nanorpc.PeerFrom(c); !ok || got != want {
				return nil, fmt.Errorf("%+v, %v", got, ok)
			}
		}
		return nil, nil
	}); err != nil {
		t.Fatal(err)
	}
	client := dial(t, where)
	for range 3 {
		if _, err := client.Call(context.Background(), "who", nil); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAuthorizer(t *testing.T) {
	want := nanorpc.Peer{PID: os.Getpid(), UID: os.Geteuid(), GID: os.Getegid()}
	srv, where, _ := startServer(t, nanorpc.WithAuthorizer(func(ctx context.Context, method string, peer nanorpc.Peer) error {
		if from, ok := nanorpc.PeerFrom(ctx); !ok || from != peer || peer != want {
			return fmt.Errorf("peer %+v, %+v", peer, from)
		}
		switch method {
		case "sha256", "raw", "nanorpc.stats":
			return fmt.Errorf("%s is for others", method)
		case "pattern":
			panic("the authorizer fails")
		}
		return nil
	}))
	if err := srv.HandleRaw("raw", func(context.Context, *nanorpc.Exchange) error {
		t.Error("a handler ran that was not allowed")
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	client := dial(t, where)
	mustEcho(t, client, []byte("allowed"))
	for method, message := range map[string]string{
		"sha256":        "not allowed: sha256 is for others",
		"raw":           "not allowed: raw is for others",
		"nanorpc.stats": "not allowed: nanorpc.stats is for others",
		"pattern":       "handler panicked: the authorizer fails",
	} {
		_, err := client.Call(context.Background(), method, make([]byte, 8))
		var remote *nanorpc.RemoteError
		if !errors.As(err, &remote) || remote.Message != message {
			t.Errorf("%s: %v", method, err)
		}
	}
	if _, err := client.Describe(context.Background()); err != nil {
		t.Error(err)
	}
	mustEcho(t, client, make([]byte, 100_000))
}
