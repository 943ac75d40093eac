package nanorpc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nanorpc/go/internal/trial"
	"nanorpc/go/nanorpc"
)

// groupMemory is what the processes of a control group may have together.
const groupMemory = 64 << 20

// memoryGroup makes a control group with that limit, of either version, and returns its directory. It skips the test where that is not allowed.
func memoryGroup(t *testing.T) string {
	t.Helper()
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Skip("no control groups:", err)
	}
	for line := range strings.Lines(string(groups)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) < 3 {
			continue
		}
		root, limit := "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
		switch fields[1] {
		case "memory":
		case "":
			root, limit = "/sys/fs/cgroup", "memory.max"
		default:
			continue
		}
		dir := filepath.Join(root, fields[2], fmt.Sprintf("nanorpc-test-%d-%d", os.Getpid(), time.Now().UnixNano()))
		if err := os.Mkdir(dir, 0o755); err != nil {
			continue
		}
		t.Cleanup(func() { eventually(t, "the control group is empty", func() bool { return os.Remove(dir) == nil }) })
		if os.WriteFile(filepath.Join(dir, limit), []byte(strconv.Itoa(groupMemory)), 0) == nil {
			return dir
		}
	}
	t.Skip("no control group whose memory can be limited")
	return ""
}

// enter moves a process to a control group.
func enter(t *testing.T, group string, pid int) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0); err != nil {
		t.Fatal(err)
	}
}

// wasKilled waits for the end of a process that the kernel may have killed because its control group had no more memory, and reports whether it has. Another end fails the test.
func (c *child) wasKilled(t *testing.T) bool {
	t.Helper()
	err := c.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == unix.SIGKILL {
		return true
	}
	if err != nil {
		t.Errorf("%v: %s", err, c.stderr.String())
	}
	return false
}

// lend asks for memory for a request, more than its control group may have, once the standard input ends. It is killed, or has an error.
func lend(where nanorpc.Option) error {
	client, err := nanorpc.Dial(context.Background(), service, where)
	if err != nil {
		return err
	}
	return lendWith(client)
}

func lendSealed(where nanorpc.Option) error {
	client, err := nanorpc.Dial(context.Background(), service, where, nanorpc.WithSeals())
	if err != nil {
		return err
	}
	return lendWith(client)
}

func lendWith(client *nanorpc.Client) error {
	ready()
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	if _, err := client.Loan(context.Background(), 2*groupMemory); !errors.Is(err, nanorpc.ErrExhausted) {
		return fmt.Errorf("twice the memory that there is: %w", err)
	}
	_, err := client.Call(context.Background(), "echo", nil)
	return err
}

// TestMemoryOfControlGroups has one end ask for more shared memory than its control group may have. The kernel kills it, or it has an error; either way the other end goes on.
func TestMemoryOfControlGroups(t *testing.T) {
	const full = 100
	r := trial.Begin(t, "memory limit of control groups", "times", full)
	kinds := []struct {
		what   string
		exceed func(t *testing.T, sealed bool) (killed bool)
		sealed bool
	}{{"servers", growReplies, false}, {"servers, sealed", growReplies, true}, {"clients", growRequests, false}, {"clients, sealed", growRequests, true}}
	killed := make([]int, len(kinds))
	total := trial.Size(full, len(kinds))
	for i := range total {
		kind := kinds[i%len(kinds)]
		r.Run(t, kind.what, total, func(t *testing.T) {
			if kind.exceed(t, kind.sealed) {
				killed[i%len(kinds)]++
			}
		})
	}
	for i, kind := range kinds {
		r.Note("%d %s were killed by the kernel", killed[i], kind.what)
	}
}

// growReplies has a server reply with more than its control group may have. What follows it serves.
func growReplies(t *testing.T, sealed bool) (killed bool) {
	group, dir := memoryGroup(t), t.TempDir()
	server := startRole(t, "server", dir)
	enter(t, group, server.Process.Pid)
	where := nanorpc.WithDirectory(dir)
	options := []nanorpc.DialOption{where}
	if sealed {
		options = append(options, nanorpc.WithSeals())
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client, err := nanorpc.Dial(ctx, service, options...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	mustEcho(t, client, make([]byte, 1<<20))
	loan, err := client.Loan(ctx, 2*groupMemory)
	if err != nil {
		t.Fatal(err)
	}
	_, err = loan.Call(ctx, "echo")
	switch {
	case errors.Is(err, nanorpc.ErrExhausted):
		mustEcho(t, client, nil)
		return false
	case !errors.Is(err, nanorpc.ErrServerGone):
		t.Errorf("the caller has %v", err)
	}
	killed = server.wasKilled(t)
	startRole(t, "server", dir)
	mustEcho(t, dial(t, where), make([]byte, 1<<20))
	return killed
}

// growRequests has a client ask for more than its control group may have. Another client is served on.
func growRequests(t *testing.T, sealed bool) (killed bool) {
	group := memoryGroup(t)
	_, where, dir := startServer(t)
	bystander := dial(t, where)
	role := "lender"
	if sealed {
		role = "sealed-lender"
	}
	client := startRole(t, role, dir)
	enter(t, group, client.Process.Pid)
	client.stdin.Close()
	killed = client.wasKilled(t)
	mustEcho(t, bystander, make([]byte, 1<<20))
	return killed
}
