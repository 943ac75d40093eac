package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"nanorpc/go/nanorpc"
)

// asCommand is a variable that makes the test binary the command itself.
const asCommand = "NANORPC_TEST_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// command returns the command, whose services are found in dir.
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

// started is a server that has said that it is ready.
type started struct {
	cmd    *exec.Cmd
	ready  string
	stderr bytes.Buffer
}

func start(t *testing.T, dir string, args ...string) *started {
	t.Helper()
	s := &started{cmd: command(t, dir, args...)}
	s.cmd.Stderr = &s.stderr
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if s.ready, err = bufio.NewReader(stdout).ReadString('\n'); err != nil {
		_ = s.cmd.Wait()
		t.Fatalf("not ready: %v\n%s", err, &s.stderr)
	}
	return s
}

func dial(t *testing.T, dir, service string) *nanorpc.Client {
	t.Helper()
	c, err := nanorpc.Dial(t.Context(), service, nanorpc.WithDirectory(dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestMethods(t *testing.T) {
	dir := t.TempDir() + "/nanorpc"
	s := start(t, dir)
	if !strings.Contains(s.ready, "ready") || !strings.Contains(s.ready, "demo") {
		t.Errorf("the ready line is %q", s.ready)
	}
	c := dial(t, dir, "demo")
	payload := make([]byte, 3_000_000)
	_, _ = rand.Read(payload)
	digest := sha256.Sum256(payload)
	var numbers []byte
	for _, f := range []float64{1.5, -0.25, 1e300, -1e300, 40} {
		numbers = binary.LittleEndian.AppendUint64(numbers, math.Float64bits(f))
	}
	for _, test := range []struct {
		method        string
		request, want []byte
	}{
		{"echo", payload, payload},
		{"echo", nil, nil},
		{"sha256", payload, []byte(hex.EncodeToString(digest[:]))},
		{"sum", numbers, binary.LittleEndian.AppendUint64(nil, math.Float64bits(40))},
		{"sum", nil, make([]byte, 8)},
		{"sleep", []byte("1"), []byte("1")},
	} {
		reply, err := c.Call(t.Context(), test.method, test.request)
		if err != nil || !bytes.Equal(reply, test.want) {
			t.Errorf("%s of %d bytes: %.80q, %v", test.method, len(test.request), reply, err)
		}
	}
	for method, request := range map[string]string{"sum": "seven b", "sleep": "soon"} {
		var remote *nanorpc.RemoteError
		if _, err := c.Call(t.Context(), method, []byte(request)); !errors.As(err, &remote) || !strings.Contains(remote.Message, method+" takes") {
			t.Errorf("%s %q: %v", method, request, err)
		}
	}
}

// settle is how long a call may take to reach a handler. Nothing outside shows that it has.
const settle = 500 * time.Millisecond

func TestSignalDrains(t *testing.T) {
	for _, signal := range []os.Signal{unix.SIGINT, unix.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir() + "/nanorpc"
			s := start(t, dir)
			c := dial(t, dir, "demo")
			replied := make(chan error, 1)
			go func() {
				_, err := c.Call(t.Context(), "sleep", []byte("2000"))
				replied <- err
			}()
			time.Sleep(settle)
			if err := s.cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			if err := <-replied; err != nil {
				t.Errorf("the call in flight: %v", err)
			}
			if err := s.cmd.Wait(); err != nil {
				t.Errorf("%v\n%s", err, &s.stderr)
			}
			left, err := os.ReadDir(dir)
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func TestDrainTimeout(t *testing.T) {
	dir := t.TempDir() + "/nanorpc"
	s := start(t, dir, "-drain", "50ms")
	c := dial(t, dir, "demo")
	replied := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go func() {
		_, err := c.Call(ctx, "sleep", []byte("600000"))
		replied <- err
	}()
	time.Sleep(settle)
	if err := s.cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-replied; err == nil || errors.Is(err, nanorpc.ErrDeadlineExceeded) {
		t.Errorf("the call that was cut off: %v", err)
	}
	if err := s.cmd.Wait(); s.cmd.ProcessState.ExitCode() != 1 || !strings.Contains(s.stderr.String(), "still running 50ms after") {
		t.Errorf("%v\n%s", err, &s.stderr)
	}
}

func TestSecondServer(t *testing.T) {
	dir := t.TempDir() + "/nanorpc"
	start(t, dir, "-service", "one")
	output, err := command(t, dir, "-service", "one").CombinedOutput()
	if err == nil || !strings.Contains(string(output), "in use") || !strings.Contains(string(output), "process") {
		t.Errorf("%v\n%s", err, output)
	}
}

func TestOptions(t *testing.T) {
	dir := t.TempDir() + "/nanorpc"
	start(t, dir, "-service", "small", "-arena", "64k", "-max-payload", "16KiB", "-spin", "none", "-log-level", "error")
	c := dial(t, dir, "small")
	if c.MaxPayload() != 16<<10 {
		t.Errorf("a limit of %d bytes", c.MaxPayload())
	}
	if _, err := c.Call(t.Context(), "echo", make([]byte, 16<<10+1)); !errors.Is(err, nanorpc.ErrPayloadTooLarge) {
		t.Error(err)
	}
}

// Other users need a directory by name, which is made so that they can enter it. That they get in is tested with the package.
func TestAllow(t *testing.T) {
	dir := t.TempDir() + "/nanorpc"
	start(t, dir, "-allow-uid", "root,54321", "-allow-gid", "54321", "-allow-gid", "root")
	if info, err := os.Stat(dir + "/demo.sock"); err != nil || info.Mode().Perm() != 0o666 {
		t.Error(info.Mode(), err)
	}
	if _, err := dial(t, dir, "demo").Call(t.Context(), "echo", nil); err != nil {
		t.Error(err)
	}
	unnamed := command(t, "", "-allow-uid", "54321")
	if output, _ := unnamed.CombinedOutput(); unnamed.ProcessState.ExitCode() != 1 || !strings.Contains(string(output), "needs a directory by name, such as /run/nanorpc") {
		t.Errorf("%s", output)
	}
}

// With one handler at once, a call waits while another's handler runs: its deadline passes before it has been begun.
func TestMaxConcurrency(t *testing.T) {
	dir := t.TempDir() + "/nanorpc"
	start(t, dir, "-max-concurrency", "1", "-drain", "1ms")
	sleeper, c := dial(t, dir, "demo"), dial(t, dir, "demo")
	ctx, cancel := context.WithCancel(t.Context())
	replied := make(chan error, 1)
	go func() {
		_, err := sleeper.Call(ctx, "sleep", []byte("600000"))
		replied <- err
	}()
	until := time.Now().Add(time.Minute)
	for sleeping := false; !sleeping; {
		if time.Now().After(until) {
			t.Fatal("a call goes through beside a handler")
		}
		short, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, err := c.Call(short, "echo", nil)
		stop()
		if sleeping = errors.Is(err, nanorpc.ErrDeadlineExceeded); !sleeping && err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-replied; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := c.Call(t.Context(), "echo", nil); err != nil {
		t.Errorf("after the sleeper: %v", err)
	}
}

func TestWrongUse(t *testing.T) {
	dir := t.TempDir() + "/nanorpc"
	for _, test := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"-h"}, 0, "-max-payload"},
		{[]string{"-h"}, 0, "-log-level"},
		{[]string{"demo"}, 2, `unexpected argument "demo"`},
		{[]string{"-spin", "fast"}, 2, "use adaptive, busy or none"},
		{[]string{"-arena", "big"}, 2, "use a number with an optional suffix"},
		{[]string{"-log-level", "loud"}, 2, "use debug, info, warn or error"},
		{[]string{"-h"}, 0, "-max-concurrency"},
		{[]string{"-max-concurrency", "-1"}, 2, "server: invalid value \"-1\" for flag -max-concurrency: use a positive number, or 0 for no limit\n"},
		{[]string{"-max-concurrency", "many"}, 2, `"many" for flag -max-concurrency: use a positive number`},
		{[]string{"-max-concurrency", "1.5"}, 2, `"1.5" for flag -max-concurrency: use a positive number`},
		{[]string{"-max-concurrency", "99999999999999999999"}, 2, "for flag -max-concurrency: use a positive number"},
		{[]string{"-h"}, 0, "-allow-uid"},
		{[]string{"-allow-uid", "nobody-here"}, 2, `"nobody-here" is neither a name that this machine knows nor a number`},
		{[]string{"-allow-uid", "1,,2"}, 2, `"" is neither`},
		{[]string{"-allow-gid", "-1"}, 2, `"-1" is neither`},
		{[]string{"-allow-gid", "4294967295"}, 2, "is no user's or group's number"},
		{[]string{"-allow-uid", "4294967296"}, 2, "is neither"},
		{[]string{"-dir", "/tmp", "-allow-uid", "1"}, 1, "others can write to /tmp"},
		{[]string{"-service", "../etc"}, 1, "letters, digits"},
		{[]string{"-arena", "1MiB", "-max-payload", "2MiB"}, 1, "raise the arena or lower the payload limit"},
		{[]string{"-dir", "/dev/null/below"}, 1, "/dev/null"},
	} {
		cmd := command(t, dir, test.args...)
		output, _ := cmd.CombinedOutput()
		if lines := strings.Count(string(output), "\n"); test.status == 2 && lines != 2 { // what is wrong, and where help is
			t.Errorf("%v: %d lines\n%s", test.args, lines, output)
		}
		if cmd.ProcessState.ExitCode() != test.status || !strings.Contains(string(output), test.says) {
			t.Errorf("%v: status %d\n%s", test.args, cmd.ProcessState.ExitCode(), output)
		}
		for line := range strings.Lines(string(output)) {
			if test.status == 0 && utf8.RuneCountInString(line) > 81 {
				t.Errorf("a long line: %s", line)
			}
		}
	}
}
