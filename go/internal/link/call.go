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

// Owns reports whether length bytes at offset lie where Reserve has put, or would put, the slot's request.
func (c *Client) Owns(slot int, offset, length int64) bool {
	if length <= wire.InlineCapacity {
		return offset == c.segment.RequestInline(slot)
	}
	return offset != 0 && offset == c.calls[slot].block
}

// Submit publishes the call whose payload lies where Reserve said. It does not block.
func (c *Client) Submit(slot int, method uint64, offset int64, length int, deadline int64) {
	request := c.segment.Request(slot)
	generation := (c.calls[slot].generation.Load() + 1) & wire.GenerationMask
	c.calls[slot].generation.Store(generation)

	atomic.StoreUint32(&request.Length, uint32(length))
	atomic.StoreUint64(&request.Method, method)
	atomic.StoreInt64(&request.Deadline, deadline)
	atomic.StoreUint64(&request.Offset, uint64(offset))
	// Publishes the header and the payload to Server.take, which loads the word first.
	atomic.StoreUint32(&request.Word, wire.Word(generation, wire.StateCall))

	// The store above comes before this load, as the server's store of the bell comes before its load of the word: if the bell says that
	// the server watches this slot, it will see the word.
	if atomic.LoadUint32(&c.doorbell.Bell) == wire.BellPolling(slot) {
		return
	}
	// Likewise the bit comes before the bell.
	atomic.OrUint64(&c.doorbell.Ready, wire.Group(slot))
	if atomic.LoadUint32(&c.doorbell.Bell) == wire.BellSleeping &&
		atomic.CompareAndSwapUint32(&c.doorbell.Bell, wire.BellSleeping, wire.BellAwake) { // one waker is enough
		futex.Wake(&c.doorbell.Bell, 1)
	}
}

// Await blocks until the reply of the slot's call is complete. When it ends early, with ErrDeadline or the context's error, the call goes on:
// Await again, or Abandon. With ErrGone, ErrClosed or ErrProtocol the call is lost: Release.
func (c *Client) Await(slot int, w Wait) (Reply, error) {
	call := &c.calls[slot]
	generation := call.generation.Load()
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
		atomic.StoreUint32(&request.Word, wire.Word(c.calls[slot].generation.Load(), wire.StateReleased))
	}
	c.freeBlock(slot)
}

// Abandon gives up a submitted call and its slot. The slot, and the request's block, become free when the server has answered.
func (c *Client) Abandon(slot int) {
	generation := c.calls[slot].generation.Load()
	atomic.StoreUint32(&c.segment.Request(slot).Word, wire.Word(generation, wire.StateCancelled))
	// The server publishes and then looks for StateCancelled: either it sees that, or we see its reply here.
	if wire.Done(atomic.LoadUint32(&c.segment.Reply(slot).Word), generation) {
		c.Release(slot)
		return
	}
	c.abandoned.add(slot)
	if c.Err() != nil {
		c.unmapWhenUnused()
	}
}
