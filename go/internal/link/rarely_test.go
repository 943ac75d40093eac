package link

import (
	"sync/atomic"
	"testing"

	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/wire"
)

// A leader's thread may sleep for the call that follows where Next would sleep at once, and nothing else is to be looked at.
func TestFollowsRarely(t *testing.T) {
	e := newEnds(t)
	e.server.spinner.Policy = futex.None
	var call Call
	slot, ok := e.client.TryAcquire()
	if !ok {
		t.Fatal("no slot")
	}
	called := func(s Submission) {
		t.Helper()
		e.server.watch()
		e.server.setBell(wire.BellSleeping)
		if !e.client.Submit(slot, s) {
			t.Fatal("the server sleeps, and is not woken")
		}
		e.server.awake()
		if err := e.server.Next(&call); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(want bool, when string) {
		t.Helper()
		if got := e.server.FollowsRarely(&call); got != want {
			t.Errorf("%s: %v", when, got)
		}
	}
	called(Submission{Length: wire.InlineCapacity})
	expect(true, "after a sleep")

	e.server.spinner.Policy = futex.Busy
	expect(false, "where waits spin")
	e.server.spinner.Policy = futex.None
	for name, change := range map[string]func() (undo func()){
		"the request is long":         func() func() { call.Length++; return func() { call.Length-- } },
		"a notice is asked for":       func() func() { call.notify = true; return func() { call.notify = false } },
		"another slot is watched":     func() func() { e.server.watched++; return func() { e.server.watched-- } },
		"a group is to be looked at":  func() func() { e.server.pending = 2; return func() { e.server.pending = 0 } },
		"a group has been begun":      func() func() { e.server.group = 1; return func() { e.server.group = wire.Slots } },
		"the bell says that it spins": func() func() { e.server.bell = wire.BellPolling(0); return func() { e.server.bell = wire.BellAwake } },
		"groups have several slots": func() func() {
			used := atomic.SwapUint32(&e.server.doorbell.Used, wire.Groups+1)
			return func() { atomic.StoreUint32(&e.server.doorbell.Used, used) }
		},
	} {
		undo := change()
		expect(false, name)
		undo()
	}
	expect(true, "as before")

	e.server.Took(5, 3, futex.Slept{Waits: 2})
	if paid, missed := e.server.Waits(); paid != 1 || missed != 2 || e.server.taken[slot] != 5 {
		t.Errorf("of 3 calls %d waits have paid and %d have not, and generation %d is the last", paid, missed, e.server.taken[slot])
	}
}
