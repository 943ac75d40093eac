package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Subcommands of the test binary.
const (
	asPeer      = "peer"      // the peer process
	asCaller    = "caller"    // a client that a test commands
	asBenchmark = "benchmark" // a process that runs the Config in its argument
)

func TestMain(m *testing.M) {
	if len(os.Args) != 3 {
		os.Exit(m.Run())
	}
	var err error
	switch ctx := context.Background(); os.Args[1] {
	case asPeer:
		err = RunPeer(ctx, os.Args[2], os.Stdin, os.Stdout, faults()...)
	case asCaller:
		err = RunCaller(ctx, os.Args[2], os.Stdin, os.Stdout, faults()...)
	case asBenchmark:
		err = runBenchmark(ctx, os.Args[2])
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runBenchmark(ctx context.Context, config string) error {
	c, err := ParseConfig(config)
	if err != nil {
		return err
	}
	r, err := Start(ctx, c)
	if err != nil {
		return err
	}
	return r.Wait()
}

func self(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// quick returns a Config that takes little time, also with the race detector.
func quick(t testing.TB, transports ...string) Config {
	c := DefaultConfig()
	c.Transports, c.Sizes, c.Calls, c.Rounds = transports, []int{64}, 20, 1
	c.PeerCommand = []string{self(t), asPeer}
	return c
}

// endless returns a Config of which no test awaits the end.
func endless(t testing.TB, transports ...string) Config {
	c := quick(t, transports...)
	c.Calls, c.DurationMS, c.Rounds = 0, MaxDuration.Milliseconds(), MaxRounds
	return c
}

// startRun starts a run, whose private files must be gone at the end of the test.
func startRun(t *testing.T, c Config) *Run {
	t.Helper()
	dir := privateTemp(t)
	r, err := Start(t.Context(), c, faults()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Stop()
		_ = r.Wait()
		wantEmpty(t, dir)
		if left := children(t, os.Getpid()); len(left) > 0 {
			t.Errorf("processes left: %v", left)
		}
	})
	return r
}

// runToEnd runs all of c, which must not fail.
func runToEnd(t *testing.T, c Config) *Run {
	t.Helper()
	r := startRun(t, c)
	if err := r.Wait(); err != nil {
		t.Fatal(err)
	}
	return r
}

// privateTemp makes temporary files go to a directory of the test. Socket paths are short, so t.TempDir would not do for long test names.
func privateTemp(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "bench-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("TMPDIR", dir)
	return dir
}

func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("left behind: %s", filepath.Join(dir, e.Name()))
	}
}

// await polls until condition holds, for longer than any machine takes.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for limit := time.Now().Add(2 * time.Minute); time.Now().Before(limit); time.Sleep(5 * time.Millisecond) {
		if condition() {
			return
		}
	}
	t.Fatalf("%s: did not happen", what)
}

// children returns the peers among the children of a process, by transport, and the clients, by "client" and number.
func children(t *testing.T, parent int) map[string]int {
	t.Helper()
	found := make(map[string]int)
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // has ended
		}
		// pid (name) state ppid, proc(5)
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if fields[0] == "Z" || fields[1] != strconv.Itoa(parent) {
			continue
		}
		arguments, err := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		if err != nil {
			continue
		}
		var p processParams
		argv := strings.Split(strings.TrimSuffix(string(arguments), "\x00"), "\x00")
		if json.Unmarshal([]byte(argv[len(argv)-1]), &p) != nil {
			continue
		}
		name := p.Transport
		if p.Client != nil {
			name = fmt.Sprint("client ", p.Client.Number)
		}
		if name == "" {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			t.Fatal(err)
		}
		found[name] = pid
	}
	return found
}
