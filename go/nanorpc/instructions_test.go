//go:build amd64 && !race

package nanorpc_test

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"nanorpc/go/internal/steps"
	"nanorpc/go/nanorpc"
)

var update = flag.Bool("update", false, "write the instructions that calls take to docs/benchmarks.md")

const (
	benchmarks = "../../docs/benchmarks.md"
	// tolerance is how many times as many instructions as the table says a call may take.
	tolerance = 1.1
	// tries is how often a count that is too high is repeated. Where the machine is busy a call may not be like others: a server whose handler has been interrupted
	// for long runs it elsewhere for some time.
	tries = 5
)

// cost is a line of the table: how to count the instructions of a call.
type cost struct {
	name  string
	count func(t *testing.T) int
}

// costs are all but those of Python.
func costs() []cost {
	const regions = 9
	empty := func(t *testing.T) int {
		return least(t, func() []steps.Region { return stepClient(t, "busy", "nothing", 1, regions) }).Steps
	}
	client := func(operation string, size, regions, calls int) func(t *testing.T) int {
		return func(t *testing.T) int {
			r := least(t, func() []steps.Region { return stepClient(t, "busy", operation, size, regions) })
			logFunctions(t, r)
			return (r.Steps - empty(t)) / calls
		}
	}
	server := func(method string, size, regions int, batched bool) func(t *testing.T) int {
		return func(t *testing.T) int {
			r := least(t, func() []steps.Region { return stepServer(t, nanorpc.SpinBusy, method, size, regions, batched) })
			logFunctions(t, r)
			return r.Steps
		}
	}
	return []cost{
		{"Go client, 64 B", client("call", 64, regions, 1)},
		{"Go client, 4 KiB", client("call", 4<<10, regions, 1)},
		{"Go client, loan of 64 KiB", client("loan", 64<<10, regions, 1)},
		{"Go client, 64 B, one of a batch of 16", client("batch", 64, 3, batchCalls)},
		{"Go server, 64 B", server("echo", 64, regions, false)},
		{"Go server, 4 KiB", server("echo", 4<<10, regions, false)},
		{"Go server, raw handler, 64 KiB", server("raw", 64<<10, regions, false)},
		{"Go server, 64 B, one of a batch", server("echo", 64, 31, true)},
	}
}

// logFunctions logs the functions with the most instructions of a region, which a process with this test's program has executed.
func logFunctions(t *testing.T, r steps.Region) {
	t.Helper()
	counts := map[string]int{}
	for address, n := range r.At {
		if f := runtime.FuncForPC(uintptr(address)); f != nil {
			counts[f.Name()] += n
		}
	}
	var names []string
	for name := range counts {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return counts[b] - counts[a] })
	for _, name := range names[:min(len(names), 25)] {
		t.Logf("%8d %s", counts[name], name)
	}
}

// pythonVariable names the Python that has the package nanorpc.
const pythonVariable = "NANORPC_TEST_PYTHON"

// pythonCosts are those of Python's client and server: what is executed in the core, which is Go and a little C, and elsewhere, in the interpreter.
func pythonCosts(t *testing.T) []cost {
	python := os.Getenv(pythonVariable)
	if python == "" {
		t.Logf("without Python: %s is not set", pythonVariable)
		return nil
	}
	version, err := exec.Command(python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])").Output()
	if err != nil {
		t.Fatal(err)
	}
	interpreter := fmt.Sprintf("Python %s itself", strings.TrimSpace(string(version)))
	client := func(name, operation string, size, regions int) []cost {
		return halves(name, interpreter, func(t *testing.T) half {
			done := countHalves(t, func() ([]steps.Region, func(uint64) bool) {
				return stepPythonClient(t, python, operation, size, regions)
			})
			empty := countHalves(t, func() ([]steps.Region, func(uint64) bool) {
				return stepPythonClient(t, python, "nothing", size, regions)
			})
			return half{done.core - empty.core, done.rest - empty.rest}
		})
	}
	server := func(name, method string, size, regions int) []cost {
		return halves(name, interpreter, func(t *testing.T) half {
			return countHalves(t, func() ([]steps.Region, func(uint64) bool) { return stepPythonServer(t, python, method, size, regions) })
		})
	}
	return slices.Concat(
		client("Python client, 64 B", "call", 64, 5),
		client("Python client, loan of 64 KiB", "loan", 64<<10, 2),
		server("Python server, 64 B", "echo", 64, 5),
		server("Python server, raw, 64 KiB", "raw", 64<<10, 2),
	)
}

// half is what is executed in the core, and elsewhere.
type half struct{ core, rest int }

// halves returns a line for each half. The second is of the steps of the first, the first time that it is asked for.
func halves(name, rest string, count func(t *testing.T) half) []cost {
	var left []int
	return []cost{
		{name + ", core", func(t *testing.T) int {
			both := count(t)
			left = []int{both.rest}
			return both.core
		}},
		{name + ", " + rest, func(t *testing.T) int {
			if len(left) == 0 {
				left = []int{count(t).rest}
			}
			defer func() { left = nil }()
			return left[0]
		}},
	}
}

