package command

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"nanorpc/go/bench"
)

// asCommand is a variable that makes the test binary the command itself.
const asCommand = "NANORPC_TEST_BENCHMARK"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" || len(os.Args) > 1 && os.Args[1] == peerCommand {
		Main()
	}
	os.Exit(m.Run())
}

// benchmark runs the command in this process.
func benchmark(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, problems bytes.Buffer
	status = run(t.Context(), args, strings.NewReader(""), &out, &problems, nil)
	return status, out.String(), problems.String()
}

func TestJSON(t *testing.T) {
	status, stdout, stderr := benchmark(t, "-transport", "limit,uds,nanorpc", "-size", "64,4KiB", "-n", "30", "-rounds", "2", "-inflight", "2", "-json")
	if status != exitOK || stderr != "" {
		t.Fatalf("status %d: %s", status, stderr)
	}
	keys := []string{"transport", "size_bytes", "clients", "fair_share_low", "inflight", "calls", "mean_ns", "p50_ns", "p99_ns", "p999_ns", "calls_per_s", "errors", "client_cpu_ns", "server_cpu_ns",
		"rounds", "p50_low_ns", "p50_high_ns"}
	slices.Sort(keys)
	var cases []string
	for line := range strings.Lines(stdout) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		var got []string
		for key, value := range object {
			got = append(got, key)
			if _, isNumber := value.(float64); !isNumber && key != "transport" {
				t.Errorf("%s is %v, not a number", key, value)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, keys) {
			t.Errorf("keys %v", got)
		}
		if object["calls"] != 60.0 || object["inflight"] != 2.0 || object["errors"] != 0.0 {
			t.Errorf("%s", line)
		}
		cases = append(cases, fmt.Sprint(object["transport"], object["size_bytes"]))
	}
	if want := []string{"limit64", "uds64", "nanorpc64", "limit4096", "uds4096", "nanorpc4096"}; !slices.Equal(cases, want) {
		t.Errorf("cases %v", cases)
	}
}

func TestTable(t *testing.T) {
	status, stdout, stderr := benchmark(t, "-transport", "limit,uds", "-size", "64,1k", "-n", "20", "-rounds", "1")
	if status != exitOK || stderr != "" {
		t.Fatalf("status %d: %s", status, stderr)
	}
	for _, want := range []string{"transport", "p99.9", "calls/s", "vs uds", "limit", "64B", "1KiB", "x\n", "1 in flight, 1 round of 20 calls"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
}

func TestTableOfSeveralClients(t *testing.T) {
	status, stdout, stderr := benchmark(t, "-transport", "nanorpc,uds", "-size", "64", "-n", "20", "-rounds", "1", "-clients", "3", "-inflight", "2")
	if status != exitOK || stderr != "" {
		t.Fatalf("status %d: %s", status, stderr)
	}
	for _, want := range []string{"calls/s", "fair ", "3 clients, 2 in flight in each", "1 round of 20 calls"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	if strings.Contains(stdout, "mean  ") {
		t.Errorf("a column too many in\n%s", stdout)
	}
}

func TestOutputFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "results.jsonl")
	status, stdout, stderr := benchmark(t, "-transport", "limit,uds", "-size", "64", "-n", "20", "-rounds", "2", "-output", file)
	if status != exitOK || stderr != "" || !strings.Contains(stdout, "p99.9") {
		t.Fatalf("status %d: %s%s", status, stdout, stderr)
	}
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var transports []string
	for line := range strings.Lines(string(written)) {
		var r bench.Result
		if err := json.Unmarshal([]byte(line), &r); err != nil || r.Calls != 40 {
			t.Errorf("%q: %v", line, err)
		}
		transports = append(transports, r.Transport)
	}
	if !slices.Equal(transports, []string{"limit", "uds"}) {
		t.Errorf("lines for %v", transports)
	}
	// Nothing is measured when the figures could not be kept.
	status, stdout, stderr = benchmark(t, "-n", "1", "-output", filepath.Join(file, "below"))
	if status != exitUsage || stdout != "" || !strings.Contains(stderr, "results.jsonl") {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
}

// The widest figures that occur must fit a terminal.
func TestTableFits(t *testing.T) {
	r := bench.Result{
		Transport: "limit-copy", SizeBytes: 1000 << 10, Inflight: 1, Calls: 1, Rounds: 1,
		P50NS: 888.8e3, P50LowNS: 100.1e3, P50HighNS: 9999e3, P99NS: 88.88e6, P999NS: 888.8e6, MeanNS: 88.88e3, CallsPerS: 888.8e3,
	}
	uds := r
	uds.Transport, uds.P50NS = "uds", 7777*r.P50NS
	several := bench.DefaultConfig()
	several.Clients, several.Inflight = bench.MaxClients, bench.MaxInflight
	for _, config := range []bench.Config{bench.DefaultConfig(), several} {
		table := (&tableReport{config: config}).render([]bench.Result{r, uds})
		for line := range strings.Lines(table) {
			if width := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); width > 80 {
				t.Errorf("%d columns:\n%s", width, table)
			}
		}
		if !strings.Contains(table, "7777x") {
			t.Errorf("no ratio in\n%s", table)
		}
	}
}

