package link

import (
	"sync/atomic"

	"nanorpc/go/internal/failpoint"
	"nanorpc/go/internal/wire"
)

// Most calls are short, find a slot free, and are answered within a microsecond. Then there is nothing to decide on the way: TrySend and TryReceive take half of the instructions that
// Acquire, Reserve, Submit and Await do, and are followed by those where something is in the way.

// TrySend reserves a slot, copies a request to it and submits the call, if the request fits there and a slot is free. If it reports false it has done nothing.
func (c *Client) TrySend(method uint64, request []byte, deadline int64) (slot int, ok bool) {
	if len(request) > wire.InlineCapacity {
		return 0, false
	}
	if slot, ok = c.slots.take(); !ok {
		return 0, false
	}
	// As in Acquire: after the slot was taken.
	if c.closed() || slot >= int(c.committed.Load()) {
		c.putSlot(slot)
		return 0, false
	}
	failpoint.Hit(failpoint.SlotTaken)
	copy(c.segment.Request(slot).Inline[:], request)
	c.Submit(slot, Submission{Method: method, Length: len(request), Deadline: deadline})
	return slot, true
}

// TryReceive waits for a moment for the reply to the slot's call, and returns it where it lies, if it is there, fits in the slot, and is no error. Else Await is to follow, whatever else there is.
func (c *Client) TryReceive(slot int) ([]byte, bool) {
	call, reply := &c.calls[slot], c.segment.Reply(slot)
	done := wire.Word(call.generation, wire.FlagDone)
	// Pairs with the exchange in Server.Publish, as in Await: what was written before is seen.
	word := atomic.LoadUint32(&reply.Word)
	if word != done && call.roused == 0 {
		word = call.spinner.Glance(&reply.Word, word)
	}
	length := atomic.LoadUint32(&reply.Length) // once
	if word != done || length > wire.InlineCapacity || atomic.LoadUint32(&reply.Status) != uint32(wire.StatusOK) {
		return nil, false
	}
	failpoint.Hit(failpoint.ReplySeen)
	call.received = int64(length)
	return reply.Inline[:length:length], true
}
