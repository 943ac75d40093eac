package nanorpc

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/link"
	"nanorpc/go/internal/wire"
)

// Batch is a number of calls that are published together: with one atomic operation and at most one wake-up of the server, as far as there are
// slots, of which a client has 256. It is used again and again, by one goroutine at a time, and then allocates nothing.
type Batch struct {
	client *Client
	calls  []batchCall
	reply  []byte // of all calls, one after the other
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
	if n := len(b.calls); n > 0 && b.calls[n-1].name == method {
		b.calls = append(b.calls, batchCall{name: method, method: b.calls[n-1].method, request: request})
	} else {
		b.calls = append(b.calls, batchCall{name: method, method: wire.MethodID(method), request: request})
	}
	return len(b.calls) - 1
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
	l := b.client.endpoint
	groups := uint64(0)
	n := 0
	for ; n < len(calls); n++ {
		c := &calls[n]
		c.err = nil
		offset, ok := b.reserve(wait, c, n == 0)
		if c.err != nil {
			continue
		}
		if !ok {
			break
		}
		copy(l.Bytes(offset, len(c.request)), c.request)
		l.Publish(c.slot, link.Submission{Method: c.method, Offset: offset, Length: len(c.request), Deadline: wait.Deadline})
		c.open = true
		groups |= wire.Group(c.slot)
	}
	if groups != 0 {
		l.Ring(groups)
	}
	b.collect(wait, calls[:n])
	return n
}

// lookAround is how long, in ns, a batch waits for one call before it looks whether others are over: their replies take room in the reply arena.
const lookAround = int64(time.Millisecond)

// collect waits for the replies of published calls, in whatever order they come.
func (b *Batch) collect(wait link.Wait, calls []batchCall) {
	for i := range calls {
		for calls[i].open {
			slice := wait
			if end := futex.Now() + lookAround; slice.Deadline == 0 || end < slice.Deadline {
				slice.Deadline = end
			}
			if b.await(wait, slice, &calls[i]) {
				break
			}
			for j := i + 1; j < len(calls); j++ {
				if calls[j].open && b.client.endpoint.Finished(calls[j].slot) {
					b.await(wait, wait, &calls[j])
				}
			}
		}
	}
}

// reserve takes a slot and room for the request. It reports false if there is none now, unless it is to block; other failures are the call's.
func (b *Batch) reserve(wait link.Wait, c *batchCall, block bool) (int64, bool) {
	l := b.client.endpoint
	if len(c.request) > math.MaxUint32 {
		c.err = fmt.Errorf("%w: a request of %d bytes", ErrPayloadTooLarge, len(c.request))
		return 0, false
	}
	slot, ok := l.TryAcquire()
	if !ok {
		if !block {
			return 0, false
		}
		var err error
		if slot, err = l.Acquire(wait); err != nil {
			c.err = public(err)
			return 0, false
		}
	}
	offset, ok := l.TryReserve(slot, len(c.request))
	if !ok {
		if !block {
			l.Release(slot)
			return 0, false
		}
		var err error
		if offset, err = l.Reserve(slot, len(c.request), wait); err != nil {
			l.Release(slot)
			c.err = public(err)
			return 0, false
		}
	}
	c.slot = slot
	return offset, true
}

// await waits for a call's reply and copies it. It reports false if the slice of the wait has ended, and not the wait.
func (b *Batch) await(wait, slice link.Wait, c *batchCall) bool {
	l := b.client.endpoint
	reply, err := l.Await(c.slot, slice)
	if errors.Is(err, link.ErrDeadline) && (wait.Deadline == 0 || futex.Now() < wait.Deadline) {
		return false
	}
	c.open = false
	if err != nil {
		c.err = b.client.giveUp(c.slot, err)
		return true
	}
	payload := l.Bytes(reply.Offset, reply.Length)
	if reply.Status == wire.StatusOK {
		c.from = len(b.reply)
		b.reply = append(b.reply, payload...)
		c.to = len(b.reply)
	} else {
		c.err = statusError(reply.Status, c.name, string(payload))
	}
	l.Release(c.slot)
	return true
}
