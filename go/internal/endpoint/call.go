package endpoint

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"nanorpc/go/internal/bulk"
	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/link"
	"nanorpc/go/internal/shm"
	"nanorpc/go/internal/wire"
)

// Handler runs a call. Before it returns it answers the call, with Reply or Fail, or detaches it.
type Handler func(call *Call)

// Call is a call to be answered. It belongs to the handler, or, once detached, to whoever answers it.
type Call struct {
	link.Call
	conn     *conn
	context  *callContext // nil: nobody has asked for it
	spare    *callContext // of the leader's last call
	method   *method
	answered bool
	failed   bool // answered, with another status than OK
	detached bool
	left     bool      // detached by a worker that has got it from the queue, where all are detached
	began    time.Time // when it was detached

	loaned bool // there is memory for the reply:
	offset int64
	length int
}

// renew makes the leader's last call its next one, of which the link's part has been filled in.
func (c *Call) renew() {
	if c.context != nil {
		c.context, c.spare = nil, c.context
	}
	c.answered, c.failed, c.detached, c.loaned = false, false, false, false
	c.offset, c.length = 0, 0
}

// ErrLoaned is a second Loan for a call.
var ErrLoaned = errors.New("there is memory for the reply already")

// Context returns the context of the call: done when its deadline passes, its caller gives up, it has been answered, or its connection ends. It is to be
// called before the call is answered. The leader uses the same one again for its next call if nobody has asked it for anything: a context that is to outlive the handler
// must be asked, for Done or a derived context, before the handler returns.
func (c *Call) Context() context.Context {
	if c.context != nil {
		return c.context
	}
	ctx := c.spare
	if ctx == nil || ctx.inner.Load() != nil {
		ctx = new(callContext)
	}
	ctx.conn, ctx.call, ctx.deadline = c.conn, c.Handle(), c.Deadline
	c.context = ctx
	return ctx
}

// Request returns the payload. It lies in shared memory, is valid until the call is answered, and must not be written.
func (c *Call) Request() []byte { return c.conn.link.Bytes(c.Offset, c.Length) }

// PeerPID returns the client's process id.
func (c *Call) PeerPID() int { return c.conn.peer.PeerPID() }

// Connection returns the number of the call's connection, unique within the server.
func (c *Call) Connection() int64 { return c.conn.id }

// Inline returns where a reply lies for which there is no need to Allocate: of at most wire.InlineCapacity bytes.
func (c *Call) Inline() int64 { return c.conn.link.ReplyInline(&c.Call) }

// Inlined returns the memory there.
func (c *Call) Inlined() []byte { return c.conn.link.Inlined(&c.Call) }

// GivenUp reports whether the caller has given the call up, or is gone.
func (c *Call) GivenUp() bool { return c.conn.link.Err() != nil || c.conn.ended(c.Handle()) }

// overdue answers a call that has waited for a worker for so long that nobody waits for it any more, and reports whether it has.
func (c *Call) overdue() bool {
	switch {
	case c.Deadline != 0 && futex.Now() >= c.Deadline:
		c.Expire()
	case c.GivenUp():
		c.Publish(wire.StatusCancelled, 0, 0)
	default:
		return false
	}
	return true
}

// Detach keeps the call open when its handler returns. Another goroutine must answer it: until then Shutdown waits for it.
func (c *Call) Detach() *Call {
	if c.detached { // a worker's, from the queue
		c.left = true
		return c
	}
	c.detached = true
	c.method.running.Add(1)
	kept := *c
	kept.began = time.Now()
	c.context, c.spare = nil, nil // the kept call's
	kept.conn.opened()
	kept.conn.workers.Add(1)
	return &kept
}

// Allocate returns where a reply of length bytes is to be written. See link.Server.Allocate. A handler that waits for room does not count among those that run:
// a client that never releases its replies stops nobody else's calls.
func (c *Call) Allocate(length int) (offset int64, err error) {
	if offset, ok := c.conn.link.TryAllocate(&c.Call, length); ok {
		return offset, nil
	}
	if running := c.conn.server.running; running != nil && !c.detached && !c.method.reserved {
		running.give() // but not the connection's own place
		defer func() { running <- struct{}{} }()
	}
	err = link.ErrProtocol
	shm.Try(func() { offset, err = c.conn.link.Allocate(&c.Call, length) }) // a call that has been detached may be anywhere
	return offset, err
}

// Bytes returns length bytes of the segment at an offset that Allocate has returned.
func (c *Call) Bytes(offset int64, length int) []byte { return c.conn.link.Bytes(offset, length) }

