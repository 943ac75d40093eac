package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
)

// calls is a program that calls for as long as its argument says, in seconds.
const calls = `
import sys, time, nanorpc
with nanorpc.connect("` + serviceName + `") as client:
    request, made, end = bytes(64), 0, time.monotonic() + float(sys.argv[1])
    while time.monotonic() < end:
        for _ in range(1000):
            client.call("` + method + `", request)
        made += 1000
print(f"Python: {made} calls in {sys.argv[1]} s")
`

// pythonRoundTrip profiles a client in Python that calls a server in Go: by perf, which sees the interpreter and the core, and by py-spy, which sees Python's
// functions.
func (p profiler) pythonRoundTrip() error {
	return p.withServer(os.DevNull, func() error { return errors.Join(p.perf(), p.flame()) })
}

// caller is the command of the client.
func (p profiler) caller(options ...string) []string {
	return append(append([]string{p.python}, options...), "-c", calls, strconv.FormatFloat(p.duration.Seconds(), 'f', -1, 64))
}

func (p profiler) perf() error {
	var options []string
	// From 3.12 on Python tells perf what its functions are.
	if exec.Command(p.python, "-c", "import sys; sys.exit(sys.version_info < (3, 12))").Run() == nil {
		options = []string{"-X", "perf"}
	}
	data := p.path("python-client.perf")
	// The clock of the CPU needs no counters of the processor, which virtual machines seldom have.
	record := exec.Command("perf", append([]string{"record", "-q", "-e", "cpu-clock", "-o", data, "--"}, p.caller(options...)...)...)
	var problems bytes.Buffer
	record.Stdout, record.Stderr = os.Stdout, &problems
	if err := record.Run(); err != nil {
		fmt.Printf("no python-client.txt: perf is not there, or not allowed to measure: %v %s\n", err, bytes.TrimSpace(problems.Bytes()))
		return nil
	}
	report, err := exec.Command("perf", "report", "-i", data, "--stdio", "--percent-limit", "0.5", "--sort", "dso,symbol").Output()
	if err != nil {
		return fmt.Errorf("perf report: %w", err)
	}
	return p.write(p.path("python-client.txt"), report)
}

func (p profiler) flame() error {
	if p.pySpy == "" {
		return nil
	}
	path := p.path("python-client.svg")
	record := exec.Command(p.pySpy, append([]string{"record", "--native", "--rate", "200", "--format", "flamegraph", "--output", path, "--"}, p.caller()...)...)
	if output, err := record.CombinedOutput(); err != nil {
		fmt.Printf("no python-client.svg: py-spy cannot trace: %v %s\n", err, bytes.TrimSpace(output))
		return nil
	}
	fmt.Println("wrote", path)
	return nil
}
