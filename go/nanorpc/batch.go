package nanorpc

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"nanorpc/go/internal/bulk"
	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/link"
	"nanorpc/go/internal/wire"
)

// Batch is a number of calls that are published together: with one atomic operation and at most one wake-up of the server, as far as there are
// slots, of which a client has 256. It is used again and again, by one goroutine at a time, and then allocates nothing.
type Batch struct {
	client  *Client
	session *session // of the calls that are published together
	calls   []batchCall
	reply   []byte // of all calls, one after the other
	slots   []int  // of the calls that are published together
	over    []int  // slots of the calls that are over, to be given back together
}

type batchCall struct {
	method   uint64
	name     string
	request  []byte
	slot     int
	from, to int // of the reply
	err      error
	open     bool // published, and its reply not read
}

// NewBatch returns an empty batch.
func (c *Client) NewBatch() *Batch { return &Batch{client: c} }

// Add adds a call, which Do makes, and returns its index. The request must not change before Do returns.
func (b *Batch) Add(method string, request []byte) int {
	n := len(b.calls)
	b.calls = slices.Grow(b.calls, 1)[:n+1]
	c := &b.calls[n]
	c.request, c.err = request, nil
	if n > 0 && b.calls[n-1].name == method {
		c.name, c.method = method, b.calls[n-1].method
	} else {
		c.name, c.method = method, wire.MethodID(method)
	}
	return n
}

// Len returns how many calls have been added.
func (b *Batch) Len() int { return len(b.calls) }

// Reset makes the batch empty again. Replies of its last Do are invalid then.
func (b *Batch) Reset() { b.calls, b.reply = b.calls[:0], b.reply[:0] }

// Do makes the calls and blocks until all are over. It returns the first error of a call, if there was one; Reply has that of each.
// When the context ends, calls that are not over fail with its error.
func (b *Batch) Do(ctx context.Context) error {
	b.reply = b.reply[:0]
	wait, err := waitFor(ctx)
	if err != nil {
		for i := range b.calls {
			b.calls[i].err = err
		}
		return err
	}
	for done := 0; done < len(b.calls); {
		done += b.some(wait, b.calls[done:])
	}
	for i := range b.calls {
		if b.calls[i].err != nil {
			return b.calls[i].err
		}
	}
	return nil
}

// Reply returns the reply of the i-th call, valid until the next Do or Reset, or its error, which is one of Client.Call's.
func (b *Batch) Reply(i int) ([]byte, error) {
	c := &b.calls[i]
	if c.err != nil {
		return nil, c.err
	}
	return b.reply[c.from:c.to:c.to], nil
}

// some publishes as many calls as have slots and room now, at least one, waits for their replies, and returns how many they were.
func (b *Batch) some(wait link.Wait, calls []batchCall) int {
	b.session = b.client.current.Load()
	if len(b.slots) < len(calls) {
		b.slots = make([]int, min(len(calls), wire.Slots))
	}
	n := b.session.endpoint.TryAcquireSome(b.slots[:min(len(calls), len(b.slots))])
	if n == 0 {
		s, slot, err := b.client.acquire(wait)
		if err != nil {
			calls[0].err = err
			return 1
		}
		b.session, b.slots[0], n = s, slot, 1
	}
	l := b.session.endpoint
	slots := b.slots[:n]
	for i := range min(prefetchAhead, n) {
		l.PrefetchRequest(slots[i])
	}
	groups := uint64(0)
	published := 0
	for ; published < n; published++ {
		if ahead := published + prefetchAhead; ahead < n {
			l.PrefetchRequest(slots[ahead])
		}
		slot, c := slots[published], &calls[published]
		offset, err := b.reserve(wait, slot, c, published == 0)
		if err != nil {
			c.err = public(err)
			break
		}
		if offset == 0 {
			break
		}
		bulk.Share(l.Bytes(offset, len(c.request)), c.request)
		l.Publish(slot, link.Submission{Method: c.method, Length: len(c.request), Deadline: wait.Deadline})
		c.slot, c.open, c.err = slot, true, nil
		groups |= wire.Group(slot)
	}
	if groups != 0 {
		l.Ring(groups)
	}
	if published < n {
		l.ReleaseAll(slots[published:])
	}
	b.collect(wait, calls[:published])
	if published < n && calls[published].err != nil {
		return published + 1 // it has failed
	}
	return published
}

