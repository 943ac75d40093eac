package nanorpc_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nanorpc/go/nanorpc"
)

// patience bounds waits for things that take milliseconds: on a loaded machine they may take long, but not for ever.
const patience = 30 * time.Second

// Tests run other processes as this test binary with one of these roles.
const (
	roleVariable      = "NANORPC_TEST_ROLE"
	directoryVariable = "NANORPC_TEST_DIRECTORY"
	service           = "test"
)

var roles = map[string]func(where nanorpc.Option) error{
	"server":               serveUntilStdinEnds,
	"checksums":            callWithChecksums,
	"calls":                callForEver,
	"connections":          connectForEver,
	"lender":               lend,
	"sealed-lender":        lendSealed,
	"full-shm":             fillSharedMemory,
	"punched-shm":          punchSharedMemory,
	"other-user":           callOtherUser,
	"contender":            listenWhenTold,
	"few-files":            serveWithFewFiles,
	"hoarder":              hoardConnections,
	"few-files-client":     callWithFewFiles,
	"little-memory":        serveWithLittleMemory,
	"little-memory-client": callWithLittleMemory,
	steppedServer:          serveWithMarks,
	steppedClient:          callWithMarks,
}

func TestMain(m *testing.M) {
	role := os.Getenv(roleVariable)
	if role == "" {
		os.Exit(m.Run())
	}
	if err := roles[role](nanorpc.WithDirectory(os.Getenv(directoryVariable))); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child is a process with a role.
type child struct {
	*exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	stderr bytes.Buffer
}

// startRole starts a process with a role, and waits until it says that it is ready. It is killed at the end of the test.
func startRole(t testing.TB, role, dir string, change ...func(*exec.Cmd)) *child {
	t.Helper()
	c := &child{Cmd: exec.Command(os.Args[0])}
	c.Env = append(os.Environ(), roleVariable+"="+role, directoryVariable+"="+dir)
	c.Stderr = &c.stderr
	for _, f := range change {
		f(c.Cmd)
	}
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.stdin, c.stdout = stdin, bufio.NewReader(stdout)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	if line, err := c.stdout.ReadString('\n'); err != nil || line != "ready\n" {
		_ = c.Wait()
		t.Fatalf("%s did not get ready: %q, %v, stderr: %s", role, line, err, c.stderr.String())
	}
	return c
}

// kill ends the process with SIGKILL.
func (c *child) kill(t *testing.T) {
	t.Helper()
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
}

func ready() { fmt.Println("ready") }

// newTestServer returns a server with the methods that the tests use.
func newTestServer(where nanorpc.Option, options ...nanorpc.ServerOption) (*nanorpc.Server, error) {
	srv := nanorpc.NewServer(service, append(options, where)...)
	err := errors.Join(
		srv.Handle("echo", func(_ context.Context, request []byte) ([]byte, error) { return request, nil }),
		srv.Handle("sha256", func(_ context.Context, request []byte) ([]byte, error) {
			digest := sha256.Sum256(request)
			return digest[:], nil
		}),
		// sleep ignores its context: its late reply is wanted.
		srv.Handle("sleep", func(_ context.Context, request []byte) ([]byte, error) {
			ms, err := strconv.Atoi(string(request))
			time.Sleep(time.Duration(ms) * time.Millisecond)
			return request, err
		}),
		// clock returns the time at which it runs, in ns on a clock that processes share.
		srv.Handle("clock", func(context.Context, []byte) ([]byte, error) {
			return binary.LittleEndian.AppendUint64(nil, uint64(monotonic())), nil
		}),
		srv.Handle("wait", func(ctx context.Context, _ []byte) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}),
		srv.Handle("fail", func(_ context.Context, request []byte) ([]byte, error) { return nil, errors.New(string(request)) }),
		srv.Handle("panic", func(_ context.Context, request []byte) ([]byte, error) { panic(string(request)) }),
		srv.Handle("pattern", func(_ context.Context, request []byte) ([]byte, error) {
			return bytes.Repeat([]byte{'p'}, int(binary.LittleEndian.Uint64(request))), nil
		}),
		srv.Listen(),
	)
	return srv, err
}

// monotonic returns CLOCK_MONOTONIC in ns.
func monotonic() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err)
	}
	return ts.Nano()
}

func serveUntilStdinEnds(where nanorpc.Option) error {
	srv, err := newTestServer(where)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	ready()
	return srv.Serve(ctx)
}

