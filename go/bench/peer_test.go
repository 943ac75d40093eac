package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func procPath(pid int, name string) string { return fmt.Sprintf("/proc/%d/%s", pid, name) }

func TestPeerCommandThatFails(t *testing.T) {
	for _, test := range []struct {
		command []string
		says    string
	}{
		{[]string{"/nonexistent/program"}, "no such file"},
		{[]string{"/bin/sh", "-c", "echo out of coffee >&2; exit 3"}, "exit status 3\nout of coffee"},
		{[]string{"/bin/echo"}, `it printed`},
		{[]string{"/bin/sh", "-c", `echo '{"error":"no milk"}'`}, "transport uds: no milk"},
	} {
		t.Run(test.says, func(t *testing.T) {
			c := quick(t, "uds")
			c.PeerCommand = test.command
			err := startRun(t, c).Wait()
			if !errors.Is(err, ErrPeer) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v: Wait returned %v", test.command, err)
			}
		})
	}
}

// A peer must not remove a directory with something in it, nor serve in one that others can reach.
func TestRunPeerRefuses(t *testing.T) {
	full := t.TempDir()
	if err := errors.Join(os.Chmod(full, 0o700), os.WriteFile(filepath.Join(full, "precious"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	open := t.TempDir()
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		argument any
		says     string
	}{
		{"surplus", "not of the benchmark's making"},
		{processParams{Transport: "pigeon"}, `unknown transport "pigeon"`},
		{processParams{Transport: "uds", Params: Params{Directory: "/nonexistent"}}, "no such file"},
		{processParams{Transport: "uds", Params: Params{Directory: full}}, "not empty"},
		{processParams{Transport: "uds", Params: Params{Directory: open}}, "not a private directory"},
		{processParams{Transport: "uds", Params: Params{Directory: filepath.Join(full, "precious")}}, "not a private directory"},
	} {
		argument, err := json.Marshal(test.argument)
		if err != nil {
			t.Fatal(err)
		}
		var stdout bytes.Buffer
		err = RunPeer(t.Context(), string(argument), strings.NewReader(""), &stdout)
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: RunPeer returned %v", argument, err)
		}
		var report peerReport
		if err := json.Unmarshal(stdout.Bytes(), &report); err != nil || report.Ready || !strings.Contains(report.Error, test.says) {
			t.Errorf("%s: RunPeer printed %q", argument, stdout.String())
		}
	}
	if _, err := os.Stat(filepath.Join(full, "precious")); err != nil {
		t.Error(err)
	}
}

func TestRunPeerEndsWithStdin(t *testing.T) {
	for _, transport := range Transports() {
		dir, err := os.MkdirTemp("", "bench-test-")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		argument, err := json.Marshal(processParams{Transport: transport, Params: Params{Directory: dir, Spin: "adaptive", MaxSize: 64, Inflight: 1}})
		if err != nil {
			t.Fatal(err)
		}
		stdin, parent := io.Pipe()
		ready := firstLine{complete: make(chan struct{})}
		ended := make(chan error)
		go func() { ended <- RunPeer(t.Context(), string(argument), stdin, &ready) }()
		<-ready.complete
		parent.Close()
		if err := <-ended; err != nil {
			t.Errorf("%s: %v", transport, err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: its directory is still there", transport)
		}
	}
}

func TestKeptOutput(t *testing.T) {
	first := firstLine{complete: make(chan struct{})}
	end := tail{}
	long := strings.Repeat("x", keptOutput-1)
	for _, text := range []string{"a", "b\nc", "\nd", long} {
		fmt.Fprint(&first, text)
		fmt.Fprint(&end, text)
	}
	<-first.complete
	if got := string(first.line()); got != "ab" {
		t.Errorf("first line %q", got)
	}
	if got := end.String(); got != "d"+long {
		t.Errorf("tail of %d bytes: %.10q", len(got), got)
	}
	endless := firstLine{complete: make(chan struct{})}
	fmt.Fprint(&endless, long, long)
	<-endless.complete
}
