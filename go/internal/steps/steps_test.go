//go:build amd64 && !race

package steps

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// asStepped has this test binary be the process that is stepped.
const asStepped = "stepped"

func TestMain(m *testing.M) {
	if len(os.Args) != 2 || os.Args[1] != asStepped {
		os.Exit(m.Run())
	}
	runtime.LockOSThread()
	fmt.Println(unix.Gettid())
	_, _ = os.Stdin.Read(make([]byte, 1))
	for n := range regions + 1 {
		runtime.Breakpoint()
		work(n)
	}
	fmt.Println("done")
}

const (
	regions = 4
	loops   = 100 // in each, for every system call
)

// work does n times the same.
//
//go:noinline
func work(n int) {
	for range n {
		_, _, _ = unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0)
		for i := range loops {
			sink ^= i
		}
	}
}

var sink int

func TestCount(t *testing.T) {
	c := exec.Command(os.Args[0], asStepped)
	c.Env = append(os.Environ(), "GOGC=off")
	c.Stderr = os.Stderr
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill() })
	lines := bufio.NewReader(stdout)
	var thread int
	if _, err := fmt.Fscanln(lines, &thread); err != nil {
		t.Fatal(err)
	}
	counted, err := Count(c.Process.Pid, thread, regions, func() { _, _ = stdin.Write([]byte{1}) })
	if errors.Is(err, unix.EPERM) {
		t.Skip("no process may trace another here:", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	none := counted[0].Steps
	each := counted[1].Steps - none
	if each < 3*loops || each > 10*loops {
		t.Errorf("%d steps for %d times around a loop", each, loops)
	}
	for n, r := range counted {
		if r.Steps != none+n*each || r.Syscalls != n || r.Pauses != 0 {
			t.Errorf("region %d: %d steps, %d system calls, %d pauses; want %d, %d and 0", n, r.Steps, r.Syscalls, r.Pauses, none+n*each, n)
		}
		if all := r.Sum(func(uint64) bool { return true }); all != r.Steps {
			t.Errorf("region %d: %d steps, at known addresses %d", n, r.Steps, all)
		}
	}
	// It has not been harmed.
	if line, err := lines.ReadString('\n'); err != nil || line != "done\n" {
		t.Errorf("it ends with %q, %v", line, err)
	}
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
}
