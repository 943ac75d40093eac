package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"nanorpc/go/nanorpc"
)

// asCommand is a variable that makes the test binary the command itself.
const asCommand = "NANORPC_TEST_CLIENT"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// serve serves a service in this process, for the command in another. It returns the directory.
func serve(t *testing.T, service string, entered chan<- struct{}) string {
	t.Helper()
	dir, _ := serveUntil(t, service, entered)
	return dir
}

// serveUntil is serve, and returns what ends the server.
func serveUntil(t *testing.T, service string, entered chan<- struct{}) (string, func()) {
	t.Helper()
	dir := t.TempDir() + "/nanorpc"
	s := nanorpc.NewServer(service, nanorpc.WithDirectory(dir), nanorpc.WithArena(1<<20), nanorpc.WithMaxPayload(1<<20))
	for name, h := range map[string]nanorpc.Handler{
		"echo": func(_ context.Context, request []byte) ([]byte, error) { return request, nil },
		"sum": func(context.Context, []byte) ([]byte, error) {
			return []byte{0, 0, 0, 0, 0, 0, 4, 64}, nil // 2.5
		},
		"sha256": func(_ context.Context, request []byte) ([]byte, error) {
			digest := sha256.Sum256(request)
			return hex.AppendEncode(nil, digest[:]), nil
		},
		"fail": func(context.Context, []byte) ([]byte, error) { return nil, errors.New("not today") },
		"hang": func(ctx context.Context, _ []byte) ([]byte, error) {
			entered <- struct{}{}
			<-ctx.Done()
			return nil, ctx.Err()
		},
	} {
		if err := s.Handle(name, h); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- s.Serve(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return dir, stop
}

// outcome is what a command has done.
type outcome struct {
	status         int
	stdout, stderr string
}

func command(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), asCommand+"=1", "NANORPC_DIR="+dir)
	return cmd
}

func client(t *testing.T, dir, stdin string, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := command(t, dir, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	_ = cmd.Run()
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

func TestCalls(t *testing.T) {
	dir := serve(t, "demo", nil)
	content := bytes.Repeat([]byte("all kinds of bytes \x00\xff\n"), 40_000)
	file := filepath.Join(t.TempDir(), "a file")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(content)
	hexDigest := hex.EncodeToString(digest[:]) + "\n"
	for _, test := range []struct {
		stdin string
		args  []string
		want  string
	}{
		{"", []string{"sha256", file}, hexDigest},
		{string(content), []string{"sha256", "-"}, hexDigest},
		{string(content), []string{"echo", "-"}, string(content)},
		{"", []string{"echo", "-"}, ""},
		{"", []string{"-data", "text", "echo"}, "text"},
		{"", []string{"echo", "-data", "flags may follow", "-service", "demo"}, "flags may follow"},
		{"", []string{"-data", "", "sum"}, "2.5\n"},
		{"", []string{"list"}, "echo fail hang sha256 sum"},
	} {
		got := client(t, dir, test.stdin, test.args...)
		if got.status != 0 || got.stderr != "" || got.stdout != test.want && (test.args[0] != "list" || !strings.Contains(got.stdout, test.want)) {
			t.Errorf("%v: status %d, %.200q, %s", test.args, got.status, got.stdout, got.stderr)
		}
	}
}

func TestRepeat(t *testing.T) {
	dir := serve(t, "demo", nil)
	got := client(t, dir, "", "-n", "200", "-data", "hello", "echo")
	if got.status != 0 || !strings.HasPrefix(got.stdout, "hello\n200 calls of 5 bytes: p50 ") || !strings.Contains(got.stdout, ", p99 ") {
		t.Errorf("status %d\n%s%s", got.status, got.stdout, got.stderr)
	}
	got = client(t, dir, "", "-json", "-n", "200", "-data", "hello", "echo")
	var figures struct {
		Calls int     `json:"calls"`
		Size  int     `json:"size_bytes"`
		P50   float64 `json:"p50_ns"`
		P99   float64 `json:"p99_ns"`
	}
	if err := json.Unmarshal([]byte(got.stdout), &figures); err != nil || figures.Calls != 200 || figures.Size != 5 || figures.P50 <= 0 || figures.P99 < figures.P50 {
		t.Errorf("%v: %s%s", err, got.stdout, got.stderr)
	}
}

func TestFailures(t *testing.T) {
	entered := make(chan struct{}, 1)
	dir := serve(t, "demo", entered)
	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, make([]byte, 1<<20+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"-data", "", "fail"}, 1, "not today"},
		{[]string{"-data", "", "no-such"}, 1, `"no-such"; "client list" shows`},
		{[]string{"-data", "", "-service", "nobody", "echo"}, 1, "./server -service nobody"},
		{[]string{"-data", "", "-timeout", "50ms", "hang"}, 1, "no reply to hang within 50ms"},
		{[]string{"echo", large}, 1, "larger -max-payload"},
		{[]string{"echo", "/no/such/file"}, 1, "/no/such/file"},
		{[]string{"-data", "", "-service", "a/b", "echo"}, 1, "letters, digits"},
		{nil, 2, "name a method"},
		{[]string{"echo"}, 2, "-data"},
		{[]string{"echo", "-", "-data", "x"}, 2, "either a file or -data"},
		{[]string{"echo", "a", "b"}, 2, `unexpected argument "b"`},
		{[]string{"list", "x"}, 2, "list takes no payload"},
		{[]string{"-data", "x", "list"}, 2, "list takes no payload"},
		{[]string{"list", "-n", "2"}, 2, "-n goes with a method"},
		{[]string{"list", "-watch"}, 2, "-watch goes with stats"},
		{[]string{"stats", "nobody"}, 1, "./server -service nobody"},
		{[]string{"stats", "a/b"}, 1, "letters, digits"},
		{[]string{"stats", "-watch", "-service", "nobody"}, 1, "./server -service nobody"},
		{[]string{"stats", "-data", "x"}, 2, "stats takes no payload"},
		{[]string{"stats", "demo", "more"}, 2, `unexpected argument "more"`},
		{[]string{"-service", "a", "stats", "b"}, 2, `two services: "a" and "b"`},
		{[]string{"stats", "-n", "2"}, 2, "-n goes with a method"},
		{[]string{"echo", "-watch", "-data", "x"}, 2, "-watch goes with stats"},
		{[]string{"stats", "-interval", "2s"}, 2, "-interval goes with stats -watch"},
		{[]string{"echo", "-interval", "2s", "-data", "x"}, 2, "-interval goes with stats -watch"},
		{[]string{"stats", "-watch", "-interval", "0"}, 2, "-interval 0s: use a positive time"},
		{[]string{"stats", "-watch", "-interval", "-1s"}, 2, "-interval -1s: use a positive time"},
		{[]string{"stats", "-watch", "-interval", "often"}, 2, "invalid value"},
		{[]string{"-n", "0", "-data", "x", "echo"}, 2, "at least 1"},
		{[]string{"-timeout", "-1s", "-data", "x", "echo"}, 2, "positive time"},
		{[]string{"-server-uid", "root", "-data", "x", "echo"}, 2, "use a user's number"},
		{[]string{"-server-uid", "54321", "-data", "x", "echo"}, 1, "not to uid 54321"},
		{[]string{"-timeout", "soon", "-data", "x", "echo"}, 2, "invalid value"},
		{[]string{"-colour"}, 2, "not defined"},
	} {
		got := client(t, dir, "", test.args...)
		if got.status != test.status || got.stdout != "" || !strings.Contains(got.stderr, test.says) {
			t.Errorf("%v: status %d\n%s%s", test.args, got.status, got.stdout, got.stderr)
		}
	}
	<-entered
	if got := client(t, dir, "", "-h"); got.status != 0 || !strings.Contains(got.stdout, "-timeout") || !strings.Contains(got.stdout, "sha256sum") || !strings.Contains(got.stdout, "client stats -watch") || tooWide(got.stdout) {
		t.Errorf("%+v", got)
	}
}

