package endpoint

import (
	"context"
	"sync/atomic"
	"time"

	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/link"
	"nanorpc/go/internal/shm"
)

// callContext is the context of a call. Most handlers never look at it, so the context that can wait is made, and registered with the
// connection, when first asked for.
type callContext struct {
	conn     *conn
	call     link.Handle
	deadline int64                    // in ns of futex.Now, 0: none
	inner    atomic.Pointer[waitable] // once there is one, nothing of the context changes
}

// waitable is a context that can be cancelled.
type waitable struct {
	context.Context
	cancel context.CancelFunc
}

// get returns the context that can wait.
func (c *callContext) get() context.Context {
	if w := c.inner.Load(); w != nil {
		return w
	}
	return c.conn.register(c)
}

// register makes the context that can wait, and sees to it that a cancellation finds it.
func (c *conn) register(ctx *callContext) context.Context {
	c.registering.Lock()
	defer c.registering.Unlock()
	if w := ctx.inner.Load(); w != nil {
		return w
	}
	w := &waitable{}
	if ctx.deadline == 0 {
		w.Context, w.cancel = context.WithCancel(c.context)
	} else {
		w.Context, w.cancel = context.WithDeadline(c.context, futex.ToTime(ctx.deadline))
	}
	ctx.inner.Store(w)
	// Stored before the words of the slot are read: Publish publishes and then looks here, and the leader reads that the caller has given up and then looks
	// here.
	slot := ctx.call.Slot()
	if last := c.contexts[slot].Swap(ctx); last != nil {
		last.inner.Load().cancel() // its reply is there, and who has published it not here yet; or the client has not waited for it
	}
	if c.ended(ctx.call) {
		c.contexts[slot].Store(nil)
		w.cancel()
	}
	return w
}

// ended reports whether a call has been answered or given up.
func (c *conn) ended(call link.Handle) bool {
	c.releasing.Lock() // the handler may be long gone, and the segment with it
	defer c.releasing.Unlock()
	ended := true
	if !c.released {
		shm.Try(func() { ended = c.link.Over(call) })
	}
	return ended
}

// answered cancels the context of a call that has been answered, if anybody has asked for it.
func (c *conn) answered(ctx *callContext, slot int) {
	if c.contexts[slot].Load() == ctx && c.contexts[slot].CompareAndSwap(ctx, nil) {
		ctx.inner.Load().cancel()
	}
}

// cancelled is called by the leader when the caller in a slot has given up.
func (c *conn) cancelled(slot int) {
	if ctx := c.contexts[slot].Load(); ctx != nil {
		ctx.inner.Load().cancel()
	}
}

// Deadline implements context.Context.
func (c *callContext) Deadline() (time.Time, bool) {
	if c.deadline == 0 {
		return time.Time{}, false
	}
	return futex.ToTime(c.deadline), true
}

// Done implements context.Context.
func (c *callContext) Done() <-chan struct{} { return c.get().Done() }

// Err implements context.Context.
func (c *callContext) Err() error { return c.get().Err() }

// Value implements context.Context.
func (c *callContext) Value(key any) any {
	if key == (peerKey{}) {
		return c.conn.peer.Peer()
	}
	return c.get().Value(key)
}
