package nanorpc

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"nanorpc/go/internal/bulk"
	"nanorpc/go/internal/endpoint"
	"nanorpc/go/internal/link"
	"nanorpc/go/internal/wire"
)

// Call is a call in progress, made by Client.Go. Its methods are safe for concurrent use.
type Call struct {
	method string
	done   chan struct{}

	mu    sync.Mutex // guards what follows until the call is over, and orders it after its submission
	over  bool
	from  *session // that has the slot
	slot  int
	stop  func() bool // stops watching the context; may be nil
	reply []byte
	err   error
}

// Method returns the name of the method that is called.
func (c *Call) Method() string { return c.method }

// Done returns a channel that is closed when the call is over.
func (c *Call) Done() <-chan struct{} { return c.done }

// Result blocks until the call is over, and returns what Client.Call would.
func (c *Call) Result() ([]byte, error) {
	<-c.done
	return c.reply, c.err
}

// Go calls a method without waiting for the reply, as net/rpc does. It does not block: a call that has to wait for a slot, or for room for its request,
// waits in a goroutine of its own. The request is copied before Go returns. When the context ends the call is over at once, and the handler's
// context is done as soon as the server notices. Errors are those of Client.Call, and all come with the Call.
//
// The client's first Go starts a goroutine that collects replies, for all its calls, until the connection ends.
func (c *Client) Go(ctx context.Context, method string, request []byte) *Call {
	call := &Call{method: method, done: make(chan struct{})}
	wait, err := waitFor(ctx)
	if err == nil && len(request) > math.MaxUint32 {
		err = fmt.Errorf("%w: a request of %d bytes", ErrPayloadTooLarge, len(request))
	}
	if err != nil {
		call.finish(nil, err)
		return call
	}
	s := c.current.Load()
	if slot, ok := s.endpoint.TryAcquire(); ok {
		if offset, ok := s.endpoint.TryReserve(slot, len(request)); ok {
			call.submit(ctx, wait, s, slot, offset, request)
			return call
		}
		s.endpoint.Release(slot)
	}
	go call.queue(ctx, wait, c, slices.Clone(request))
	return call
}

// queue submits the call when there is a slot and room for the request.
func (c *Call) queue(ctx context.Context, wait link.Wait, client *Client, request []byte) {
	s, slot, offset, err := client.reserve(wait, len(request))
	if err != nil {
		c.finish(nil, err)
		return
	}
	c.submit(ctx, wait, s, slot, offset, request)
}

// submit publishes the call.
func (c *Call) submit(ctx context.Context, wait link.Wait, s *session, slot int, offset int64, request []byte) {
	l := s.endpoint
	if err := s.async.start(l); err != nil {
		l.Release(slot)
		c.finish(nil, err)
		return
	}
	bulk.Share(l.Bytes(offset, len(request)), request)
	c.mu.Lock()
	c.from, c.slot = s, slot
	s.async.calls[slot].Store(c)
	if ctx.Done() != nil {
		c.stop = context.AfterFunc(ctx, func() { c.cancel(ctx.Err()) })
	}
	if !l.Submit(slot, link.Submission{Method: wire.MethodID(c.method), Length: len(request), Deadline: wait.Deadline, Notify: true}) {
		l.Hurry()
	}
	c.mu.Unlock()
	// The collector looks at all calls once more when it has seen the end of the connection. Either it sees this call, or we the end.
	if err := l.Err(); err != nil {
		c.lose(err)
	}
}

// finish ends a call that has no slot.
func (c *Call) finish(reply []byte, err error) {
	c.reply, c.err = reply, err
	close(c.done)
}

// end marks the call as over, once, and takes it from the collector. What is to be done with its slot, release does, still under the lock.
func (c *Call) end(reply []byte, err error, release func(slot int)) {
	c.over = true
	c.from.async.calls[c.slot].Store(nil)
	release(c.slot)
	if c.stop != nil {
		c.stop()
	}
	c.finish(reply, err)
}

// collect ends the call if its reply is there.
func (c *Call) collect() {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.from.endpoint
	if c.over || !l.Finished(c.slot) { // a notice of the slot's last call
		return
	}
	reply, err := l.Await(c.slot, link.Wait{Deadline: 1}) // it is there: there is nothing to wait for
	if errors.Is(err, link.ErrDeadline) {
		return // the server has taken it back
	}
	if err != nil {
		c.end(nil, public(err), l.Release)
		return
	}
	payload := l.Bytes(reply.Offset, reply.Length)
	if reply.Status != wire.StatusOK {
		c.end(nil, statusError(reply.Status, c.method, string(payload)), l.Release)
		return
	}
	c.end(slices.Clone(payload), nil, l.Release)
}

// cancel ends the call because its context has ended.
func (c *Call) cancel(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.end(nil, public(cause), c.from.endpoint.Abandon)
	}
}

// lose ends the call because its connection has ended.
func (c *Call) lose(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.end(nil, public(cause), c.from.endpoint.Release)
	}
}

// async is what a client knows of a connection's asynchronous calls. The zero value is ready to use.
type async struct {
	once  sync.Once
	err   error                            // why the collector could not start
	calls [wire.Slots]atomic.Pointer[Call] // by slot
}

// start starts the collector, once.
func (a *async) start(l *endpoint.Client) error {
	a.once.Do(func() {
		if a.err = public(l.Hold()); a.err == nil {
			go a.collect(l)
		}
	})
	return a.err
}

// collect ends calls as their replies come, until the connection ends.
func (a *async) collect(l *endpoint.Client) {
	defer l.Unhold()
	notices := l.Notices()
	for {
		groups, err := notices.Wait()
		if err != nil {
			for i := range a.calls {
				if call := a.calls[i].Load(); call != nil {
					call.lose(err)
				}
			}
			return
		}
		link.EachSlot(groups, func(slot int) {
			if call := a.calls[slot].Load(); call != nil {
				call.collect()
			}
		})
	}
}
