package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nanorpc/go/internal/failpoint"
	"nanorpc/go/nanorpc"
)

// slowCall is what a call never takes while both ends run, but would if a server missed a wake-up: it looks for calls again before it parks, after 100 ms.
const slowCall = 90 * time.Millisecond

// TestLostWakeUps has one client and one server play ping-pong. With the tag failpoints chance decides how long they spin, from not at all, and pauses them at all points.
func TestLostWakeUps(t *testing.T) {
	const full = 100_000_000
	r := begin(t, "lost wake-ups", "calls", full)
	total := size(full, 30_000)
	sets := cpuSets(t)
	for _, processors := range []int{1, 2, 4} {
		for _, cpus := range sets {
			dir := t.TempDir()
			calls := total / (3 * len(sets))
			variables := []string{"NANORPC_CHANCE=1", fmt.Sprintf("GOMAXPROCS=%d", processors)}
			server := launchOn(t, cpus, func() *child { return start(t, "server", dir, variables...) })
			player := launchOn(t, cpus, func() *child {
				return launch(t, "player", dir, append(variables, fmt.Sprintf("%s=%d", numberVariable, calls))...)
			})
			// The player prints how many calls it has made, and at last how many stalls and slow calls there were, and of the slowest call the time in ns, and how often the watchdog has run in it.
			made, n, stalls, slow, longest, ran := 0, 0, 0, 0, int64(0), 0
			for made < calls {
				if _, err := fmt.Fscanln(player.stdout, &n); err != nil {
					r.lose("GOMAXPROCS %d, CPUs %v, after %d calls: %v: %s", processors, cpus, made, err, player.stderr.String())
					break
				}
				made += n
				r.tried(n, total)
			}
			_, err := fmt.Fscanln(player.stdout, &stalls, &slow, &longest, &ran)
			if err != nil || !player.wait() || player.err != nil || stalls > 0 {
				r.lose("GOMAXPROCS %d, CPUs %v: %d stalls, the longest call took %v: %v, %v, %s", processors, cpus, stalls, time.Duration(longest), err, player.err, player.stderr.String())
			}
			r.note("GOMAXPROCS %d, CPUs %v: %d of %d calls took more than %v; the slowest %v, in which its process ran %d times, of every 50 ms",
				processors, cpus, slow, made, slowCall, time.Duration(longest), ran)
			player.kill()
			server.kill()
		}
	}
	r.note("spins of random length: %v", failpoint.Enabled)
}

// cpuSets returns one CPU, and two if there are so many.
func cpuSets(t testing.TB) [][]int {
	t.Helper()
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		t.Fatal(err)
	}
	var cpus []int
	for cpu := 0; len(cpus) < min(2, set.Count()); cpu++ {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	if len(cpus) == 1 {
		return [][]int{cpus}
	}
	return [][]int{cpus[:1], cpus}
}

// play makes calls, one after the other. A stall is a second without a reply, in which this process has run.
func play(where nanorpc.Option) error {
	calls, err := strconv.Atoi(os.Getenv(numberVariable))
	if err != nil {
		return err
	}
	client, err := nanorpc.Dial(context.Background(), service, where)
	if err != nil {
		return err
	}
	defer client.Close()
	var made, stalls, ticks atomic.Int64
	go func() {
		const interval, stall = 50 * time.Millisecond, 20
		last, times := int64(-1), 0
		for {
			time.Sleep(interval)
			ticks.Add(1)
			if now := made.Load(); now != last {
				last, times = now, 0
			} else if times++; times == stall {
				stalls.Add(1)
			} else if times > 20*stall {
				fmt.Fprintln(os.Stderr, "it stands still after", now)
				os.Exit(1)
			}
		}
	}()
	const told = 50_000
	longest, ran, slow := time.Duration(0), int64(0), 0
	rng := rand.New(rand.NewPCG(rand.Uint64(), 0))
	b := make([]byte, minLetter)
	var reply []byte
	for i := range calls {
		request := seal(b, uint64(i), 0, rng)
		started, before := time.Now(), ticks.Load()
		if i%1000 < 800 {
			reply, err = client.AppendCall(context.Background(), reply[:0], "echo", request)
		} else {
			reply, err = client.Go(context.Background(), "echo", request).Result()
		}
		if err != nil || string(reply) != string(request) {
			return fmt.Errorf("call %d: %x for %x, %w", i, reply, request, err)
		}
		took := time.Since(started)
		if took > longest {
			longest, ran = took, ticks.Load()-before
		}
		if took > slowCall {
			slow++
		}
		made.Add(1)
		if (i+1)%told == 0 || i+1 == calls {
			fmt.Println(i%told + 1)
		}
	}
	fmt.Println(stalls.Load(), slow, int64(longest), ran)
	return nil
}
