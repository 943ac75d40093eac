package endpoint

import (
	"context"

	"nanorpc/go/internal/wire"
)

// places are those for handlers that run at once: the channel holds one value for each. The nil channel has room for any number.
type places chan struct{}

// newPlaces returns n places, or any number of them for 0.
func newPlaces(n int) places {
	if n == 0 {
		return nil
	}
	return make(places, n)
}

// try takes a place, and reports whether there was one.
func (p places) try() bool {
	if p == nil {
		return true
	}
	select {
	case p <- struct{}{}:
		return true
	default:
		return false
	}
}

// take takes a place when there is one, and reports whether that was before the context's end.
func (p places) take(ctx context.Context) bool {
	if p == nil {
		return true
	}
	select {
	case p <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// give gives a place back.
func (p places) give() {
	if p != nil {
		<-p
	}
}

// tryStart takes one of the connection's places for running handlers, and one of the server's, and reports whether it could.
func (c *conn) tryStart() bool {
	if !c.running.try() {
		return false
	}
	if !c.server.running.try() {
		c.running.give()
		return false
	}
	return true
}

// start waits for places: first for the connection's own, so that a client with many calls takes none of the server's that its quota does not give it. It reports false, and has
// answered the call, if the call's context has ended before, or its caller has given it up, of which the context may not know yet.
func (c *conn) start(call *Call) bool {
	ctx := call.Context()
	if c.running.take(ctx) {
		if c.server.running.take(ctx) {
			if !call.overdue() {
				return true
			}
			c.server.running.give()
			c.running.give()
			return false
		}
		c.running.give()
	}
	if ctx.Err() == context.DeadlineExceeded {
		call.Expire()
	} else {
		call.Publish(wire.StatusCancelled, 0, 0)
	}
	return false
}

// stopped gives a method's places back. Reserved methods have none: they answer also when nothing else can.
func (c *conn) stopped(m *method) {
	if !m.reserved {
		c.server.running.give()
		c.running.give()
	}
}
