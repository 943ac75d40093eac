package nanorpc_test

import (
	"context"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"nanorpc/go/nanorpc"
)

func TestCallsDoNotAllocate(t *testing.T) {
	dir := t.TempDir()
	startRole(t, "server", dir)
	client := dial(t, nanorpc.WithDirectory(dir))
	ctx := context.Background()
	for _, size := range []int{0, 64, 4096, 1 << 20} {
		request, reply := make([]byte, size), make([]byte, 0, size)
		allocations := testing.AllocsPerRun(100, func() {
			if _, err := client.AppendCall(ctx, reply, "echo", request); err != nil {
				t.Fatal(err)
			}
		})
		if allocations != 0 {
			t.Errorf("a call with %d bytes makes %v allocations", size, allocations)
		}
	}
}

// TestIdleServerSleeps has ten clients that have called and now do not.
func TestIdleServerSleeps(t *testing.T) {
	dir := t.TempDir()
	server := startRole(t, "server", dir)
	where := nanorpc.WithDirectory(dir)
	for range 10 {
		client := dial(t, where)
		for range 1000 {
			mustEcho(t, client, []byte("busy"))
		}
	}
	const window = 2 * time.Second
	time.Sleep(window / 4) // spinning has faded out
	before := cpuTime(t, server.Process.Pid)
	time.Sleep(window)
	used := cpuTime(t, server.Process.Pid) - before
	t.Logf("the idle server used %v of CPU in %v", used, window)
	if used > window/20 { // a spinning connection would use all of a CPU
		t.Errorf("the idle server used %v of CPU in %v", used, window)
	}
}

// cpuTime returns the user and system time of a process (proc_pid_stat(5)).
func cpuTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	const ticksPerSecond = 100 // USER_HZ
	return time.Duration(ticks) * time.Second / ticksPerSecond
}

// BenchmarkCall is a round trip to another process. ./benchmark compares it with other transports.
func BenchmarkCall(b *testing.B) {
	dir := b.TempDir()
	startRole(b, "server", dir)
	ctx := context.Background()
	client, err := nanorpc.Dial(ctx, service, nanorpc.WithDirectory(dir))
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	for _, size := range []int{64, 4096, 65536} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			request, reply := make([]byte, size), make([]byte, 0, size)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := client.AppendCall(ctx, reply, "echo", request); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestNeitherEndAllocates has both ends in this process, of which testing counts all allocations.
func TestNeitherEndAllocates(t *testing.T) {
	srv, where, _ := startServer(t)
	if err := srv.HandleRaw("raw", func(_ context.Context, x *nanorpc.Exchange) error {
		reply, err := x.Reply(len(x.Request()))
		if err == nil && len(reply) > 0 {
			reply[0] = x.Request()[0]
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	client := dial(t, where)
	ctx := context.Background()
	for _, size := range []int{1, 64, 4096, 1 << 20} {
		request, reply := make([]byte, size), make([]byte, 0, size)
		for name, call := range map[string]func() error{
			"a reply buffer": func() error {
				_, err := client.AppendCall(ctx, reply, "echo", request)
				return err
			},
			"a loan": func() error {
				loan, err := client.Loan(ctx, size)
				if err != nil {
					return err
				}
				loan.Bytes()[0] = 1
				lease, err := loan.Call(ctx, "raw")
				if err != nil {
					return err
				}
				lease.Release()
				return nil
			},
		} {
			if allocations := allocationsOf(t, call); allocations != 0 {
				t.Errorf("calls of %d bytes with %s make %v allocations each, at both ends", size, name, allocations)
			}
		}
	}
	allocating := allocationsOf(t, func() error {
		_, err := client.Call(ctx, "echo", []byte{1})
		return err
	})
	if allocating < 1 {
		t.Errorf("a call that returns a new reply makes %v allocations: they are not counted", allocating)
	}
}

// allocationsOf returns how many allocations a call makes, in the best of some rounds: a server whose handler has been interrupted for long starts goroutines for some time, and Go's
// runtime allocates now and then.
func allocationsOf(t *testing.T, call func() error) float64 {
	t.Helper()
	fewest := math.Inf(1)
	for range 10 {
		fewest = min(fewest, testing.AllocsPerRun(100, func() {
			if err := call(); err != nil {
				t.Fatal(err)
			}
		}))
		if fewest == 0 {
			break
		}
	}
	return fewest
}