func countHalves(t *testing.T, count func() ([]steps.Region, func(uint64) bool)) half {
	t.Helper()
	var inCore func(address uint64) bool
	r := least(t, func() (regions []steps.Region) {
		regions, inCore = count()
		return regions
	})
	core := r.Sum(inCore)
	return half{core, r.Steps - core}
}

// startPython starts one end of marks.py.
func startPython(t *testing.T, python, end, dir string) *child {
	t.Helper()
	return startRole(t, "", dir, withVariables("GOGC=off", "GOMAXPROCS=8", "NANORPC_DIR="+dir, "PYTHONHASHSEED=0"), func(c *exec.Cmd) {
		c.Path, c.Args = python, []string{python, "testdata/marks.py", end, service}
	})
}

// stepPythonClient is stepClient with a client in Python. inCore reports whether an address is in the core.
func stepPythonClient(t *testing.T, python, name string, size, n int) (regions []steps.Region, inCore func(address uint64) bool) {
	t.Helper()
	regions = attempt(t, func(t *testing.T) ([]steps.Region, error) {
		dir := t.TempDir()
		server := startRole(t, steppedServer, dir)
		client := startPython(t, python, "call", dir)
		regions, err := stepOperation(t, server, client, name, size, n)
		if err == nil {
			inCore = mappedFrom(t, client.Process.Pid, "/_core.")
		}
		return regions, err
	})
	return regions, inCore
}

// stepPythonServer is stepServer with a server in Python.
func stepPythonServer(t *testing.T, python, method string, size, n int) (regions []steps.Region, inCore func(address uint64) bool) {
	t.Helper()
	regions = attempt(t, func(t *testing.T) ([]steps.Region, error) {
		dir := t.TempDir()
		server := startPython(t, python, "serve", dir)
		regions, err := stepHandlers(t, server, dir, nanorpc.SpinBusy, method, size, n, false)
		if err == nil {
			inCore = mappedFrom(t, server.Process.Pid, "/_core.")
		}
		return regions, err
	})
	return regions, inCore
}

// mappedFrom returns whether an address of a process is mapped from a file whose path contains part.
func mappedFrom(t *testing.T, pid int, part string) func(address uint64) bool {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	var areas [][2]uint64
	for line := range strings.Lines(string(maps)) {
		var area [2]uint64
		if !strings.Contains(line, part) {
			continue
		}
		if _, err := fmt.Sscanf(line, "%x-%x", &area[0], &area[1]); err != nil {
			t.Fatal(line, err)
		}
		areas = append(areas, area)
	}
	if len(areas) == 0 {
		t.Fatalf("process %d has mapped no %s", pid, part)
	}
	return func(address uint64) bool {
		return slices.ContainsFunc(areas, func(a [2]uint64) bool { return a[0] <= address && address < a[1] })
	}
}

// TestInstructions compares what calls cost with the table in docs/benchmarks.md.
func TestInstructions(t *testing.T) {
	document, err := os.ReadFile(benchmarks)
	if err != nil {
		t.Fatal(err)
	}
	known := parseTable(t, string(document))
	var table strings.Builder
	for _, c := range slices.Concat(costs(), pythonCosts(t)) {
		t.Run(c.name, func(t *testing.T) {
			want, ok := known[c.name]
			limit := int(float64(want) * tolerance)
			got := c.count(t)
			for n := 1; n < tries && got > limit || *update && n < 3; n++ {
				got = min(got, c.count(t))
			}
			fmt.Fprintf(&table, "%-50s%7d\n", c.name, got)
			switch {
			case *update:
			case !ok:
				t.Logf("%d instructions; the table of docs/benchmarks.md has no such line", got)
			case got > limit:
				t.Errorf("%s: %d instructions, and docs/benchmarks.md says %d. If that is worth it, say why, and write the table anew: make instructions UPDATE=1", c.name, got, want)
			case got < int(float64(want)/tolerance):
				t.Logf("%d instructions, and docs/benchmarks.md says %d: write the table anew: make instructions UPDATE=1", got, want)
			}
		})
	}
	fmt.Print(table.String())
	if *update && !t.Failed() {
		text := tablePattern.ReplaceAllLiteralString(string(document), tableHead+table.String()+"```\n")
		if err := os.WriteFile(benchmarks, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// The table of instructions in docs/benchmarks.md.
const tableHead = "```\ncall                                         instructions\n"

var tablePattern = regexp.MustCompile(regexp.QuoteMeta(tableHead) + "(?s:(.*?))```\n")

func parseTable(t *testing.T, document string) map[string]int {
	t.Helper()
	found := tablePattern.FindStringSubmatch(document)
	if found == nil {
		t.Fatalf("%s has no table that begins with %q", benchmarks, tableHead)
	}
	counts := map[string]int{}
	for lines := bufio.NewScanner(strings.NewReader(found[1])); lines.Scan(); {
		name, count, ok := cutLast(lines.Text())
		n, err := strconv.Atoi(count)
		if !ok || err != nil {
			t.Fatalf("%s: the line %q: %v", benchmarks, lines.Text(), err)
		}
		counts[name] = n
	}
	return counts
}

// cutLast cuts a line before its last word.
func cutLast(line string) (before, last string, ok bool) {
	i := strings.LastIndexByte(line, ' ')
	if i < 0 {
		return "", line, false
	}
	return strings.TrimSpace(line[:i]), line[i+1:], true
}
