package nanorpc

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"

	"nanorpc/go/internal/link"
	"nanorpc/go/internal/wire"
)

// ErrReleased is the use of a Loan or Lease after its memory has been given back, or sent.
var ErrReleased = errors.New("nanorpc: memory was released")

// Loan is memory shared with the server in which a request is built, so that it is never copied. It ends with Call or Release. Loans are values
// that may be copied; all copies end together. A Loan is used by one goroutine at a time.
type Loan struct{ handle }

// Lease is a reply that lies in memory shared with the server, until Release. What is said of Loan holds for it as well.
type Lease struct{ handle }

// handle is one use of a holder.
type handle struct {
	holder     *holder
	generation uint64
}

// holder is what a program keeps of a hold. Once it is garbage, the hold is given up. Holders are used again.
type holder struct{ *hold }

// hold is a slot, with the blocks that belong to it, that a program holds.
type hold struct {
	session    *session // nil while it is free
	generation uint64   // of the handles that may use it; odd: held
	slot       int
	offset     int64
	length     int
}

// holders are those of a connection that are not in use, at most one for each slot. The zero value is ready to use.
type holders struct {
	mu   sync.Mutex
	free []*holder
}

// get returns a handle for a slot with length bytes at offset.
func (p *holders) get(s *session, slot int, offset int64, length int) handle {
	h := p.take()
	if h == nil {
		h = &holder{&hold{}}
		runtime.AddCleanup(h, (*hold).forgotten, h.hold)
	}
	h.generation++
	h.session, h.slot, h.offset, h.length = s, slot, offset, length
	return handle{h, h.generation}
}

// take returns a free holder, or nil.
func (p *holders) take() *holder {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.free) - 1
	if n < 0 {
		return nil
	}
	h := p.free[n]
	p.free[n] = nil // what is kept here would never be found forgotten
	p.free = p.free[:n]
	return h
}

// put takes a holder back.
func (p *holders) put(h *holder) {
	// The cleanup has the hold: through a connection that has the holder, it would keep both from ever being collected.
	h.session = nil
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, h)
}

// forgotten gives back what a program has dropped without releasing it.
func (h *hold) forgotten() {
	if h.generation%2 == 0 {
		return
	}
	client := h.session.client
	client.logger.Warn("nanorpc: a loan or lease was dropped without Release", "service", client.service, "bytes", h.length)
	h.generation++
	h.session.endpoint.Release(h.slot)
}

// valid returns the hold, or nil when it has been released.
func (h handle) valid() *hold {
	if h.holder == nil || h.holder.generation != h.generation {
		return nil
	}
	return h.holder.hold
}

// Bytes returns the memory, valid until it is released. It is nil after that.
func (h handle) Bytes() []byte {
	v := h.valid()
	if v == nil {
		return nil
	}
	return v.session.endpoint.Bytes(v.offset, v.length)
}

// Release gives the memory back. A second Release does nothing.
//
// A Loan or Lease that is dropped without it is found by the garbage collector, some time: then it is released, with a warning (see WithLogger).
func (h handle) Release() {
	v := h.valid()
	if v == nil {
		return
	}
	v.generation++
	v.session.endpoint.Release(v.slot)
	v.session.holders.put(h.holder)
}

// put ends a hold whose slot has been dealt with.
func (h handle) put() {
	h.holder.generation++
	h.holder.session.holders.put(h.holder)
}

// Loan returns length bytes of shared memory for a request. What they hold is undefined. A loan takes one of the client's 256 slots. It blocks
// while there is no slot or no room, until the context ends. With WithReconnect, a loan belongs to the connection that there is now, and ends with it. Errors: ErrPayloadTooLarge, ErrExhausted, ErrServerGone, ErrClientClosed,
// ErrDeadlineExceeded, context.Canceled.
func (c *Client) Loan(ctx context.Context, length int) (Loan, error) {
	wait, err := waitFor(ctx)
	if err != nil {
		return Loan{}, err
	}
	s, slot, offset, err := c.reserve(wait, length)
	if err != nil {
		return Loan{}, err
	}
	return Loan{s.holders.get(s, slot, offset, length)}, nil
}

// reserve takes a slot and the place for a request.
func (c *Client) reserve(wait link.Wait, length int) (s *session, slot int, offset int64, err error) {
	if length < 0 || length > math.MaxUint32 {
		return nil, 0, 0, fmt.Errorf("%w: a request of %d bytes", ErrPayloadTooLarge, length)
	}
	for {
		if s, slot, err = c.acquire(wait); err != nil {
			return nil, 0, 0, err
		}
		if offset, err = s.endpoint.Reserve(slot, length, wait); err == nil {
			return s, slot, offset, nil
		}
		s.endpoint.Release(slot)
		if !c.renewal.helps(s) {
			return nil, 0, 0, public(err)
		}
	}
}

// Shorten makes the loan, and so the request, length bytes long: no more than it is.
func (l Loan) Shorten(length int) error {
	v := l.valid()
	if v == nil {
		return ErrReleased
	}
	if length < 0 || length > v.length {
		return fmt.Errorf("%w: a loan of %d bytes cannot become one of %d", ErrPayloadTooLarge, v.length, length)
	}
	if inline := v.session.endpoint.Inline(v.slot); length <= wire.InlineCapacity && v.offset != inline {
		// So short a request lies in its slot.
		copy(v.session.endpoint.Bytes(inline, length), v.session.endpoint.Bytes(v.offset, length))
		v.offset = inline
	}
	v.length = length
	return nil
}

// Call calls a method with what has been written to the loan, and returns the reply where it lies. The loan has ended then, whatever Call
// returns. It blocks like Client.Call and has its errors, and ErrReleased.
func (l Loan) Call(ctx context.Context, method string) (Lease, error) {
	v := l.valid()
	if v == nil {
		return Lease{}, ErrReleased
	}
	wait, err := waitFor(ctx)
	if err != nil {
		l.Release()
		return Lease{}, err
	}
	v.session.submit(wait, method, v.slot, v.length)
	reply, err := v.session.await(wait, method, v.slot)
	if err != nil {
		l.put()
		return Lease{}, err
	}
	// The same holder goes on, for handles of another generation.
	v.generation += 2
	v.offset, v.length = reply.Offset, reply.Length
	return Lease{handle{l.holder, v.generation}}, nil
}

// CallLease is Client.Call, but returns the reply where it lies: it is not copied.
func (c *Client) CallLease(ctx context.Context, method string, request []byte) (Lease, error) {
	wait, err := waitFor(ctx)
	if err != nil {
		return Lease{}, err
	}
	s, slot, err := c.send(wait, method, request)
	if err != nil {
		return Lease{}, err
	}
	reply, err := s.await(wait, method, slot)
	if err != nil {
		return Lease{}, err
	}
	return Lease{s.holders.get(s, slot, reply.Offset, reply.Length)}, nil
}

// submit submits the call of a slot, of which the request is in its place.
func (s *session) submit(wait link.Wait, method string, slot, length int) {
	s.endpoint.Submit(slot, link.Submission{Method: wire.MethodID(method), Length: length, Deadline: wait.Deadline})
}

// await waits for the reply to the call of a slot. After an error the slot has been given back.
func (s *session) await(wait link.Wait, method string, slot int) (link.Reply, error) {
	l := s.endpoint
	reply, err := l.Await(slot, wait)
	if err != nil {
		return reply, s.giveUp(slot, err)
	}
	if reply.Status != wire.StatusOK {
		err = statusError(reply.Status, method, string(l.Bytes(reply.Offset, reply.Length)))
		l.Release(slot)
	}
	return reply, err
}