func TestListOfNothing(t *testing.T) {
	if got := client(t, t.TempDir(), "", "list"); got.status != 0 || got.stdout != "" || !strings.Contains(got.stderr, "no service is running") {
		t.Errorf("%+v", got)
	}
}

func TestListAsJSON(t *testing.T) {
	dir := serve(t, "demo", nil)
	hung, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: dir + "/hung.sock", Net: "unixpacket"}) // it never says a word
	if err != nil {
		t.Fatal(err)
	}
	defer hung.Close()
	lock, err := os.Create(dir + "/hung.lock")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := unix.FcntlFlock(lock.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}); err != nil {
		t.Fatal(err)
	}
	got := client(t, dir, "", "list", "-json", "-timeout", "50ms")
	lines := json.NewDecoder(strings.NewReader(got.stdout))
	for _, want := range []map[string]any{
		{
			"service": "demo", "pid": float64(os.Getpid()), "max_payload": float64(1 << 20),
			"methods": []any{"echo", "fail", "hang", "sha256", "sum"},
		},
		{"service": "hung", "error": ""},
	} {
		var line map[string]any
		if err := lines.Decode(&line); err != nil {
			t.Fatalf("%v: %+v", err, got)
		}
		if text, ok := line["error"].(string); ok && text != "" {
			line["error"] = ""
		}
		if !reflect.DeepEqual(line, want) {
			t.Errorf("got %v, want %v", line, want)
		}
	}
	if got.status != 0 || got.stderr != "" || strings.Count(got.stdout, "\n") != 2 {
		t.Errorf("%+v", got)
	}
}

func TestInterrupt(t *testing.T) {
	entered := make(chan struct{}, 1)
	dir := serve(t, "demo", entered)
	cmd := command(t, dir, "-data", "", "-timeout", "0", "hang")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-entered:
	case <-time.After(time.Minute):
		t.Fatal("the method was not called")
	}
	if err := cmd.Process.Signal(unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if cmd.ProcessState.ExitCode() != exitInterrupted || !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("status %d: %s", cmd.ProcessState.ExitCode(), &stderr)
	}
}

func tooWide(text string) bool {
	for line := range strings.Lines(text) {
		if utf8.RuneCountInString(line) > 81 {
			return true
		}
	}
	return false
}