// callWithChecksums calls from four goroutines with payloads of random sizes, from none to larger than a slot to a megabyte.
func callWithChecksums(where nanorpc.Option) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*patience)
	defer cancel()
	client, err := nanorpc.Dial(ctx, service, where)
	if err != nil {
		return err
	}
	defer client.Close()
	ready()
	failures := make(chan error, 4)
	for g := range 4 {
		go func() { failures <- checksums(ctx, client, rand.New(rand.NewPCG(uint64(os.Getpid()), uint64(g)))) }()
	}
	for range 4 {
		err = errors.Join(err, <-failures)
	}
	return err
}

func checksums(ctx context.Context, client *nanorpc.Client, rng *rand.Rand) error {
	payload := make([]byte, 1<<20)
	for i := range payload {
		payload[i] = byte(rng.Uint32())
	}
	var reply []byte
	for i := range 400 {
		size := rng.IntN(1 << rng.IntN(21))
		start := rng.IntN(len(payload) - size)
		request := payload[start : start+size]
		var err error
		if reply, err = client.AppendCall(ctx, reply[:0], "echo", request); err != nil {
			return fmt.Errorf("call %d, %d bytes: %w", i, size, err)
		}
		if !bytes.Equal(reply, request) {
			return fmt.Errorf("call %d: a reply of %d bytes differs from the request of %d", i, len(reply), size)
		}
		want := sha256.Sum256(request)
		if reply, err = client.AppendCall(ctx, reply[:0], "sha256", request); err != nil || !bytes.Equal(reply, want[:]) {
			return fmt.Errorf("call %d: digest of %d bytes: %x, %w", i, size, reply, err)
		}
	}
	return nil
}

// callForEver calls from several goroutines, until it is killed.
func callForEver(where nanorpc.Option) error {
	client, err := nanorpc.Dial(context.Background(), service, where)
	if err != nil {
		return err
	}
	for g := range 4 {
		go func() {
			rng := rand.New(rand.NewPCG(uint64(os.Getpid()), uint64(g)))
			for err == nil {
				_, err = client.Call(context.Background(), "echo", make([]byte, rng.IntN(100_000)))
			}
		}()
	}
	if _, err := client.Call(context.Background(), "echo", nil); err != nil {
		return err
	}
	ready()
	_, err = client.Call(context.Background(), "wait", nil)
	return err
}

// connectForEver connects, calls and closes until it is killed.
func connectForEver(where nanorpc.Option) error {
	ready()
	for {
		client, err := nanorpc.Dial(context.Background(), service, where)
		if err != nil {
			return err
		}
		if _, err := client.Call(context.Background(), "echo", make([]byte, 1000)); err != nil {
			return err
		}
		client.Close()
	}
}

// startServer serves in this process until the end of the test.
func startServer(t *testing.T, options ...nanorpc.ServerOption) (*nanorpc.Server, nanorpc.Option, string) {
	t.Helper()
	dir := t.TempDir()
	where := nanorpc.WithDirectory(dir)
	srv, err := newTestServer(where, options...)
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		if err := srv.Serve(context.Background()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Error("shutdown:", err)
		}
		served.Wait()
		if files, _ := os.ReadDir(dir); len(files) > 0 {
			t.Error("left behind:", files)
		}
	})
	return srv, where, dir
}

func dial(t *testing.T, options ...nanorpc.DialOption) *nanorpc.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	client, err := nanorpc.Dial(ctx, service, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// mustEcho checks that the client's connection works.
func mustEcho(t *testing.T, client *nanorpc.Client, payload []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	reply, err := client.Call(ctx, "echo", payload)
	if err != nil || !bytes.Equal(reply, payload) {
		t.Fatalf("echo of %d bytes: %d bytes, %v", len(payload), len(reply), err)
	}
}

// segments returns how many segments this process has mapped.
func segments(t *testing.T) int {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(maps), "/dev/shm/")
}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !condition(); {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, patience)
		}
		time.Sleep(time.Millisecond)
	}
}

// mustLeaveNothing checks that /dev/shm holds no more than before.
func mustLeaveNothing(t *testing.T) {
	t.Helper()
	before := sharedMemory(t)
	t.Cleanup(func() {
		for name := range sharedMemory(t) {
			if !before[name] && strings.Contains(name, "nanorpc") {
				t.Errorf("left in /dev/shm: %s", name)
			}
		}
	})
}

func sharedMemory(t *testing.T) map[string]bool {
	t.Helper()
	entries, err := os.ReadDir("/dev/shm")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, e := range entries {
		names[e.Name()] = true
	}
	return names
}
