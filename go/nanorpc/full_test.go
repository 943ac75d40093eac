package nanorpc_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nanorpc/go/internal/rendezvous"
	"nanorpc/go/internal/trial"
	"nanorpc/go/nanorpc"
)

// numberVariable says how often a role does what it does. It prints a line each time.
const numberVariable = "NANORPC_TEST_NUMBER"

// eachTime does something as often as the test wants, and says so.
func eachTime(do func() error) error {
	n, err := strconv.Atoi(os.Getenv(numberVariable))
	if err != nil {
		return err
	}
	for i := range n {
		if err := do(); err != nil {
			return fmt.Errorf("time %d: %w", i, err)
		}
		fmt.Println("done")
	}
	return nil
}

// mustSucceedInNamespace runs a role that mounts another /dev/shm for itself.
func mustSucceedInNamespace(t *testing.T, role, name string) {
	t.Helper()
	inNamespace := func(c *exec.Cmd) {
		c.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
		}
	}
	const full = 100
	r := trial.Begin(t, name, "times", full)
	probe := exec.Command("true")
	inNamespace(probe)
	if err := probe.Run(); err != nil {
		t.Skip("user namespaces are not allowed here:", err)
	}
	total := trial.Size(full, 2)
	c := startRole(t, role, t.TempDir(), inNamespace, func(c *exec.Cmd) { c.Env = append(c.Env, fmt.Sprint(numberVariable, "=", total)) })
	for {
		if line, err := c.stdout.ReadString('\n'); err != nil || line != "done\n" {
			break
		}
		r.Try(1, total)
	}
	if err := c.Wait(); err != nil {
		r.Lose("%v: %s", err, c.stderr.String())
	}
}

// mountSharedMemory gives this process, and its children, a /dev/shm of its own.
func mountSharedMemory(size string) error {
	return unix.Mount("none", "/dev/shm", "tmpfs", 0, "size="+size)
}

// fill takes what /dev/shm has left, but for some bytes, and returns what gives it back.
func fill(but int) (empty func() error, err error) {
	filler, err := os.Create("/dev/shm/filler")
	if err != nil {
		return nil, err
	}
	for err == nil {
		_, err = filler.Write(make([]byte, 4096))
	}
	if !errors.Is(err, unix.ENOSPC) {
		return nil, err
	}
	info, err := filler.Stat()
	if err != nil {
		return nil, err
	}
	return func() error { return errors.Join(filler.Close(), os.Remove(filler.Name())) }, filler.Truncate(info.Size() - int64(but))
}

