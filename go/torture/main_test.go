package torture

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds waits for things that take milliseconds: on a loaded machine they may take long, but not for ever.
const patience = 30 * time.Second

// Tests run other processes as this test binary with one of these roles.
const (
	roleVariable      = "NANORPC_TEST_ROLE"
	directoryVariable = "NANORPC_TEST_DIRECTORY"
	numberVariable    = "NANORPC_TEST_NUMBER"
	pointVariable     = "NANORPC_FAILPOINT"
	service           = "torture"
)

var roles = map[string]func(dir string) error{
	"server":    func(dir string) error { return serve(dir) },
	"besieged":  serveIntruders,
	"trapped":   callTraps,
	"frugal":    serveFrugally,
	"greedy":    takeEverything,
	"bystander": standBy,
	"victim":    useEverything,
	"stopped":   callWithDeadlines,
	"player":    play,
	"late":      callTooLate,
	"soaker":    soak,
	"comer":     comeAndGo,
	"keeper":    serveSecrets,
}

func TestMain(m *testing.M) {
	role := os.Getenv(roleVariable)
	if role == "" {
		os.Exit(m.Run())
	}
	if err := roles[role](os.Getenv(directoryVariable)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child is a process with a role.
type child struct {
	*exec.Cmd
	stdin  io.Closer
	stdout *bufio.Reader
	stderr bytes.Buffer
	ended  chan struct{} // closed when it has been waited for
	err    error         // of Wait, once it has ended
}

// launch starts a process with a role, and variables like NAME=value. It is killed at the end of the test.
func launch(t testing.TB, role, dir string, variables ...string) *child {
	t.Helper()
	return launchProgram(t, exec.Command(os.Args[0]), append([]string{roleVariable + "=" + role, directoryVariable + "=" + dir}, variables...)...)
}

// launchProgram is launch for any program.
func launchProgram(t testing.TB, program *exec.Cmd, variables ...string) *child {
	t.Helper()
	c := &child{Cmd: program, ended: make(chan struct{})}
	c.Env = append(os.Environ(), variables...)
	c.Stderr = &c.stderr
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	// Not StdoutPipe: Wait would close it under its reader.
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stdout, c.stdin, c.stdout = writer, stdin, bufio.NewReader(reader)
	err = c.Start()
	writer.Close()
	if err != nil {
		reader.Close()
		t.Fatal(err)
	}
	go func() {
		c.err = c.Wait()
		close(c.ended)
	}()
	t.Cleanup(func() {
		c.kill()
		reader.Close()
	})
	return c
}

// start is launch for roles that say when they are ready, and waits for that.
func start(t testing.TB, role, dir string, variables ...string) *child {
	t.Helper()
	c := launch(t, role, dir, variables...)
	c.mustGetReady(t, role)
	return c
}

// mustGetReady waits until the process says that it is ready.
func (c *child) mustGetReady(t testing.TB, name string) {
	t.Helper()
	if line, err := c.stdout.ReadString('\n'); err != nil || line != "ready\n" {
		c.kill()
		t.Fatalf("%s did not get ready: %q, %v, stderr: %s", name, line, err, c.stderr.String())
	}
}

func ready() { fmt.Println("ready") }

// kill ends the process with SIGKILL, if it has not ended, and waits until it has.
func (c *child) kill() {
	_ = c.Process.Kill()
	<-c.ended
}

// wait waits until the process has ended by itself, and reports whether it has.
func (c *child) wait() bool {
	select {
	case <-c.ended:
		return true
	case <-time.After(patience):
		return false
	}
}

// diedAt returns when, in ns of CLOCK_MONOTONIC, the process has killed itself at a failpoint, or an error if it has not.
func (c *child) diedAt(point fmt.Stringer) (int64, error) {
	if !c.wait() {
		return 0, fmt.Errorf("it does not come to %s", point)
	}
	var exit *exec.ExitError
	if !errors.As(c.err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != unix.SIGKILL {
		return 0, fmt.Errorf("it has ended before %s: %w: %s", point, c.err, c.stderr.String())
	}
	var at int64
	_, tail, ok := strings.Cut(c.stderr.String(), point.String()+" ")
	if _, err := fmt.Sscan(tail, &at); !ok || err != nil {
		return 0, fmt.Errorf("it has been killed, but not at %s: %s", point, c.stderr.String())
	}
	return at, nil
}

// launchOn is launch on the given CPUs.
func launchOn(t testing.TB, cpus []int, launch func() *child) *child {
	t.Helper()
	runtime.LockOSThread() // a child inherits its CPUs from the thread that starts it
	defer runtime.UnlockOSThread()
	var before, set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		t.Fatal(err)
	}
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.SchedSetaffinity(0, &before); err != nil {
			t.Error(err)
		}
	}()
	return launch()
}

// stdinEnds returns a context that ends with the standard input: when the test says so, or has died.
func stdinEnds() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return ctx
}

// monotonic returns CLOCK_MONOTONIC in ns.
func monotonic() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err)
	}
	return ts.Nano()
}

// within waits until the condition holds, and reports whether it does in time.
func within(d time.Duration, condition func() bool) bool {
	for end := time.Now().Add(d); !condition(); time.Sleep(200 * time.Microsecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}
