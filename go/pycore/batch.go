package pycore

import (
	"nanorpc/go/internal/link"
	"nanorpc/go/internal/wire"
)

// batch is an array of Python's: five columns of as many integers as there are calls.
type batch struct {
	slots   []int64 // that are held
	methods []int64
	offsets []int64 // of requests that Python has written where they were reserved; 0: it is among the short ones
	lengths []int64 // of requests
	results []int64 // 0: not known yet; the reply's place; copiedReply, of a call whose slot has been given back; or a status
}

const batchColumns = 5

// batchTogether is how many replies are looked at together: only the last one's word is polled, as whoever polls a word takes its line from the server that is
// about to write there.
const batchTogether = 16

// batchOf returns the client and the columns of n calls.
func batchOf(id, address, n int64) (*client, batch, bool) {
	c, ok := clients.get(id)
	if !ok || address == 0 || n <= 0 || n > wire.Slots {
		return nil, batch{}, false
	}
	all := numbers(address, n*batchColumns)
	return c, batch{all[:n], all[n : 2*n], all[2*n : 3*n], all[3*n : 4*n], all[4*n:]}, true
}

// BatchAcquire reserves as many slots as are free, n at most, for the holder of a ticket, writes their numbers to an array of Python's, and returns how many they are.
func BatchAcquire(id, address, n, ticket int64) int64 {
	c, ok := clients.get(id)
	if !ok || address == 0 || n <= 0 || n > wire.Slots {
		return -statusInvalidHandle
	}
	var slots [wire.Slots]int
	got := c.TryAcquireSome(slots[:n])
	into := numbers(address, n)
	for i, slot := range slots[:got] {
		c.tickets[slot].Store(ticket)
		into[i] = int64(slot)
	}
	return int64(got)
}

// BatchSubmit publishes the n calls of a batch with one ring. The short requests, which go to their slots, lie one after the other at an address of Python's.
func BatchSubmit(id, address, n, deadline, requests, requestsLength int64) int64 {
	c, b, ok := batchOf(id, address, n)
	if !ok || requestsLength < 0 {
		return -statusInvalidHandle
	}
	left := requestsLength
	for i, slot := range b.slots {
		if slot < 0 || slot >= wire.Slots {
			return -statusInvalidHandle
		}
		if b.offsets[i] != 0 {
			if !fits(c, int(slot), b.offsets[i], b.lengths[i]) {
				return -statusInvalidHandle
			}
			continue
		}
		if b.lengths[i] < 0 || b.lengths[i] > wire.InlineCapacity || b.lengths[i] > left {
			return -statusInvalidHandle
		}
		left -= b.lengths[i]
	}
	shorts := octets(requests, requestsLength)
	groups := uint64(0)
	for i := range b.slots {
		slot, offset, length := int(b.slots[i]), b.offsets[i], int(b.lengths[i])
		if ahead := i + prefetchAhead; ahead < len(b.slots) {
			c.PrefetchRequest(int(b.slots[ahead]))
		}
		if offset == 0 {
			offset = c.Inline(slot)
			copy(c.Bytes(offset, length), shorts[:length])
			shorts = shorts[length:]
		}
		c.Publish(slot, link.Submission{Method: uint64(b.methods[i]), Length: length, Deadline: deadline})
		b.results[i] = 0
		groups |= wire.Group(slot)
	}
	c.Ring(groups)
	return 0
}

// prefetchAhead is for how many calls at once the lines of their slots are under way between the CPUs.
const prefetchAhead = 4

// BatchAwait waits for the replies of a batch whose results are not known. Replies that lay in their slots are copied to Python's memory, wire.InlineCapacity bytes for each
// call of the batch, and their slots given back. It returns 0, or -statusPending when some are missing after a slice; those that are there have their results.
func BatchAwait(id, address, n, deadline, replies, repliesLength int64) int64 {
	c, b, ok := batchOf(id, address, n)
	if !ok || replies == 0 || repliesLength != n*wire.InlineCapacity {
		return -statusInvalidHandle
	}
	memory := octets(replies, repliesLength)
	w := sliced(deadline)
	pending := false
	var over [batchTogether]int
	for begin := 0; begin < len(b.slots); begin += batchTogether {
		end := min(begin+batchTogether, len(b.slots))
		if b.results[end-1] == 0 && !pending {
			_, _ = c.Await(int(b.slots[end-1]), w) // what has come of it, the loop sees
		}
		copied := 0
		for i := begin; i < end; i++ {
			if b.results[i] != 0 {
				continue
			}
			if ahead := i + prefetchAhead; ahead < end && !pending {
				c.PrefetchReply(int(b.slots[ahead]))
			}
			slot := int(b.slots[i])
			result := awaitInto(c, slot, w, deadline, memory[i*wire.InlineCapacity:][:wire.InlineCapacity])
			switch {
			case result == -statusPending:
				pending = true
				w.Deadline = 1 // the rest is only looked at
				continue
			case result >= 0 && result&lengthMask <= wire.InlineCapacity:
				c.tickets[slot].Store(0)
				over[copied] = slot
				copied++
			}
			b.results[i] = result
		}
		c.ReleaseAll(over[:copied])
	}
	if pending {
		return -statusPending
	}
	return 0
}
