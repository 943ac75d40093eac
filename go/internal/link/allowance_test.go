package link

import (
	"testing"

	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/wire"
)

// Both ends allow for the copying of what travels, each way, and no longer than for the call that it was for.
func TestWaitsAllowForCopying(t *testing.T) {
	e := newEnds(t)
	roundTrip := func(request, reply int) {
		t.Helper()
		slot, ok := e.client.TryAcquire()
		if !ok {
			t.Fatal("no slot")
		}
		defer e.client.Release(slot)
		if _, err := e.client.Reserve(slot, request, Wait{}); err != nil {
			t.Fatal(err)
		}
		e.client.Submit(slot, Submission{Length: request})
		var call Call
		if err := e.server.Next(&call); err != nil {
			t.Fatal(err)
		}
		offset, err := e.server.Allocate(&call, reply)
		if err != nil {
			t.Fatal(err)
		}
		e.server.Publish(&call, wire.StatusOK, offset, reply)
		if _, err := e.client.Await(slot, Wait{}); err != nil {
			t.Fatal(err)
		}
	}
	const long, short = 16_000, 8_000
	roundTrip(long, short)
	for range 2 { // also after something else than a call has ended a spin
		e.server.allow()
		if got, want := e.server.spinner.Allowance, futex.Copying(long+short); got != want {
			t.Errorf("the server allows for %d ns, not %d", got, want)
		}
	}
	roundTrip(short, long)
	if got, want := e.client.calls[0].spinner.Allowance, futex.Copying(short+short); got != want {
		t.Errorf("the client allows for %d ns, not %d: for its request, and a reply like the last one", got, want)
	}
	e.server.allow()
	roundTrip(8, 8)
	e.server.allow()
	if got := e.server.spinner.Allowance; got != 0 {
		t.Errorf("for 8 bytes each way the server allows for %d ns", got)
	}
	roundTrip(8, 8)
	if got := e.client.calls[0].spinner.Allowance; got != futex.Copying(8+8) {
		t.Errorf("for 8 bytes each way the client allows for %d ns", got)
	}
}
