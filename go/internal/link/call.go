package link

import (
	"fmt"
	"sync/atomic"

	"nanorpc/go/internal/failpoint"
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
	failpoint.Hit(failpoint.BlockAllocated)
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

// Submission says what a request is. It lies where Reserve has said.
type Submission struct {
	Method   uint64
	Length   int
	Deadline int64 // CLOCK_MONOTONIC in ns, 0: none
	Notify   bool  // the reply is announced to Notices
}

// Submit publishes the call of a slot, and reports whether it has woken the server. It does not block.
func (c *Client) Submit(slot int, s Submission) (woke bool) {
	// Publishes the header and the payload to Server.take, which loads the word first; and comes before the load of the bell, as the server's store of the
	// bell comes before its load of the word: if the bell says that the server watches this slot, it will see the word.
	atomic.StoreUint32(&c.segment.Request(slot).Word, c.prepare(slot, s))
	failpoint.Hit(failpoint.WordStored)
	if atomic.LoadUint32(&c.doorbell.Bell) == wire.BellPolling(slot) { // as usual
		c.calls[slot].roused = 0
		return false
	}
	return c.rouse(slot)
}

// Submitted does what is left of Submit for a slot's holder who has published his call himself, with a request of length bytes, after having counted up its Generation; roused says that
// he has woken the server for it.
func (c *Client) Submitted(slot, length int, roused bool) (woke bool) {
	c.calls[slot].submitted, c.calls[slot].sent = true, int64(length)
	if roused {
		return c.roused(slot)
	}
	return c.rouse(slot)
}

// rouse has the server look at a slot whose call has been published, unless it does, and reports whether it had to be woken.
func (c *Client) rouse(slot int) (woke bool) {
	if atomic.LoadUint32(&c.doorbell.Bell) == wire.BellPolling(slot) || !c.Ring(wire.Group(slot)) {
		c.calls[slot].roused = 0
		return false
	}
	return c.roused(slot)
}

// roused notes that the server has been woken for a slot's call, and returns true.
func (c *Client) roused(slot int) bool {
	call := &c.calls[slot]
	call.roused = min(call.roused+1, frugalAfter)
	return true
}

// frugalAfter is for how many calls in a row the server must have been woken for the next ones not to be worth a spin: these are rare calls. To be woken as well takes a caller some
// microseconds more, of a round trip of some ten; the spin would take all of them from others. Calls that follow each other closely do not come here, or not for long: a server that
// has stopped spinning tries again now and then, for long enough to see the next of them.
const frugalAfter = 8

// rare reports whether the slot's last calls were rare ones.
func (c *call) rare() bool { return c.spinner.Policy == futex.Adaptive && c.roused >= frugalAfter }

// Publish is Submit, but the server need not notice the call before Ring with the slot's group.
func (c *Client) Publish(slot int, s Submission) {
	// Publishes the header and the payload to Server.take. Ring, which is a full barrier, orders it against the bell.
	futex.StoreRelease(&c.segment.Request(slot).Word, c.prepare(slot, s))
	failpoint.Hit(failpoint.BatchPublished)
}

// prepare writes the header of a slot's next call, with plain stores, and returns the word that publishes it.
func (c *Client) prepare(slot int, s Submission) uint32 {
	request := c.segment.Request(slot)
	generation := (c.calls[slot].generation + 1) & wire.GenerationMask
	c.calls[slot].generation, c.calls[slot].submitted, c.calls[slot].sent = generation, true, int64(s.Length)
	request.Length = uint32(s.Length)
	request.Method = s.Method
	request.Deadline = s.Deadline
	request.Offset = uint64(c.calls[slot].block) // not looked at where the request fits in its slot
	failpoint.Hit(failpoint.HeaderWritten)
	if s.Notify {
		return wire.Word(generation, wire.StateCall|wire.FlagNotify)
	}
	return wire.Word(generation, wire.StateCall)
}

// Ring makes the server look at groups of slots, bits of wire.Group, and reports whether it had to be woken. It does not block.
func (c *Client) Ring(groups uint64) (woke bool) {
	// The bits come before the bell is read, as the server's store of the bell comes before its load of the bits.
	atomic.OrUint64(&c.doorbell.Ready, groups)
	failpoint.Hit(failpoint.ReadySet)
	bell := atomic.LoadUint32(&c.doorbell.Bell)
	if bell != wire.BellSleeping && bell != wire.BellParked {
		return false
	}
	if !atomic.CompareAndSwapUint32(&c.doorbell.Bell, bell, wire.BellAwake) {
		return false // one waker is enough
	}
	failpoint.Hit(failpoint.BellTaken)
	if bell == wire.BellParked {
		c.ring()
	} else {
		futex.Wake(&c.doorbell.Bell, 1)
	}
	failpoint.Hit(failpoint.BellRung)
	return true
}

// Await blocks until the reply of the slot's call is complete. When it ends early, with ErrDeadline or the context's error, the call goes on:
// Await again, or Abandon. With ErrGone, ErrClosed or ErrProtocol the call is lost: Release.
func (c *Client) Await(slot int, w Wait) (Reply, error) {
	call := &c.calls[slot]
	generation := call.generation
	word := &c.segment.Reply(slot).Word
	call.spinner.Allowance = futex.Copying(call.sent + call.received) // the next reply is probably as long as the last one
	asked := int64(0)                                                 // when relief has been asked for, 0: not yet
	for changed := false; ; {
		seen := atomic.LoadUint32(word)
		if wire.Done(seen, generation) {
			failpoint.Hit(failpoint.ReplySeen)
			if asked != 0 {
				c.relief.answered(asked)
			}
			return c.reply(slot)
		}
		if err := c.Err(); err != nil {
			return Reply{}, err
		}
		if changed { // to something else than the reply: a server may do that all the time
			w.begin()
			if err := w.over(); err != nil {
				return Reply{}, err
			}
		}
		poll := func(rounds int) bool { return futex.SpinWhile32(word, seen, rounds) != seen }
		caught := false
		if call.rare() {
			caught = call.spinner.Look(poll)
		} else {
			caught = call.spinner.Spin(poll, w.Deadline)
		}
		if caught {
			changed = true
			continue
		}
		w.begin()
		if err := w.over(); err != nil {
			return Reply{}, err
		}
		if call.spinner.Policy != futex.Busy {
			c.sleepOn(&call.sleeper, word, seen, w.untilRelief(asked != 0, c.relief.wait(call.roused > 0)-call.spinner.Spent))
		}
		if asked == 0 && !wire.Done(atomic.LoadUint32(word), generation) {
			asked = futex.Now()
			c.askForRelief()
		}
	}
}

// AwaitSoon waits for the reply to the slot's call for a moment, and reports whether it is there: Await returns it at once then. Unless that is insisted on, it does not wait
// where the server has had to be woken.
func (c *Client) AwaitSoon(slot int, m Moment) bool {
	call := &c.calls[slot]
	generation := call.generation
	word := &c.segment.Reply(slot).Word
	seen := atomic.LoadUint32(word)
	if wire.Done(seen, generation) {
		return true
	}
	if !m.Insist && call.roused > 0 {
		return false
	}
	poll := func(rounds int) bool { return futex.SpinWhile32(word, seen, rounds) != seen }
	call.spinner.Allowance = 0
	return m.spin(&call.spinner, poll) && wire.Done(atomic.LoadUint32(word), generation)
}

// Generation returns where the generation of the slot's last call lies, for holders that publish calls themselves: its low wire.GenerationMask bits. The memory is the client's.
func (c *Client) Generation(slot int) *uint32 { return &c.calls[slot].generation }

// untilRelief returns the wait, but if nobody has asked for relief yet one that ends when that is to be done, in some ns.
func (w Wait) untilRelief(asked bool, in int64) Wait {
	if asked {
		return w
	}
	if end := futex.Now() + in; w.Deadline == 0 || end < w.Deadline {
		w.Deadline, w.exact = end, true
	}
	return w
}

// askForRelief rings over the socket if a call is waiting behind one whose handler does not return: when the server's leader does not wait for calls. It
// may also be that the leader is about to: then the ring was in vain, and has cost a microsecond in a call of a hundred.
func (c *Client) askForRelief() {
	switch atomic.LoadUint32(&c.doorbell.Bell) {
	case wire.BellSleeping, wire.BellParked, wire.BellClosed:
	default:
		failpoint.Hit(failpoint.ReliefBefore)
		c.ring()
	}
}

// sleepOn sleeps until the server publishes in word, which was seen with that value.
func (c *Client) sleepOn(s *futex.Sleeper, word *uint32, seen uint32, w Wait) {
	c.sleepers.Add(1)
	defer c.sleepers.Add(-1)
	if c.Err() != nil { // after Add: Close sets the cause, then reads sleepers
		return
	}
	// The server exchanges the word, so it sees the flag exactly if the reply comes after it.
	announced := seen | wire.FlagWaiting
	if announced == seen || atomic.CompareAndSwapUint32(word, seen, announced) {
		failpoint.Hit(failpoint.WaitAnnounced)
		w.sleep(s, word, announced, wire.FlagNudge)
		failpoint.Hit(failpoint.WaitEnded)
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
	c.calls[slot].received = int64(length)
	return Reply{Status: status, Offset: offset, Length: int(length)}, nil
}

// Release gives the slot back when the caller has read the reply, or when its call was lost or never submitted.
func (c *Client) Release(slot int) {
	c.Recycle(slot)
	c.putSlot(slot)
}

// ReleaseAll is Release for many slots.
func (c *Client) ReleaseAll(slots []int) {
	for _, slot := range slots {
		c.Recycle(slot)
	}
	c.putAll(slots)
}

// PrefetchRequest asks for the lines of a slot in which a request is going to be written. The slot's holder may call it.
func (c *Client) PrefetchRequest(slot int) { futex.PrefetchWrite(&c.segment.Request(slot).Word, 2) }

// PrefetchReply asks for the lines of a slot from which a reply, complete by now, is going to be read. The slot's holder may call it.
func (c *Client) PrefetchReply(slot int) { futex.PrefetchRead(&c.segment.Reply(slot).Word) }

// Recycle makes the slot ready for its holder's next call.
func (c *Client) Recycle(slot int) {
	request, reply := c.segment.Request(slot), c.segment.Reply(slot)
	failpoint.Hit(failpoint.ReleaseBefore)
	if atomic.LoadUint32(&reply.Length) > wire.InlineCapacity {
		// Read, in Server.reclaim, by a server that is short of room for replies.
		atomic.StoreUint32(&request.Word, wire.Word(c.calls[slot].generation, wire.StateReleased))
		failpoint.Hit(failpoint.ReleaseStored)
	}
	c.freeBlock(slot)
	// The next request is probably as long as this one. The server has read the lines behind the first one, and spins in that.
	if lines := wire.Lines(int(c.calls[slot].sent)); lines > 1 {
		futex.PrefetchWriteAfter(&request.Word, lines-1)
	}
}

// Drop gives the slot back whatever it has come to, and gives up a call that has been submitted and not been answered.
func (c *Client) Drop(slot int) {
	if c.calls[slot].submitted {
		c.Abandon(slot) // Release, of a call that has been answered
	} else {
		c.Release(slot)
	}
}

// Abandon gives up a submitted call and its slot. The slot, and the request's block, become free when the server has answered.
func (c *Client) Abandon(slot int) {
	generation := c.calls[slot].generation
	failpoint.Hit(failpoint.AbandonBefore)
	atomic.StoreUint32(&c.segment.Request(slot).Word, wire.Word(generation, wire.StateCancelled))
	failpoint.Hit(failpoint.AbandonStored)
	// The server publishes and then looks for StateCancelled: either it sees that, or we see its reply here.
	if wire.Done(atomic.LoadUint32(&c.segment.Reply(slot).Word), generation) {
		c.Release(slot)
		return
	}
	c.Ring(wire.Group(slot)) // for the handler's context
	failpoint.Hit(failpoint.AbandonRung)
	// The last: the slot keeps the segment mapped until then, if the connection ends meanwhile.
	c.abandoned.add(slot)
	if c.Err() != nil {
		c.unmapWhenUnused()
	}
	c.reaping.added(c)
}
