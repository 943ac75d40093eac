package torture

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"nanorpc/go/internal/trial"
)

// TestSignalsInPython has 1,000 signals a second interrupt clients in Python with calls in flight, and their server.
func TestSignalsInPython(t *testing.T) {
	const full = 100
	seconds := "1"
	if trial.Share() == 0 {
		seconds = "0.1"
	}
	total := size(full, 16) // each of 8 kinds of use, with a handler that does nothing and with one that raises
	runPython(t, begin(t, "signals at 1 kHz, Python", "storms", full), total, "signals.py", strconv.Itoa(total), seconds)
}

// TestProcessesOfPython forks, spawns and executes from a client in Python with calls in flight.
func TestProcessesOfPython(t *testing.T) {
	const full = 100
	total := size(full, 10)
	runPython(t, begin(t, "fork, spawn and exec, Python", "processes", full), total, "processes.py", strconv.Itoa(total))
}

// TestClientInPythonKilled kills clients in Python at random moments, beside others that compare what they get.
func TestClientInPythonKilled(t *testing.T) {
	const full = 200
	r, total := begin(t, "client in Python killed", "kills", full), size(full, 5)
	r.took("until the server has what it had", runPython(t, r, total, "kills.py", "clients", strconv.Itoa(total)), time.Second, patience)
}

// TestServerInPythonKilled kills servers in Python while callers in threads, futures and tasks wait.
func TestServerInPythonKilled(t *testing.T) {
	const full = 200
	r, total := begin(t, "server in Python killed", "kills", full), size(full, 5)
	r.took("until a caller has its error", runPython(t, r, total, "kills.py", "servers", strconv.Itoa(total)), time.Second, patience)
}

// runPython runs a program of python/tests/torture for so many trials, and returns the times that it has measured.
func runPython(t *testing.T, r *row, total int, program string, arguments ...string) []time.Duration {
	t.Helper()
	python := os.Getenv(pythonVariable)
	if python == "" {
		t.Skip("set " + pythonVariable + " to a Python interpreter that has the package, as make test-go does")
	}
	command := exec.Command(python, append([]string{filepath.Join("../../python/tests/torture", program)}, arguments...)...)
	var stderr strings.Builder
	command.Stderr = &stderr
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill() })
	var took []time.Duration
	for lines := json.NewDecoder(bufio.NewReader(stdout)); ; {
		var line struct {
			Tried int
			Lost  []string
			MS    []float64
			Note  string
		}
		if err := lines.Decode(&line); err == io.EOF {
			break
		} else if err != nil {
			r.lose("%s: %v", program, err)
			break
		}
		r.tried(line.Tried, total)
		for _, what := range line.Lost {
			r.lose("%s", what)
		}
		for _, ms := range line.MS {
			took = append(took, time.Duration(ms*float64(time.Millisecond)))
		}
		if line.Note != "" {
			r.note("%s", line.Note)
		}
	}
	_, _ = io.Copy(io.Discard, stdout)
	if err := command.Wait(); err != nil || r.Tried != total {
		r.lose("%s: %d of %d %s, %v, stderr: %s", program, r.Tried, total, r.What, err, stderr.String())
	}
	return took
}
