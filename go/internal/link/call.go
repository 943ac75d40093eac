package link

import (
	"fmt"
	"sync/atomic"

	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/wire"
)

// Reply is where a reply lies and how the call ended.
type Reply struct {
	Status wire.Status
	Offset int64 // in the segment
	Length int
}

// Reserve returns the offset at which the slot's holder writes a request of length bytes. It blocks while the arena is full.
// Errors: ErrTooLarge, and those of Acquire.
func (c *Client) Reserve(slot, length int, w Wait) (int64, error) {
	if length <= wire.InlineCapacity {
		return c.segment.RequestInline(slot), nil
	}
	if limit := c.Layout().MaxPayload; int64(length) > limit {
		return 0, fmt.Errorf("%w: %d bytes, the server accepts %d", ErrTooLarge, length, limit)
	}
	offset, err := c.allocate(int64(length), w)
	if err != nil {
		return 0, err
	}
	c.calls[slot].block = offset
	return offset, nil
}

// TryReserve is Reserve where nothing has to be waited for. It reports false also for what is too large; Reserve says why.
func (c *Client) TryReserve(slot, length int) (int64, bool) {
	if length <= wire.InlineCapacity {
		return c.segment.RequestInline(slot), true
	}
	if int64(length) > c.Layout().MaxPayload {
		return 0, false
	}
	offset, err := c.pool.alloc(int64(length))
	if err != nil {
		return 0, false
	}
	c.calls[slot].block = offset
	return offset, true
}

// Inline returns the offset of a slot's own place for a request.
func (c *Client) Inline(slot int) int64 { return c.segment.RequestInline(slot) }

// Owns reports whether length bytes at offset lie where Reserve has put, or would put, the slot's request.
func (c *Client) Owns(slot int, offset, length int64) bool {
	if length <= wire.InlineCapacity {
		return offset == c.segment.RequestInline(slot)
	}
	return offset != 0 && offset == c.calls[slot].block
}

// Submission says where a request lies, as Reserve has said, and what it is.
type Submission struct {
	Method   uint64
	Offset   int64
	Length   int
	Deadline int64 // CLOCK_MONOTONIC in ns, 0: none
	Notify   bool  // the reply is announced to Notices
}

// Submit publishes the call of a slot. It does not block.
func (c *Client) Submit(slot int, s Submission) {
	c.Publish(slot, s)
	// The store in Publish comes before this load, as the server's store of the bell comes before its load of the word: if the bell says that
	// the server watches this slot, it will see the word.
	if atomic.LoadUint32(&c.doorbell.Bell) != wire.BellPolling(slot) {
		c.Ring(wire.Group(slot))
	}
}

// Publish is Submit, but the server need not notice the call before Ring with the slot's group.
func (c *Client) Publish(slot int, s Submission) {
	request := c.segment.Request(slot)
	generation := (c.calls[slot].generation + 1) & wire.GenerationMask
	c.calls[slot].generation = generation

	// Plain stores: an atomic one is a locked instruction, and the word's orders them all.
	request.Length = uint32(s.Length)
	request.Method = s.Method
	request.Deadline = s.Deadline
	request.Offset = uint64(s.Offset)
	state := uint32(wire.StateCall)
	if s.Notify {
		state |= wire.FlagNotify
	}
	// Publishes the header and the payload to Server.take, which loads the word first.
	atomic.StoreUint32(&request.Word, wire.Word(generation, state))
}

// Ring makes the server look at groups of slots: bits of wire.Group. It does not block.
func (c *Client) Ring(groups uint64) {
	// The bits come before the bell is read, as the server's store of the bell comes before its load of the bits.
	atomic.OrUint64(&c.doorbell.Ready, groups)
	switch bell := atomic.LoadUint32(&c.doorbell.Bell); bell {
	case wire.BellSleeping, wire.BellParked:
		if !atomic.CompareAndSwapUint32(&c.doorbell.Bell, bell, wire.BellAwake) {
			return // one waker is enough
		}
		if bell == wire.BellParked {
			c.ring()
		} else {
			futex.Wake(&c.doorbell.Bell, 1)
		}
	}
}

// Await blocks until the reply of the slot's call is complete. When it ends early, with ErrDeadline or the context's error, the call goes on:
// Await again, or Abandon. With ErrGone, ErrClosed or ErrProtocol the call is lost: Release.
func (c *Client) Await(slot int, w Wait) (Reply, error) {
	call := &c.calls[slot]
	generation := call.generation
	word := &c.segment.Reply(slot).Word
	for {
		seen := atomic.LoadUint32(word)
		if wire.Done(seen, generation) {
			return c.reply(slot)
		}
		if err := c.Err(); err != nil {
			return Reply{}, err
		}
		caught := call.spinner.Spin(func(rounds int) bool {
			return futex.SpinWhile32(word, seen, rounds) != seen
		}, w.Deadline)
		if caught {
			continue
		}
		if err := w.over(); err != nil {
			return Reply{}, err
		}
		if call.spinner.Policy != futex.Busy {
			c.sleepOn(word, seen, w)
		}
	}
}

// sleepOn sleeps until the server publishes in word, which was seen with that value.
func (c *Client) sleepOn(word *uint32, seen uint32, w Wait) {
	c.sleepers.Add(1)
	defer c.sleepers.Add(-1)
	if c.Err() != nil { // after Add: Close sets the cause, then reads sleepers
		return
	}
	// The server exchanges the word, so it sees the flag exactly if the reply comes after it.
	announced := seen | wire.FlagWaiting
	if announced == seen || atomic.CompareAndSwapUint32(word, seen, announced) {
		w.sleep(word, announced, wire.FlagNudge)
	}
}

// reply reads the header of a complete reply, once, and checks it.
func (c *Client) reply(slot int) (Reply, error) {
	r := c.segment.Reply(slot)
	status := wire.Status(atomic.LoadUint32(&r.Status))
	length := atomic.LoadUint32(&r.Length)
	offset, ok := c.segment.ReplyPayload(slot, atomic.LoadUint64(&r.Offset), length)
	if !ok {
		return Reply{}, fmt.Errorf("%w: a reply of %d bytes outside of its arena", ErrProtocol, length)
	}
	return Reply{Status: status, Offset: offset, Length: int(length)}, nil
}

// Release gives the slot back when the caller has read the reply, or when its call was lost or never submitted.
func (c *Client) Release(slot int) {
	c.Recycle(slot)
	c.putSlot(slot)
}

// Recycle makes the slot ready for its holder's next call.
func (c *Client) Recycle(slot int) {
	request, reply := c.segment.Request(slot), c.segment.Reply(slot)
	if atomic.LoadUint32(&reply.Length) > wire.InlineCapacity {
		// Read, in Server.reclaim, by a server that is short of room for replies.
		atomic.StoreUint32(&request.Word, wire.Word(c.calls[slot].generation, wire.StateReleased))
	}
	c.freeBlock(slot)
}

// Abandon gives up a submitted call and its slot. The slot, and the request's block, become free when the server has answered.
func (c *Client) Abandon(slot int) {
	generation := c.calls[slot].generation
	atomic.StoreUint32(&c.segment.Request(slot).Word, wire.Word(generation, wire.StateCancelled))
	// The server publishes and then looks for StateCancelled: either it sees that, or we see its reply here.
	if wire.Done(atomic.LoadUint32(&c.segment.Reply(slot).Word), generation) {
		c.Release(slot)
		return
	}
	c.abandoned.add(slot)
	c.Ring(wire.Group(slot)) // for the handler's context
	if c.Err() != nil {
		c.unmapWhenUnused()
	}
}
