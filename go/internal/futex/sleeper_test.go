package futex

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Who sleeps for a millisecond at a time has the runtime's monitor woken for it a small part as often as who gives up its P each time, as long as it may keep its P.
func TestSleeperLetsTheMonitorSleep(t *testing.T) {
	if runtime.GOMAXPROCS(0) < 2 {
		t.Skip("with one P nobody keeps it")
	}
	const sleeps = 300
	others := func(sleep func(word *uint32, end int64)) float64 {
		for end := Now() + int64(50*time.Millisecond); Now() < end; { // what was before has gone to sleep, and the last sleep was as short as those to come
			wait(sleep)
		}
		before := switches(t)
		for range sleeps {
			wait(sleep)
		}
		return float64(switches(t)-before)/sleeps - 1
	}
	gives := others(func(word *uint32, end int64) { WaitLong(word, 0, end) })
	var s Sleeper
	keeps := others(func(word *uint32, end int64) { s.Sleep(word, 0, end) })
	runtime.LockOSThread() // as one called from C
	defer runtime.UnlockOSThread()
	locked := others(func(word *uint32, end int64) { s.Sleep(word, 0, end) })
	t.Logf("switches of other threads for each sleep: %.2f with WaitLong, %.2f with a Sleeper, %.2f for a goroutine with its own thread", gives, keeps, locked)
	if keeps > gives/2 || locked > gives*2/3 {
		t.Error("the P has not been kept")
	}
}

func wait(sleep func(word *uint32, end int64)) {
	var nobodyWakes uint32
	for end := Now() + int64(time.Millisecond); Now() < end; {
		sleep(&nobodyWakes, end)
	}
}

// switches returns how often the threads of this process have gone to sleep.
func switches(t *testing.T) (sum int) {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		status, err := os.ReadFile(task)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(status), "\nvoluntary_ctxt_switches:")
		n := 0
		if _, err := fmt.Sscan(rest, &n); err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}
