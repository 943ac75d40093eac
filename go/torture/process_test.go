package torture

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// state is what a process has of the system.
type state struct {
	descriptors int
	segments    int // mapped
}

// stateOf returns the state of a process. What is gone meanwhile counts as nothing.
func stateOf(pid int) state {
	entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	maps, _ := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	return state{descriptors: len(entries), segments: strings.Count(string(maps), "/dev/shm/") + strings.Count(string(maps), "/memfd:nanorpc")}
}

// ownMemory returns how many bytes of memory a process has beside files and shared memory.
func ownMemory(t testing.TB, pid int) int64 {
	t.Helper()
	bytes, err := readOwnMemory(pid)
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

// readOwnMemory is ownMemory for processes that may end.
func readOwnMemory(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	var kib int64
	_, tail, _ := strings.Cut(string(status), "RssAnon:")
	_, err = fmt.Sscan(tail, &kib)
	return kib << 10, err
}

// queued returns for how long the threads of a process have waited for a CPU since they began, all together: they could have run, and others did.
func queued(pid int) time.Duration {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	var sum time.Duration
	for _, thread := range threads {
		text, _ := os.ReadFile(thread)
		var ran, waited time.Duration
		_, _ = fmt.Sscan(string(text), &ran, &waited) // of a thread that has ended: nothing
		sum += waited
	}
	return sum
}

// isStopped reports whether a process has been stopped.
func isStopped(pid int) bool {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, tail, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(tail, "T")
}

// sharedMemory returns how many bytes of /dev/shm are taken, by whomever.
func sharedMemory(t testing.TB) int64 {
	t.Helper()
	var fs unix.Statfs_t
	if err := unix.Statfs("/dev/shm", &fs); err != nil {
		t.Fatal(err)
	}
	return int64(fs.Blocks-fs.Bfree) * fs.Bsize
}

// names returns how many files of /dev/shm have names of NanoRPC's.
func names(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/dev/shm")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if strings.Contains(e.Name(), "nanorpc") {
			n++
		}
	}
	return n
}
