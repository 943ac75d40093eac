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
				return launch(t, "player", dir, append(variables, fmt.Sprintf("%s=%d", numberVariable, calls), fmt.Sprintf("%s=%d", serverVariable, server.Process.Pid))...)
			})
			// The player prints how many calls it has made, and at last how many stalls and slow calls there were, and of the slowest call the time in ns, and for how many ns of it
			// the two processes had to wait for a CPU.
			made, n, stalls, slow, longest, waited := 0, 0, 0, 0, int64(0), int64(0)
			for made < calls {
				if _, err := fmt.Fscanln(player.stdout, &n); err != nil {
					r.lose("GOMAXPROCS %d, CPUs %v, after %d calls: %v: %s", processors, cpus, made, err, player.stderr.String())
					break
				}
				made += n
				r.tried(n, total)
			}
			_, err := fmt.Fscanln(player.stdout, &stalls, &slow, &longest, &waited)
			if err != nil || !player.wait() || player.err != nil || stalls > 0 {
				r.lose("GOMAXPROCS %d, CPUs %v: %d stalls, the longest call took %v: %v, %v, %s", processors, cpus, stalls, time.Duration(longest), err, player.err, player.stderr.String())
			}
			r.note("GOMAXPROCS %d, CPUs %v: %d of %d calls took more than %v; the slowest %v, of which the processes waited for a CPU for %v",
				processors, cpus, slow, made, slowCall, time.Duration(longest), time.Duration(waited))
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

// serverVariable names the process of the server, for the player to see whether that could run.
const serverVariable = "NANORPC_TEST_SERVER"

// play makes calls, one after the other. A stall is a second without a reply, beside the time for which threads of either process have waited for a CPU, in which this process has run.
func play(dir string) error {
	calls, err := strconv.Atoi(os.Getenv(numberVariable))
	if err != nil {
		return err
	}
	server, err := strconv.Atoi(os.Getenv(serverVariable))
	if err != nil {
		return err
	}
	waiting := func() time.Duration { return queued(os.Getpid()) + queued(server) }
	client, err := nanorpc.Dial(context.Background(), service, nanorpc.WithDirectory(dir))
	if err != nil {
		return err
	}
	defer client.Close()
	var made, stalls, queue atomic.Int64 // queue: waiting at the last look
	go func() {
		const interval, stall = 50 * time.Millisecond, 20
		last, times, before, told := int64(-1), 0, time.Duration(0), false
		for {
			time.Sleep(interval)
			queue.Store(int64(waiting()))
			now := made.Load()
			if now != last {
				last, times, before, told = now, 0, time.Duration(queue.Load()), false
				continue
			}
			times++
			if idle := time.Duration(times)*interval - (time.Duration(queue.Load()) - before); idle >= stall*interval && !told {
				stalls.Add(1)
				told = true
			}
			if times > 20*stall {
				fmt.Fprintln(os.Stderr, "it stands still after", now)
				os.Exit(1)
			}
		}
	}()
	const told = 50_000
	longest, waited, slow := time.Duration(0), time.Duration(0), 0
	rng := rand.New(rand.NewPCG(rand.Uint64(), 0))
	b := make([]byte, minLetter)
	var reply []byte
	for i := range calls {
		request := seal(b, uint64(i), 0, rng)
		started, before := time.Now(), queue.Load()
		if i%1000 < 800 {
			reply, err = client.AppendCall(context.Background(), reply[:0], "echo", request)
		} else {
			reply, err = client.Go(context.Background(), "echo", request).Result()
		}
		if err != nil || string(reply) != string(request) {
			return fmt.Errorf("call %d: %x for %x, %w", i, reply, request, err)
		}
		took := time.Since(started)
		longer := took > longest
		longest = max(longest, took)
		if took > slowCall {
			slow++
			if longer {
				waited = waiting() - time.Duration(before)
			}
		}
		made.Add(1)
		if (i+1)%told == 0 || i+1 == calls {
			fmt.Println(i%told + 1)
		}
	}
	fmt.Println(stalls.Load(), slow, int64(longest), int64(waited))
	return nil
}
