package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nanorpc/go/nanorpc"
)

func dial(t *testing.T, dir string) *nanorpc.Client {
	t.Helper()
	c, err := nanorpc.Dial(t.Context(), "demo", nanorpc.WithDirectory(dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// await asks for statistics until they are as they should be.
func await(t *testing.T, c *nanorpc.Client, what string, is func(nanorpc.Stats) bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		s, err := c.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if is(s) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not so in a minute: %s: %+v", what, s)
		}
	}
}

func echoes(s nanorpc.Stats) uint64 {
	for _, m := range s.Methods {
		if m.Name == "echo" {
			return m.Calls
		}
	}
	return 0
}

// Of 26 clients, 25 have called, the first twice with a method that is still running. Another has only connected.
func TestStats(t *testing.T) {
	entered := make(chan struct{}, 2)
	dir := serve(t, "demo", entered)
	const callers, calls = 25, 40 * 25 * 26 / 2
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var clients []*nanorpc.Client
	for i := range callers {
		c := dial(t, dir)
		clients = append(clients, c)
		for range 40 * (callers - i) {
			if _, err := c.Call(ctx, "echo", make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 2 {
		clients[0].Go(ctx, "hang", nil)
		<-entered
	}
	dial(t, dir)
	alone := func(s nanorpc.Stats) bool { return s.Connected == callers+1 && echoes(s) == calls }
	await(t, clients[1], "all is counted", alone)

	got := client(t, dir, "", "stats")
	for _, want := range []string{
		`^demo: process \d+, up \d+s, 27 connections\n\nMETHOD +CALLS +ERRORS +INFLIGHT +IN +OUT +P50 +P99\n`,
		`\necho +13000 +0 +0 +12\.4MiB +12\.4MiB +\S+s +\S+s\n`,
		`\nhang +0 +0 +2 +0B +0B +- +-\n`,
		`\nnanorpc\.stats +\d+ +0 +1 +0B `,
		`\n\nCONNECTION +PROCESS +CALLS +INFLIGHT +MEMORY +REPLIES +SPUN +SLEPT\n`,
		fmt.Sprintf(`\n1 +%d +1000 +2 +\d+KiB +\S+B +\d+ +\d+\n`, os.Getpid()),
		`\nnot shown: 7 connections, this command's own among them\n$`,
	} {
		if !regexp.MustCompile(want).MatchString(got.stdout) {
			t.Errorf("without %s", want)
		}
	}
	if lines := strings.Count(got.stdout, "\n"); got.status != 0 || got.stderr != "" || tooWide(got.stdout) || lines != 1+1+1+6+1+1+shownConnections+1 {
		t.Errorf("%d lines, status %d\n%s%s", lines, got.status, got.stdout, got.stderr)
	}

	// Not in the tables, and in JSON, are all.
	await(t, clients[1], "the command has gone", alone)
	got = client(t, dir, "", "stats", "demo", "-json")
	var object statsJSON
	decoder := json.NewDecoder(strings.NewReader(got.stdout))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&object); err != nil || strings.Count(got.stdout, "\n") != 1 {
		t.Fatalf("%v: %+v", err, got)
	}
	if object.Service != "demo" || object.PID != os.Getpid() || object.UID != os.Geteuid() || object.UptimeNS <= 0 || object.IntervalNS != nil || object.Connected != callers+2 || len(object.Connections) != callers+2 {
		t.Errorf("%+v", object)
	}
	own := 0
	for _, c := range object.Connections {
		if c.Own {
			own++
		}
		if c.Own == (c.PID == os.Getpid()) || c.Memory < 8192 || c.AgeNS <= 0 || c.CallsPerS != nil {
			t.Errorf("%+v", c)
		}
	}
	if own != 1 {
		t.Errorf("%d connections are the command's", own)
	}
	for _, m := range object.Methods {
		if m.Name != "echo" {
			continue
		}
		timed := uint64(0)
		for _, pair := range m.Times {
			timed += pair[1]
		}
		if m.Calls != calls || m.RequestBytes != 1000*calls || timed == 0 || timed > calls || m.P50NS == nil || *m.P50NS <= 0 || m.P99NS == nil || *m.P99NS < *m.P50NS {
			t.Errorf("%+v", m)
		}
	}
}

// started starts the command with what it prints going to out, and returns what waits for its end.
func started(t *testing.T, out *os.File, dir string, args ...string) (*exec.Cmd, func() outcome) {
	t.Helper()
	var stderr bytes.Buffer
	cmd := command(t, dir, args...)
	cmd.Stdout, cmd.Stderr = out, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, func() outcome {
		_ = cmd.Wait()
		return outcome{status: cmd.ProcessState.ExitCode(), stderr: stderr.String()}
	}
}

// piped is started with a pipe, of which it returns the other end.
func piped(t *testing.T, dir string, args ...string) (io.Reader, *exec.Cmd, func() outcome) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	cmd, wait := started(t, w, dir, args...)
	_ = w.Close() // the command has it
	return r, cmd, wait
}

func interrupt(t *testing.T, cmd *exec.Cmd, wait func() outcome) {
	t.Helper()
	if err := cmd.Process.Signal(unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	if got := wait(); got.status != 0 || got.stderr != "" {
		t.Errorf("after Ctrl-C: %+v", got)
	}
}

func TestWatchAsJSON(t *testing.T) {
	dir := serve(t, "demo", nil)
	c := dial(t, dir)
	out, cmd, wait := piped(t, dir, "stats", "-watch", "-interval", "20ms", "-json")
	objects := json.NewDecoder(out)
	for i, busy := 0, false; !busy; i++ {
		for range 100 {
			if _, err := c.Call(t.Context(), "echo", nil); err != nil {
				t.Fatal(err)
			}
		}
		var s statsJSON
		if err := objects.Decode(&s); err != nil {
			t.Fatal(err)
		}
		if (s.IntervalNS == nil) != (i == 0) {
			t.Errorf("print %d: %+v", i, s)
		}
		for _, m := range s.Methods {
			if (m.CallsPerS == nil) != (i == 0) || i == 0 && m.P50NS != nil {
				t.Errorf("print %d: %+v", i, m)
			}
			busy = busy || m.Name == "echo" && m.CallsPerS != nil && *m.CallsPerS > 0 && m.P50NS != nil
		}
	}
	interrupt(t, cmd, wait)
}

func TestWatchOfAPipe(t *testing.T) {
	dir := serve(t, "demo", nil)
	out, cmd, wait := piped(t, dir, "stats", "-watch", "-interval", "20ms")
	lines := bufio.NewReader(out)
	var text strings.Builder
	for i := 0; i < 3; {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString(line)
		if strings.HasPrefix(line, "demo: process ") {
			i++
		}
	}
	interrupt(t, cmd, wait)
	if got := text.String(); strings.Contains(got, "\x1b") || tooWide(got) || !regexp.MustCompile(`\n\ndemo: .*; last print \S+ ago\n\nMETHOD +CALLS +CALLS/S `).MatchString(got) {
		t.Error(got)
	}
}

// terminal returns both ends of one with so many lines of 80 columns.
func terminal(t *testing.T, lines uint16) (keyboard, screen *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slave.Close() })
	if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: lines, Col: columns}); err != nil {
		t.Fatal(err)
	}
	return master, slave
}

