//go:build !race

package bench

import (
	"testing"

	"golang.org/x/sys/unix"
)

const (
	// A call takes about twice the floor. One that sleeps, or makes a system call, takes twenty times as long or more.
	maxRatio = 6.0
	// Of a Unix socket's time it takes a hundredth.
	maxShare = 0.5
	// ratioRuns is how often that is tried. Where others use the CPUs the best rounds may not be alike; what is slow is slow each time.
	ratioRuns = 20
)

// TestCallsStayNearTheFloor compares the best round's median of a call with that of two processes that only spin on two cache lines, and with that of a Unix socket.
func TestCallsStayNearTheFloor(t *testing.T) {
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		t.Fatal(err)
	}
	if allowed.Count() < 2 {
		t.Skip("this process may use one CPU only: there both ends of a call sleep, and the floor is none")
	}
	var ratio, share float64
	for range ratioRuns {
		c := quick(t, "limit", "nanorpc", "uds")
		c.Calls, c.Rounds, c.WarmUpMS = 2000, 5, 5
		best := map[string]float64{}
		for _, r := range runToEnd(t, c).Results() {
			checkResult(t, c, r)
			best[r.Transport] = float64(r.P50LowNS)
		}
		ratio, share = best["nanorpc"]/best["limit"], best["nanorpc"]/best["uds"]
		if ratio < maxRatio && share < maxShare {
			t.Logf("a call takes %.1f times the floor, and %.3f of the time of a Unix socket", ratio, share)
			return
		}
	}
	t.Errorf("in the last of %d runs a call takes %.1f times the floor, where %v is too much, and %.3f of the time of a Unix socket, where %v is", ratioRuns, ratio, maxRatio, share, maxShare)
}
