package link

import (
	"testing"

	"nanorpc/go/internal/wire"
)

// Came tells of calls that have not been taken, and of nothing else: a bit that was set for a call that has been taken means nothing.
func TestCame(t *testing.T) {
	e := newEnds(t)
	slots := make([]int, wire.Groups+2) // the last two are in the groups of the first two
	for i := range slots {
		slot, ok := e.client.TryAcquire()
		if !ok || slot != i {
			t.Fatalf("slot %d, %v", slot, ok)
		}
		slots[i] = slot
	}
	var call Call
	publish := func(slot int) { e.client.Publish(slot, Submission{}) }
	next := func(slot int) {
		t.Helper()
		if err := e.server.Next(&call); err != nil || call.Slot != slot {
			t.Fatalf("a call in slot %d, %v, not %d", call.Slot, err, slot)
		}
	}
	expect := func(want bool, when string) {
		t.Helper()
		if got := e.server.Came(); got != want {
			t.Errorf("%s a call has come: %v", when, got)
		}
	}
	expect(false, "at first")
	publish(0)
	e.client.Ring(wire.Group(0))
	expect(true, "published and rung,")
	next(0)
	e.client.Ring(wire.Group(0)) // late
	expect(false, "when it has been taken,")
	publish(wire.Groups)
	publish(1)
	publish(wire.Groups + 1)
	e.client.Ring(wire.Group(0) | wire.Group(1))
	for _, slot := range []int{wire.Groups, 1, wire.Groups + 1} {
		expect(true, "before another is taken,")
		next(slot)
	}
	expect(false, "when all have been taken,")
}
