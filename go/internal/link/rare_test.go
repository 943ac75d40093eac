package link

import (
	"sync/atomic"
	"testing"

	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/wire"
)

// Who has had to wake the server for some calls in a row does not spin for the reply to the next, until the server is awake again.
func TestRareCallsDoNotSpin(t *testing.T) {
	e := newEnds(t)
	const slot = 0
	if got, ok := e.client.TryAcquire(); !ok || got != slot {
		t.Fatalf("slot %d, %v", got, ok)
	}
	call := &e.client.calls[slot]
	call.spinner.Policy = futex.Adaptive
	answered := func(bell uint32) {
		t.Helper()
		atomic.StoreUint32(&e.client.doorbell.Bell, bell)
		woke := e.client.Submit(slot, Submission{})
		if want := bell == wire.BellSleeping; woke != want {
			t.Fatalf("with the bell %#x it says that the server was woken: %v", bell, woke)
		}
		atomic.StoreUint32(&e.client.segment.Reply(slot).Word, wire.Word(call.generation, wire.FlagDone))
		if _, err := e.client.Await(slot, Wait{}); err != nil {
			t.Fatal(err)
		}
		e.client.Recycle(slot)
	}
	for i := range 3 * frugalAfter {
		if want := i >= frugalAfter; call.rare() != want {
			t.Errorf("after %d calls to a server that slept the next is rare: %v", i, call.rare())
		}
		answered(wire.BellSleeping)
	}
	answered(wire.BellPolling(slot))
	if call.rare() {
		t.Error("after a call to a server that was awake the next is rare")
	}
	for range frugalAfter {
		answered(wire.BellSleeping)
	}
	call.spinner.Policy = futex.Busy
	if call.rare() {
		t.Error("who is to spin all the time does not")
	}
}
