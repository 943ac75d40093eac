//go:build amd64 && !race

package nanorpc_test

import (
	"math"
	"testing"

	"nanorpc/go/internal/steps"
	"nanorpc/go/nanorpc"
)

// TestPromptCallsMakeNoSystemCalls counts the system calls in what each end executes for a call while the other end spins. That a sleeping peer has to be woken by one shows
// that the count sees them.
func TestPromptCallsMakeNoSystemCalls(t *testing.T) {
	const regions = 5
	for _, operation := range []string{"call", "loan", "batch"} {
		t.Run("client/"+operation, func(t *testing.T) {
			wantSystemCalls(t, 0, func() []steps.Region { return stepClient(t, "busy", operation, 64, regions) })
			wantSystemCalls(t, 1, func() []steps.Region { return stepClient(t, "none", operation, 64, regions) })
		})
	}
	for _, method := range []string{"echo", "raw"} {
		t.Run("server/"+method, func(t *testing.T) {
			wantSystemCalls(t, 0, func() []steps.Region { return stepServer(t, nanorpc.SpinBusy, method, 64, regions, false) })
			wantSystemCalls(t, 1, func() []steps.Region { return stepServer(t, nanorpc.SpinNone, method, 64, regions, false) })
		})
	}
}

// wantSystemCalls counts until there has been a region with want system calls, or too often: the peer may have been slow, for want of a CPU. One that is always made is in
// every region.
func wantSystemCalls(t *testing.T, want int, count func() []steps.Region) {
	t.Helper()
	var got []int
	for range tries {
		for _, r := range count() {
			if r.Syscalls == want {
				return
			}
			got = append(got, r.Syscalls)
		}
	}
	t.Errorf("%v system calls, never %d", got, want)
}

// TestPayloadIsCopiedOncePerDirection measures copies by their instructions: those that a longer payload takes more, as a multiple of those that a copy of it takes more. All
// else that a call does is nearly the same for both lengths: finding room takes a few hundred instructions, more or less. An end that copied a payload once more, or did anything else to each byte, would have one more.
func TestPayloadIsCopiedOncePerDirection(t *testing.T) {
	const (
		regions     = 2
		short, long = 32 << 10, 80 << 10 // both are copied as they are: see bulk.Share
	)
	grows := func(t *testing.T, count func(size int) []steps.Region) float64 {
		t.Helper()
		steps := func(size int) int { return least(t, func() []steps.Region { return count(size) }).Steps }
		return float64(steps(long) - steps(short))
	}
	client := func(operation string) func(t *testing.T) float64 {
		return func(t *testing.T) float64 {
			return grows(t, func(size int) []steps.Region { return stepClient(t, "busy", operation, size, regions) })
		}
	}
	server := func(method string) func(t *testing.T) float64 {
		return func(t *testing.T) float64 {
			return grows(t, func(size int) []steps.Region { return stepServer(t, nanorpc.SpinBusy, method, size, regions, false) })
		}
	}
	one := client("copy")(t)
	if one < (long-short)/64 { // no instruction moves more than 64 bytes
		t.Fatalf("a copy of %d bytes more takes %v instructions more", long-short, one)
	}
	for name, test := range map[string]struct {
		grows func(t *testing.T) float64
		want  float64
	}{
		"call":                {client("call"), 2}, // the request goes in, the reply comes out
		"call after a copy":   {client("copy-and-call"), 3},
		"loan":                {client("loan"), 0},
		"handler":             {server("echo"), 1}, // the reply goes in, the request is read where it lies
		"handler that copies": {server("copies"), 2},
		"raw handler":         {server("raw"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			var got float64
			for range tries {
				if got = test.grows(t) / one; math.Abs(got-test.want) < 0.25 {
					return
				}
			}
			t.Errorf("it copies the payload %.2f times, want %v", got, test.want)
		})
	}
}
