package nanorpc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"nanorpc/go/internal/endpoint"
	"nanorpc/go/internal/link"
)

// How often a client looks whether there is a server again: after a millisecond, and then after twice as long each time, up to this.
const (
	firstLook   = time.Millisecond
	seldomLooks = 50 * time.Millisecond
)

// renewal is how a client gets from one connection to the next.
type renewal struct {
	dial     func(context.Context) (*endpoint.Client, error)
	patience time.Duration   // 0: there is no next connection
	context  context.Context // ends with the client
	cancel   context.CancelFunc
	turn     chan struct{} // of capacity 1: holds one value while somebody dials

	mu    sync.Mutex // guards what follows, and changes of Client.current
	ended bool
}

func (r *renewal) begin(patience time.Duration, dial func(context.Context) (*endpoint.Client, error)) {
	r.dial, r.patience, r.turn = dial, patience, make(chan struct{}, 1)
	r.context, r.cancel = context.WithCancel(context.Background())
}

// end has nobody dial any more.
func (r *renewal) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	r.cancel()
}

// helps reports whether a connection has ended and there may be another one.
func (r *renewal) helps(s *session) bool {
	if r.patience == 0 {
		return false
	}
	err := s.endpoint.Err()
	return err != nil && !errors.Is(err, link.ErrClosed)
}

// acquire takes a slot of the client's connection. If that has ended, nothing has been sent on it yet, so that another one will do.
func (c *Client) acquire(wait link.Wait) (*session, int, error) {
	s := c.current.Load()
	for {
		slot, err := s.endpoint.Acquire(wait)
		if err == nil {
			return s, slot, nil
		}
		if !c.renewal.helps(s) {
			return nil, 0, public(err)
		}
		if s, err = c.renew(wait, s); err != nil {
			return nil, 0, err
		}
	}
}

// renew returns the connection after one that has ended. It blocks until there is a server, the wait or the client's patience ends. One caller dials; the others wait for
// it, each no longer than it would itself.
func (c *Client) renew(wait link.Wait, old *session) (*session, error) {
	r := &c.renewal
	ctx, cancel := r.until(wait)
	defer cancel()
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return nil, c.unrenewed(wait, old)
	}
	if now := c.current.Load(); now != old {
		return now, nil
	}
	for pause := firstLook; ; pause = min(2*pause, seldomLooks) {
		e, err := r.dial(ctx)
		if err == nil {
			return c.adopt(e)
		}
		if ctx.Err() == nil && !passes(err) {
			return nil, public(err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, c.unrenewed(wait, old)
		}
	}
}

// until returns a context for a wait that is no longer than the client's patience.
func (r *renewal) until(wait link.Wait) (context.Context, context.CancelFunc) {
	parent := wait.Context
	if parent == nil {
		parent = context.Background()
	}
	ctx, cancel := context.WithTimeout(parent, r.patience)
	stop := context.AfterFunc(r.context, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// passes reports whether an error of dialling may be gone soon: there is no server yet, it has just died, has no room, or does not answer.
func passes(err error) bool {
	err = public(err)
	for _, temporary := range []error{ErrServerNotFound, ErrServerGone, ErrExhausted, ErrDeadlineExceeded} {
		if errors.Is(err, temporary) {
			return true
		}
	}
	return false
}

// unrenewed returns why there is no new connection in time.
func (c *Client) unrenewed(wait link.Wait, old *session) error {
	switch {
	case c.renewal.context.Err() != nil:
		return ErrClientClosed
	case wait.Context != nil && wait.Context.Err() != nil:
		return public(wait.Context.Err())
	default:
		return fmt.Errorf("%w, and there has been no other for %v: %w", ErrServerGone, c.renewal.patience, old.endpoint.Err())
	}
}

// adopt makes a connection the client's, unless that has been closed.
func (c *Client) adopt(e *endpoint.Client) (*session, error) {
	s := &session{client: c, endpoint: e}
	c.renewal.mu.Lock()
	defer c.renewal.mu.Unlock()
	if c.renewal.ended {
		e.Close()
		return nil, ErrClientClosed
	}
	c.current.Store(s)
	return s, nil
}
