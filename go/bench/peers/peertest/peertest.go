// Package peertest is what the transports of package peers are tested by.
package peertest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"nanorpc/go/bench"
)

// asCommand is a variable that makes the test binary the command itself.
const asCommand = "NANORPC_TEST_PEERS"

// Main runs the tests of a program whose main function is given: their binary is also the processes of the runs.
func Main(m *testing.M, main func()) {
	if os.Getenv(asCommand) != "" || len(os.Args) == 3 && (os.Args[1] == "peer" || os.Args[1] == "caller") {
		main()
	}
	os.Exit(m.Run())
}

// Run tests a transport, with processes that are this binary: see Main.
func Run(t *testing.T, transport bench.Transport) {
	t.Run("echo", func(t *testing.T) { echo(t, transport) })
	t.Run("server killed", func(t *testing.T) { serverKilled(t, transport) })
	t.Run("interrupt", func(t *testing.T) { interrupt(t, transport) })
	t.Run("command", func(t *testing.T) { command(t, transport.Name()) })
}

func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// echo calls through real processes. A wrong reply would be an error.
func echo(t *testing.T, transport bench.Transport) {
	for _, test := range []struct {
		size, clients, inflight int
		calls                   int64
	}{
		{0, 1, 1, 20},
		{64, 1, 1, 50},
		{64, 1, 64, 500},
		{64, 8, 2, 160},
		{100_000, 2, 3, 30},
		{16 << 20, 1, 1, 3},
		{16 << 20, 1, 6, 6}, // more at once than NATS lets wait in one inbox
	} {
		t.Run(fmt.Sprintf("%d bytes, %d clients, %d in flight", test.size, test.clients, test.inflight), func(t *testing.T) {
			c := bench.DefaultConfig()
			c.Transports, c.Sizes, c.Clients, c.Inflight = []string{transport.Name()}, []int{test.size}, test.clients, test.inflight
			c.Calls, c.Rounds, c.WarmUpMS = test.calls, 1, 0
			c.PeerCommand = []string{self(t), "peer"}
			run, err := bench.Start(t.Context(), c, transport)
			if err != nil {
				t.Fatal(err)
			}
			if err := run.Wait(); err != nil {
				t.Fatal(err)
			}
			for _, r := range run.Results() {
				if r.Errors != 0 || r.Calls != test.calls || r.P50NS <= 0 {
					t.Errorf("%+v", r)
				}
			}
		})
	}
}

// The end of a server must end the calls that wait for it.
func serverKilled(t *testing.T, transport bench.Transport) {
	p := bench.Params{Directory: t.TempDir(), MaxSize: 64, Inflight: 1}
	if err := os.Chmod(p.Directory, 0o700); err != nil {
		t.Fatal(err)
	}
	argument, err := json.Marshal(struct {
		Transport string `json:"transport"`
		bench.Params
	}{transport.Name(), p})
	if err != nil {
		t.Fatal(err)
	}
	server := exec.Command(self(t), "peer", string(argument))
	if _, err := server.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	var ready struct{ Ready bool }
	if err := json.NewDecoder(stdout).Decode(&ready); err != nil || !ready.Ready {
		t.Fatalf("not ready: %v", err)
	}
	session, err := transport.Connect(t.Context(), p, 64, 1)
	if err != nil {
		t.Fatal(err)
	}
	caller := session.Caller(0)
	if reply, err := caller.Call(nil, []byte("hello")); err != nil || string(reply) != "hello" {
		t.Errorf("%q, %v", reply, err)
	}
	if err := server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = server.Wait() // it was killed
	for err == nil {
		_, err = caller.Call(nil, []byte("is anybody there?"))
	}
	if err := session.Close(); err != nil {
		t.Error(err)
	}
}

func interrupt(t *testing.T, transport bench.Transport) {
	c := bench.DefaultConfig()
	c.Transports, c.Sizes, c.Rounds, c.DurationMS, c.Inflight = []string{transport.Name()}, []int{64}, 1, bench.MaxDuration.Milliseconds(), 3
	c.PeerCommand = []string{self(t), "peer"}
	run, err := bench.Start(t.Context(), c, transport)
	if err != nil {
		t.Fatal(err)
	}
	for len(run.Snapshot().Cases) == 0 && run.Progress().State == bench.Running {
		time.Sleep(5 * time.Millisecond)
	}
	run.Stop()
	if err := run.Wait(); !errors.Is(err, bench.ErrStopped) {
		t.Error(err)
	}
}

// The command is the benchmark with one more transport, and with its subcommands.
func command(t *testing.T, name string) {
	for _, test := range []struct{ arguments, says string }{
		{"-h", "and " + name},
		{"-transport " + name + " -size 64 -n 10 -rounds 1", "10 calls"},
		{"-transport pigeon", "use some of limit"},
		{`caller {"transport":"` + name + `"}`, "no directory"},
	} {
		cmd := exec.Command(self(t), strings.Fields(test.arguments)...)
		cmd.Env = append(os.Environ(), asCommand+"=1")
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		_ = cmd.Run() // some are to fail
		if !strings.Contains(out.String(), test.says) {
			t.Errorf("%s: no %q in\n%s", test.arguments, test.says, &out)
		}
	}
}