// Loan returns memory for a reply of length bytes, with which Finish answers the call. See link.Server.Allocate for the errors; ErrLoaned.
func (c *Call) Loan(length int) ([]byte, error) {
	if c.loaned {
		return nil, ErrLoaned
	}
	offset, err := c.Allocate(length)
	if err != nil {
		return nil, err
	}
	c.loaned, c.offset, c.length = true, offset, length
	return c.Bytes(offset, length), nil
}

// Finish answers the call with what has been written to its Loan, or with nothing.
func (c *Call) Finish() { c.Publish(wire.StatusOK, c.offset, c.length) }

// Reply answers the call with a copy of payload, which may be the request. When the payload is too large, or there is no room for it, the
// caller gets that as the call's error.
func (c *Call) Reply(payload []byte) {
	if len(payload) <= wire.InlineCapacity && !c.detached { // usually
		copy(c.Inlined(), payload)
		c.Publish(wire.StatusOK, c.Inline(), len(payload))
		return
	}
	offset, err := c.Allocate(len(payload))
	if err != nil {
		c.Refuse(err)
		return
	}
	write(c, offset, payload)
	c.Publish(wire.StatusOK, offset, len(payload))
}

// write copies a reply to its place.
func write(c *Call, offset int64, reply []byte) {
	place := c.conn.link.Bytes(offset, len(reply))
	if c.detached { // anywhere: see shm.PanicOnFault
		shm.Try(func() { bulk.Share(place, reply) })
	} else {
		bulk.Share(place, reply)
	}
}

// Refuse answers the call with an error of Allocate.
func (c *Call) Refuse(err error) {
	if errors.Is(err, link.ErrTooLarge) {
		c.fail(wire.StatusTooLarge, err.Error())
	} else {
		c.fail(wire.StatusExhausted, err.Error())
	}
}

// Fail answers the call with a handler's error text.
func (c *Call) Fail(text string) { c.fail(wire.StatusHandlerError, text) }

// Expire answers the call of a handler that gave up because the deadline has passed.
func (c *Call) Expire() { c.Publish(wire.StatusDeadline, 0, 0) }

// maxErrorText is enough for any message, and fits an arena of the smallest size.
const maxErrorText = 4096

func (c *Call) fail(status wire.Status, text string) {
	text = text[:min(len(text), maxErrorText, int(c.conn.link.Layout().MaxPayload))]
	var offset int64
	var err error
	if c.loaned && c.length >= len(text) {
		offset = c.offset // a call has one block at most
	} else if c.loaned {
		text = text[:min(len(text), wire.InlineCapacity)]
	}
	if !c.loaned || len(text) <= wire.InlineCapacity {
		offset, err = c.Allocate(len(text))
	}
	if err != nil { // no room for all of it
		offset, text = c.Inline(), text[:wire.InlineCapacity]
	}
	write(c, offset, []byte(text))
	c.Publish(status, offset, len(text))
}

// Publish answers the call with what has been written where Allocate said.
func (c *Call) Publish(status wire.Status, offset int64, length int) {
	c.answered, c.failed = true, status != wire.StatusOK
	if c.detached {
		shm.Try(func() { c.conn.link.Publish(&c.Call, status, offset, length) })
	} else {
		c.conn.link.Publish(&c.Call, status, offset, length)
	}
	if c.context != nil || c.detached {
		c.closed()
	}
}

// Published does what is left of Publish for a reply that has been published without it: see link.Server.Published.
func (c *Call) Published(before uint32, length int) {
	c.answered, c.failed = true, false
	c.conn.link.Published(&c.Call, before, length)
	if c.context != nil || c.detached {
		c.closed()
	}
}

// closed is called when a call has been answered that has a context, or is not its leader's any more.
func (c *Call) closed() {
	if c.context != nil {
		c.conn.answered(c.context, c.Slot)
	}
	if c.detached {
		c.conn.tell(c, time.Since(c.began))
		c.method.running.Add(-1)
		c.conn.callClosed()
		c.conn.workers.Done()
	}
}

// run calls the handler. One that panics, or forgets to answer, fails the call and not the server. That goes for a fault in the segment as well.
func (c *Call) run(h Handler) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if !shm.Recovered(p) {
			c.conn.server.options.Logger.Error("handler panicked", "panic", p, "pid", c.PeerPID(), "stack", string(debug.Stack()))
		}
		if !c.answered && !c.detached {
			c.failSafely(fmt.Sprintf("handler panicked: %v", p))
		}
	}()
	h(c)
	if !c.answered && !c.detached {
		c.Fail("the handler did not answer")
	}
}

// failSafely is Fail where the client may have taken the memory away.
func (c *Call) failSafely(text string) {
	if !shm.Try(func() { c.Fail(text) }) {
		c.Publish(wire.StatusHandlerError, 0, 0) // there is memory now, which nobody else sees
	}
}
