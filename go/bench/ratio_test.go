//go:build !race

package bench

import (
	"testing"

	"golang.org/x/sys/unix"
)

const (
	// A call takes about twice the floor. One that sleeps, or makes a system call, takes twenty times as long or more.
	maxRatio = 6.0
	// The floor takes less than a hundredth of a Unix socket's time. Where it takes more than a tenth its two processes have not had their CPUs at the same time, and it is none.
	maxFloor = 0.1
	// ratioRuns is how often that is tried. Where others use the CPUs the best rounds may not be alike; what is slow is slow each time.
	ratioRuns = 10
)

// TestCallsStayNearTheFloor compares the best round's median of a call with that of two processes that only spin on two cache lines.
func TestCallsStayNearTheFloor(t *testing.T) {
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		t.Fatal(err)
	}
	if allowed.Count() < 2 {
		t.Skip("this process may use one CPU only: there both ends of a call sleep, and the floor is none")
	}
	c := quick(t, "limit", "nanorpc", "uds")
	c.Calls, c.DurationMS, c.Rounds, c.WarmUpMS = 0, 30, 5, 5
	var ratios []float64
	for range ratioRuns {
		best := map[string]float64{}
		ok := t.Run("run", func(t *testing.T) { // its directory lies in that of the test, and goes with it
			for _, r := range runToEnd(t, c).Results() {
				if r.Errors != 0 || r.P50LowNS <= 0 {
					t.Fatalf("%+v", r)
				}
				best[r.Transport] = float64(r.P50LowNS)
			}
		})
		if !ok {
			return
		}
		if best["limit"] > maxFloor*best["uds"] {
			continue
		}
		ratio := best["nanorpc"] / best["limit"]
		if ratio < maxRatio {
			t.Logf("a call takes %.1f times the floor", ratio)
			return
		}
		ratios = append(ratios, ratio)
	}
	if len(ratios) == 0 {
		t.Skip("others use the CPUs: two processes that only spin take as long as a Unix socket")
	}
	t.Errorf("a call takes %.1f times the floor in %d runs: %v is too much", ratios, len(ratios), maxRatio)
}