func TestWatchOnATerminal(t *testing.T) {
	dir := serve(t, "demo", nil)
	const height = 9
	keyboard, screen := terminal(t, height)
	cmd, wait := started(t, screen, dir, "stats", "-watch", "-interval", "20ms")
	var seen strings.Builder
	buffer := make([]byte, 4096)
	for strings.Count(seen.String(), clearScreen) < 3 {
		n, err := keyboard.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		seen.Write(buffer[:n])
	}
	interrupt(t, cmd, wait)
	for i, text := range strings.Split(seen.String(), clearScreen)[:3] {
		if i == 0 {
			if text != "" {
				t.Errorf("before the first print: %q", text)
			}
			continue
		}
		if lines := strings.Count(text, "\n"); !strings.HasPrefix(text, "demo: ") || lines != height-1 || !strings.HasSuffix(text, "more lines: make the window taller\r\n") {
			t.Errorf("%d lines\n%s", lines, text)
		}
	}
}

func TestWatchEndsWithTheServer(t *testing.T) {
	dir, stop := serveUntil(t, "demo", nil)
	out, _, wait := piped(t, dir, "stats", "-watch", "-interval", "20ms")
	lines := bufio.NewReader(out)
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	stop()
	_, _ = io.Copy(io.Discard, lines)
	if got := wait(); got.status != 1 || got.stderr != "client: the server of service \"demo\" has ended, or is shutting down\n" {
		t.Errorf("%+v", got)
	}
}
