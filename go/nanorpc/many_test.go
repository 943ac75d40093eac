package nanorpc_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"nanorpc/go/nanorpc"
)

// TestThousandClients connects a thousand clients, all of which call, and then only one. The idle ones take no thread and no CPU, and little memory.
func TestThousandClients(t *testing.T) {
	dir := t.TempDir()
	server := startRole(t, "server", dir)
	where := nanorpc.WithDirectory(dir)
	before := residentSet(t, server.Process.Pid)
	const many = 1000
	clients := make([]*nanorpc.Client, many)
	for i := range clients {
		clients[i] = dial(t, where)
		mustEcho(t, clients[i], []byte("hello"))
	}
	// Leaders park after some time without calls; threads that Go has made for them stay, but no more are made than were busy at once.
	const bound = 8
	waitUntil(t, "the idle connections' threads sleep elsewhere", func() bool { return waiting(t, server.Process.Pid) <= bound })
	t.Logf("%d clients: %d threads of the server, %d in futex waits; %d KiB of memory each", many,
		countThreads(t, server.Process.Pid), waiting(t, server.Process.Pid), (residentSet(t, server.Process.Pid)-before)/many)

	// Of those that wait for calls 64 sleep at most; the others are the runtime's own.
	if threads := countThreads(t, server.Process.Pid); threads > 64+32 {
		t.Errorf("the server has %d threads", threads)
	}

	waitUntil(t, "the server with idle clients uses no CPU", func() bool {
		const window = time.Second
		used := cpuTime(t, server.Process.Pid)
		time.Sleep(window)
		return cpuTime(t, server.Process.Pid)-used <= window/50 // two ticks of the clock by which it is measured
	})
	// Every one is rung for and answered.
	for i := range clients {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		if _, err := clients[i].Call(ctx, "echo", []byte("again")); err != nil {
			t.Fatalf("client %d after idling: %v", i, err)
		}
		cancel()
	}
	runtime.KeepAlive(clients)
}

func waitUntil(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it does not happen that %s", what)
		}
	}
}

func countThreads(t *testing.T, pid int) int {
	t.Helper()
	tasks, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), "task"))
	if err != nil {
		t.Fatal(err)
	}
	return len(tasks)
}

// waiting counts the threads in futex waits of shared words: idle threads of Go's wait for private ones (futex_wait_queue is both), so those are
// told apart by the system call's operation (proc_pid_syscall(5)).
func waiting(t *testing.T, pid int) int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task/*/syscall"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, name := range files {
		b, err := os.ReadFile(name)
		fields := strings.Fields(string(b))
		if err != nil || len(fields) < 3 {
			continue // the thread has ended, or runs
		}
		const futexWaitBitset = "0x9" // without FUTEX_PRIVATE_FLAG
		if fields[2] == futexWaitBitset {
			n++
		}
	}
	return n
}

// residentSet returns the memory of a process in KiB.
func residentSet(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if text, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.Atoi(strings.Fields(text)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("no VmRSS")
	return 0
}
