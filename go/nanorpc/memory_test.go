package nanorpc_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"nanorpc/go/internal/trial"
	"nanorpc/go/nanorpc"
)

// limitMemory lets this process have so many more bytes of addresses, and of memory of its own.
func limitMemory(addresses, own uint64) error {
	hasAddresses, hasOwn, err := memoryNow()
	if err != nil {
		return err
	}
	return errors.Join(
		unix.Setrlimit(unix.RLIMIT_AS, &unix.Rlimit{Cur: hasAddresses + addresses, Max: hasAddresses + addresses}),
		unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: hasOwn + own, Max: hasOwn + own}),
	)
}

// memoryNow returns how many bytes of addresses, and of memory of its own, this process has.
func memoryNow() (addresses, own uint64, err error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, 0, err
	}
	for name, value := range map[string]*uint64{"VmSize:": &addresses, "VmData:": &own} {
		_, tail, _ := strings.Cut(string(status), name)
		if _, err := fmt.Sscan(tail, value); err != nil {
			return 0, 0, fmt.Errorf("%s %w", name, err)
		}
		*value <<= 10
	}
	return addresses, own, nil
}

// A connection takes the addresses of both arenas, 2 GiB: there is room for three, and the Go runtime's.
const (
	limitedAddresses = 7 << 30
	limitedOwn       = 64 << 20
)

func serveWithLittleMemory(where nanorpc.Option) error {
	if err := limitMemory(limitedAddresses, limitedOwn); err != nil {
		return err
	}
	return serveUntilStdinEnds(where)
}

func callWithLittleMemory(where nanorpc.Option) error {
	return connectUntilOut(where, func() error { return limitMemory(limitedAddresses, limitedOwn) }, outOfAddresses)
}

func outOfAddresses(err error) error {
	if !errors.Is(err, nanorpc.ErrExhausted) || !strings.Contains(err.Error(), "ulimit -v") {
		return fmt.Errorf("with too little address space: %w", err)
	}
	return nil
}

// A server that may have no more addresses tells clients so, and serves those that it has: also with payloads larger than the memory of its own that it may have, as they are in shared memory.
func TestServerWithLittleMemory(t *testing.T) {
	const full = 100
	r := trial.Begin(t, "memory limit of servers", "servers", full)
	total := trial.Size(full, 1)
	for range total {
		r.Run(t, "server", total, func(t *testing.T) {
			mustServeWhomItHas(t, "little-memory", outOfAddresses)
		})
	}
}

// TestPayloadsAreSharedMemory has a server with little memory of its own serve what is larger. If a handler then takes more than that itself, the Go runtime ends the process, which its
// caller is told.
func TestPayloadsAreSharedMemory(t *testing.T) {
	dir := t.TempDir()
	startRole(t, "little-memory", dir)
	client := dial(t, nanorpc.WithDirectory(dir))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	lease, err := client.CallLease(ctx, "echo", make([]byte, 2*limitedOwn))
	if err != nil {
		t.Fatal(err)
	}
	lease.Release()
	// The runtime may have mapped 64 MiB for itself already.
	if _, err := client.Call(ctx, "pattern", binary.LittleEndian.AppendUint64(nil, 4*limitedOwn)); !errors.Is(err, nanorpc.ErrServerGone) {
		t.Errorf("memory of its own beyond the limit: %v", err)
	}
}

func TestClientWithLittleMemory(t *testing.T) {
	const full = 100
	r := trial.Begin(t, "memory limit of clients", "clients", full)
	_, where, dir := startServer(t)
	total := trial.Size(full, 1)
	for range total {
		r.Run(t, "client", total, func(t *testing.T) { mustGoOn(t, where, dir, "little-memory-client") })
	}
}
