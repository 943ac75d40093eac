package torture

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// hostileGrowth is by how much the memory of a process that a hostile peer works on may grow: a race detector's part is in it.
const hostileGrowth = 256 << 20

// watcher looks at the memory of a process until it is told to stop.
type watcher struct {
	most    int64
	stopped chan struct{}
	done    sync.WaitGroup
}

// watchMemory starts a watcher.
func watchMemory(pid int) *watcher {
	w := &watcher{stopped: make(chan struct{})}
	w.done.Go(func() {
		for {
			if now, err := readOwnMemory(pid); err == nil {
				w.most = max(w.most, now)
			}
			select {
			case <-w.stopped:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
	return w
}

// stop returns the most bytes that the process has had.
func (w *watcher) stop() int64 {
	close(w.stopped)
	w.done.Wait()
	return w.most
}

// cpuTime returns the CPU time that a process has used, to 10 ms.
func cpuTime(pid int) time.Duration {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, tail, _ := strings.Cut(string(stat), ") ")
	var skip string
	var user, system time.Duration
	_, _ = fmt.Sscan(tail, &skip, &skip, &skip, &skip, &skip, &skip, &skip, &skip, &skip, &skip, &skip, &user, &system)
	const tick = 10 * time.Millisecond // USER_HZ is 100 everywhere
	return (user + system) * tick
}

// rests reports whether a process comes to use no CPU.
func rests(pid int) bool {
	return within(patience, func() bool {
		before := cpuTime(pid)
		time.Sleep(200 * time.Millisecond)
		return cpuTime(pid)-before <= 10*time.Millisecond
	})
}