// reserve returns room for the request, or 0 if there is none now, unless it is to block.
func (b *Batch) reserve(wait link.Wait, slot int, c *batchCall, block bool) (int64, error) {
	l := b.session.endpoint
	if len(c.request) > math.MaxUint32 {
		return 0, fmt.Errorf("%w: a request of %d bytes", ErrPayloadTooLarge, len(c.request))
	}
	offset, ok := l.TryReserve(slot, len(c.request))
	if ok || !block {
		return offset, nil
	}
	return l.Reserve(slot, len(c.request), wait)
}

const (
	// prefetchAhead is for how many calls at once the lines of their slots are under way between the CPUs.
	prefetchAhead = 4
	// together is how many replies are collected at a time. Whoever polls a reply's word takes its line from the server that is about to write there: so only
	// that of the last one is polled.
	together = 16
	// lookAround is how long, in ns, a batch waits for one call before it looks whether others are over: their replies take room in the reply arena.
	lookAround = int64(time.Millisecond)
)

// collect waits for the replies of published calls, in whatever order they come, and gives back their slots.
func (b *Batch) collect(wait link.Wait, calls []batchCall) {
	l := b.session.endpoint
	for ; len(calls) > 0; calls = calls[min(together, len(calls)):] {
		some := calls[:min(together, len(calls))]
		b.await(wait, &some[len(some)-1], calls)
		for i := range some {
			if ahead := i + prefetchAhead; ahead < len(some) && some[ahead].open { // else its slot may be back, and the last one that kept the segment
				l.PrefetchReply(some[ahead].slot)
			}
			b.await(wait, &some[i], calls)
			b.finish(wait, &some[i])
		}
		b.release()
	}
}

// release gives back the slots of the calls that have been finished.
func (b *Batch) release() {
	b.session.endpoint.ReleaseAll(b.over)
	b.over = b.over[:0]
}

// await waits for a call. While that takes long it collects whatever else has been answered, and gives back all slots that it can: the reply may wait for the room
// that others take.
func (b *Batch) await(wait link.Wait, c *batchCall, all []batchCall) {
	l := b.session.endpoint
	for c.open && !l.Finished(c.slot) {
		b.release()
		slice := wait
		if end := futex.Now() + lookAround; slice.Deadline == 0 || end < slice.Deadline {
			slice.Deadline = end
		}
		_, err := l.Await(c.slot, slice)
		if !errors.Is(err, link.ErrDeadline) || wait.Deadline != 0 && futex.Now() >= wait.Deadline {
			return // finish will say what has come of it
		}
		for i := range all {
			if all[i].open && l.Finished(all[i].slot) {
				b.finish(wait, &all[i])
			}
		}
	}
}

// finish waits for a call's reply and copies it. Its slot is given back with the next release.
func (b *Batch) finish(wait link.Wait, c *batchCall) {
	if !c.open {
		return
	}
	c.open = false
	l := b.session.endpoint
	reply, err := l.Await(c.slot, wait)
	if err != nil {
		c.err = b.session.giveUp(c.slot, err)
		return
	}
	payload := l.Bytes(reply.Offset, reply.Length)
	if reply.Status == wire.StatusOK {
		c.from = len(b.reply)
		b.reply = bulk.Append(b.reply, payload)
		c.to = len(b.reply)
	} else {
		c.err = statusError(reply.Status, c.name, string(payload))
	}
	b.over = append(b.over, c.slot)
}