// isFull checks that an error says that /dev/shm is full, and what to do.
func isFull(what string, err error) error {
	if !errors.Is(err, nanorpc.ErrExhausted) || !strings.Contains(err.Error(), "/dev/shm is full") || !strings.Contains(err.Error(), "remount") {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// echoBytes makes a call with a request and a reply of so many bytes.
func echoBytes(ctx context.Context, c *nanorpc.Client, size int) error {
	reply, err := c.Call(ctx, "echo", make([]byte, size))
	if err == nil && len(reply) != size {
		err = fmt.Errorf("%d bytes echo as %d", size, len(reply))
	}
	return err
}

// TestFullSharedMemory runs a server and its clients where /dev/shm has 6 MiB.
func TestFullSharedMemory(t *testing.T) { mustSucceedInNamespace(t, "full-shm", "/dev/shm full") }

func fillSharedMemory(where nanorpc.Option) error {
	if err := mountSharedMemory("6m"); err != nil {
		return err
	}
	srv, err := newTestServer(where)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	served := make(chan error)
	go func() { served <- srv.Serve(ctx) }()
	ready()
	err = eachTime(func() error {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		return errors.Join(growBeyond(ctx, where), allGivenBack(ctx), connectUntilFull(ctx, where), allGivenBack(ctx))
	})
	cancel()
	return errors.Join(err, <-served)
}

// growBeyond has one client ask for more than there is, over and over.
func growBeyond(ctx context.Context, where nanorpc.Option) error {
	client, err := nanorpc.Dial(ctx, service, where)
	if err != nil {
		return err
	}
	defer client.Close()
	for range 3 {
		err := errors.Join(
			echoBytes(ctx, client, 1<<20),
			isFull("a request that does not fit", echoBytes(ctx, client, 5<<20)),
			isFull("a reply that does not fit", echoBytes(ctx, client, 2<<20+1)),
			echoBytes(ctx, client, 1<<20), // what there is goes on to work
			echoBytes(ctx, client, 10),
		)
		if err != nil {
			return err
		}
	}
	return nil
}

// connectUntilFull connects until there is no room: those that are connected go on, and each call that needs more memory fails for itself. When some are gone, others connect.
func connectUntilFull(ctx context.Context, where nanorpc.Option) error {
	empty, err := fill(200 << 10)
	if err != nil {
		return err
	}
	clients, err := dialAll(ctx, where)
	for _, c := range clients {
		defer c.Close()
	}
	if err := isFull("a connection that does not fit", err); err != nil || len(clients) < 10 {
		return fmt.Errorf("%d clients: %w", len(clients), err)
	}
	for _, c := range clients {
		_, replyErr := c.Call(ctx, "pattern", []byte{0, 0, 16, 0, 0, 0, 0, 0})
		_, asyncErr := c.Go(ctx, "echo", make([]byte, 1<<20)).Result()
		_, loanErr := c.Loan(ctx, 1<<20)
		batch := c.NewBatch()
		batch.Add("echo", []byte("small"))
		batch.Add("echo", make([]byte, 1<<20))
		batchErr := batch.Do(ctx)
		small, smallErr := batch.Reply(0)
		if string(small) != "small" {
			smallErr = fmt.Errorf("%q, %w", small, smallErr)
		}
		err := errors.Join(echoBytes(ctx, c, 10), isFull("a request", echoBytes(ctx, c, 1<<20)), isFull("a reply", replyErr), isFull("an asynchronous call", asyncErr),
			isFull("a loan", loanErr), isFull("a batch", batchErr), smallErr, moreSlots(ctx, c), echoBytes(ctx, c, 10))
		if err != nil {
			return err
		}
	}
	// Room for others comes back once the server has noticed that some are gone.
	for _, c := range clients[:len(clients)/2] {
		c.Close()
	}
	for {
		client, err := nanorpc.Dial(ctx, service, where)
		if err == nil {
			defer client.Close()
			err = echoBytes(ctx, client, 10)
			if err != nil {
				return err
			}
			break
		}
		if err := isFull("another connection", err); err != nil {
			return err
		}
	}
	if err := empty(); err != nil {
		return err
	}
	for _, c := range clients[len(clients)/2:] {
		if err := echoBytes(ctx, c, 60_000); err != nil {
			return fmt.Errorf("with room again: %w", err)
		}
	}
	return nil
}

// moreSlots makes more calls at once than have slots in the memory that a connection begins with: each is answered, or told that there is no more.
func moreSlots(ctx context.Context, client *nanorpc.Client) error {
	var calls []*nanorpc.Call
	for range 40 {
		calls = append(calls, client.Go(ctx, "sleep", []byte("1")))
	}
	var err error
	for _, c := range calls {
		reply, failure := c.Result()
		if failure != nil {
			err = errors.Join(err, isFull("a slot", failure))
		} else if string(reply) != "1" {
			err = errors.Join(err, fmt.Errorf("sleep returned %q", reply))
		}
	}
	return err
}

// allGivenBack waits until nothing is left in /dev/shm.
func allGivenBack(ctx context.Context) error {
	for {
		var system unix.Statfs_t
		if err := unix.Statfs("/dev/shm", &system); err != nil {
			return err
		}
		used := system.Blocks - system.Bfree
		if used == 0 {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%d blocks of /dev/shm are left", used)
		}
		time.Sleep(time.Millisecond)
	}
}

// TestPunchedSharedMemory has a client take pages away that a full /dev/shm does not give back: what the server touches then is not there.
func TestPunchedSharedMemory(t *testing.T) {
	mustSucceedInNamespace(t, "punched-shm", "pages taken away, /dev/shm full")
}

func punchSharedMemory(where nanorpc.Option) error {
	if err := mountSharedMemory("2m"); err != nil {
		return err
	}
	srv, err := newTestServer(where)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	served := make(chan error)
	go func() { served <- srv.Serve(ctx) }()
	ready()
	bystander, err := nanorpc.Dial(ctx, service, where)
	if err != nil {
		return err
	}
	err = eachTime(func() error {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		peer, segment, err := rendezvous.Dial(ctx, os.Getenv(directoryVariable), service, rendezvous.Trust{})
		if err != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond) // the server's leader sleeps now, and looks at the memory again before it parks
		if err := unix.Fallocate(int(segment.File.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, segment.Size); err != nil {
			return err
		}
		empty, err := fill(0)
		if err != nil {
			return err
		}
		if err := echoBytes(ctx, bystander, 10); err != nil {
			return err
		}
		peer.WaitEnd(nil) // the server has ended it
		return errors.Join(peer.Close(), segment.File.Close(), empty(), echoBytes(ctx, bystander, 100_000))
	})
	cancel()
	return errors.Join(err, bystander.Close(), <-served)
}