func TestUsageErrors(t *testing.T) {
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"-transport", "pigeon"}, `unknown transport "pigeon": use some of limit`},
		{[]string{"-transport", "uds,"}, "empty name"},
		{[]string{"-size", "64,many"}, `"many" is no size: use bytes`},
		{[]string{"-size", "-1"}, "no size"},
		{[]string{"-size", "1G"}, "no size"},
		{[]string{"-size", "65M"}, "size of 68157440 bytes: use 0 to"},
		{[]string{"-clients", "0"}, "0 clients: use 1 to 64"},
		{[]string{"-clients", "65"}, "65 clients: use 1 to 64"},
		{[]string{"-clients", "3", "-n", "2"}, "2 calls for 3 clients: use at least one for each"},
		{[]string{"-inflight", "0"}, "0 calls in flight: use 1 to"},
		{[]string{"-rounds", "0"}, "0 rounds: use 1 to"},
		{[]string{"-n", "0"}, "use at least 1"},
		{[]string{"-n", "5", "-duration", "1s"}, "not both"},
		{[]string{"-duration", "0s"}, "duration of 0 ms"},
		{[]string{"-duration", "soon"}, "invalid value"},
		{[]string{"-rate", "-5"}, "rate of -5 calls a second: use up to"},
		{[]string{"-warmup", "2m"}, "warm-up of 120000 ms: use up to 60000"},
		{[]string{"-spin", "fast"}, `unknown spin policy "fast": use adaptive, busy or none`},
		{[]string{"-colour"}, "not defined: -colour"},
		{[]string{"uds"}, `unexpected argument "uds"`},
	} {
		status, stdout, stderr := benchmark(t, test.args...)
		if status != exitUsage || stdout != "" || !strings.Contains(stderr, test.says) || !strings.Contains(stderr, "benchmark -h") {
			t.Errorf("%v: status %d\n%s%s", test.args, status, stdout, stderr)
		}
	}
}

func TestHelp(t *testing.T) {
	status, stdout, stderr := benchmark(t, "-h")
	if status != exitOK || stderr != "" {
		t.Fatalf("status %d: %s", status, stderr)
	}
	for _, want := range append(bench.Transports(), "-transport", "-size", "-clients", "-inflight", "-n ", "-duration", "-rounds", "-spin", "-json", "-pin", "-rate", "-warmup",
		"default limit,nanorpc,uds", "default 64B,4KiB,64KiB,1MiB", "closed", "Exit status") {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	for line := range strings.Lines(stdout) {
		if utf8.RuneCountInString(line) > 81 {
			t.Errorf("a long line: %s", line)
		}
	}
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int{"0": 0, "64": 64, "64B": 64, "4k": 4096, "4K": 4096, "4KiB": 4096, "4 kib": 4096, "1M": 1 << 20, "1MiB": 1 << 20} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "k", "1.5k", "-1", "0x10", "9999999999999999999", "9223372036854775807k"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%q: %d", text, got)
		}
	}
}

func TestFormats(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{timeText(152), "152ns"},
		{timeText(999.6), "1.00µs"},
		{timeText(20_140), "20.1µs"},
		{timeText(999_600), "1.00ms"},
		{timeText(2.5e9), "2.50s"},
		{rangeText(980, 1250, 1100), "0.98-1.25"},
		{rangeText(140, 160, 150), "140-160"},
		{countText(12), "12.0"},
		{countText(48_123), "48.1k"},
		{countText(6_530_000), "6.53M"},
		{ratioText(131.7), "132x"},
		{ratioText(1.234), "1.23x"},
		{sizeText(64), "64B"},
		{sizeText(1500), "1500B"},
		{sizeText(64 << 10), "64KiB"},
		{sizeText(1 << 20), "1MiB"},
	} {
		if test.got != test.want {
			t.Errorf("%q, want %q", test.got, test.want)
		}
	}
}

// command starts the command in a process of its own, whose temporary files go to dir.
func command(t *testing.T, dir string, args ...string) (*exec.Cmd, io.Reader) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), asCommand+"=1", "TMPDIR="+dir)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, stdout
}

func TestInterrupt(t *testing.T) {
	dir, err := os.MkdirTemp("", "bench-test-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	// The first case of the only round finishes, the second takes seconds.
	cmd, stdout := command(t, dir, "-transport", "limit,uds", "-size", "64", "-n", "300000", "-rounds", "1", "-json")
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() || !strings.Contains(lines.Text(), `"limit"`) {
		t.Fatalf("first line %q, %v", lines.Text(), lines.Err())
	}
	if err := cmd.Process.Signal(unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	if lines.Scan() {
		t.Errorf("another line: %s", lines.Text())
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitInterrupted {
		t.Errorf("%v", err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestCanceledRunPrintsWhatItHas(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &cancelAfterLine{cancel: cancel}
	var stderr bytes.Buffer
	status := run(ctx, []string{"-transport", "limit,uds", "-size", "64", "-n", "1000", "-rounds", "1", "-json"}, strings.NewReader(""), out, &stderr, nil)
	if status != exitInterrupted || strings.Count(out.String(), "\n") != 1 || !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("status %d\n%s%s", status, out, &stderr)
	}
}

// cancelAfterLine is an output that interrupts after its first line.
type cancelAfterLine struct {
	bytes.Buffer
	cancel func()
}

func (c *cancelAfterLine) Write(b []byte) (int, error) {
	defer c.cancel()
	return c.Buffer.Write(b)
}
