package link

import (
	"bytes"
	"sync/atomic"
	"testing"

	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/wire"
)

// A short call goes through, and its request and reply are what was sent.
func TestShortCall(t *testing.T) {
	e := newEnds(t)
	for _, length := range []int{0, 1, 32, 33, 96, 97, wire.InlineCapacity} {
		request := make([]byte, max(length, 8))
		fill(request, uint64(length))
		request = request[:length]
		slot, ok := e.client.TrySend(7, request, 11)
		if !ok {
			t.Fatalf("%d bytes are not sent", length)
		}
		if reply, ok := e.client.TryReceive(slot); ok {
			t.Fatalf("a reply, %x, before there is one", reply)
		}
		var call Call
		if err := e.server.Next(&call); err != nil || call.Method != 7 || call.Deadline != 11 || !bytes.Equal(e.server.Bytes(call.Offset, call.Length), request) {
			t.Fatalf("%d bytes: %+v, %v", length, call, err)
		}
		copy(e.server.Inlined(&call), request)
		e.server.Publish(&call, wire.StatusOK, e.server.ReplyInline(&call), length)
		reply, ok := e.client.TryReceive(slot)
		if !ok || !bytes.Equal(reply, request) || cap(reply) != len(reply) {
			t.Fatalf("%d bytes: %x, %v", length, reply, ok)
		}
		e.client.Release(slot)
	}
}

// What does not fit, or finds no slot, is not sent, and nothing is kept.
func TestShortCallThatIsNot(t *testing.T) {
	e := newEnds(t)
	refused := func(why string, request []byte) {
		t.Helper()
		free := e.client.slots.free[0].Load()
		if slot, ok := e.client.TrySend(1, request, 0); ok {
			t.Errorf("sent in slot %d, %s", slot, why)
		}
		if e.client.slots.free[0].Load() != free {
			t.Errorf("a slot is lost, %s", why)
		}
	}
	refused("too long", make([]byte, wire.InlineCapacity+1))
	for slot := range wire.CommittedSlots {
		if got, ok := e.client.TrySend(1, nil, 0); !ok || got != slot {
			t.Fatalf("slot %d, %v, not %d", got, ok, slot)
		}
	}
	refused("without pages for the slot", nil)
	if slot, err := e.client.Acquire(Wait{}); err != nil || slot != wire.CommittedSlots {
		t.Fatalf("slot %d, %v", slot, err)
	}
	if _, ok := e.client.TrySend(1, nil, 0); !ok {
		t.Error("not sent, though there are pages now")
	}
	e.client.Close(ErrGone)
	refused("closed", nil)
}

// Replies that are not short, or no replies, are left to Await.
func TestShortReplyThatIsNot(t *testing.T) {
	e := newEnds(t)
	for _, c := range []struct {
		status wire.Status
		length int
	}{{wire.StatusOK, wire.InlineCapacity + 1}, {wire.StatusHandlerError, 3}, {wire.StatusUnknownMethod, 0}} {
		slot, ok := e.client.TrySend(1, nil, 0)
		if !ok {
			t.Fatal("not sent")
		}
		var call Call
		if err := e.server.Next(&call); err != nil {
			t.Fatal(err)
		}
		offset, err := e.server.Allocate(&call, c.length)
		if err != nil {
			t.Fatal(err)
		}
		e.server.Publish(&call, c.status, offset, c.length)
		if reply, ok := e.client.TryReceive(slot); ok {
			t.Errorf("%+v: %x", c, reply)
		}
		if reply, err := e.client.Await(slot, Wait{}); err != nil || reply.Status != c.status || reply.Length != c.length {
			t.Errorf("%+v: %+v, %v", c, reply, err)
		}
		e.client.Release(slot)
	}
}

// A caller whose spins pay catches a reply that comes meanwhile; one whose spins do not, or who may not spin, only looks.
func TestShortReplyIsSpunFor(t *testing.T) {
	e := newEnds(t)
	slot, ok := e.client.TrySend(1, nil, 0)
	if !ok {
		t.Fatal("not sent")
	}
	call := &e.client.calls[slot]
	call.spinner.Policy = futex.Busy
	word := &e.client.segment.Reply(slot).Word
	done := make(chan struct{})
	go func() {
		defer close(done)
		atomic.StoreUint32(word, wire.Word(call.generation, wire.FlagDone))
	}()
	for caught := false; !caught; { // the goroutine may be late
		_, caught = e.client.TryReceive(slot)
	}
	<-done
	e.client.Release(slot)
}
