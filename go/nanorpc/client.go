package nanorpc

import (
	"context"
	"fmt"
	"math"

	"nanorpc/go/internal/endpoint"
	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/link"
	"nanorpc/go/internal/wire"
)

// Client is a connection to a server. Its methods are safe for concurrent use, and 256 calls of a client can be in flight; more wait their turn.
type Client struct {
	service  string
	endpoint *endpoint.Client
	async    async
}

// Dial connects to the server of a service. It blocks until the server has answered, the context ends, or 5 seconds have passed.
// Errors: ErrServerNotFound, ErrNotAllowed, ErrIncompatible, ErrExhausted, ErrInvalidName, ErrDeadlineExceeded.
func Dial(ctx context.Context, service string, options ...DialOption) (*Client, error) {
	s := defaults()
	for _, o := range options {
		o.applyDial(&s)
	}
	e, err := endpoint.Dial(ctx, s.directory, service, s.spin)
	if err != nil {
		return nil, public(err)
	}
	return &Client{service: service, endpoint: e}, nil
}

// Close ends the connection and frees its memory. Calls in flight return ErrClientClosed; their handlers may go on. It returns nil.
func (c *Client) Close() error {
	c.endpoint.Close()
	return nil
}

// MaxPayload returns the longest request and reply in bytes.
func (c *Client) MaxPayload() int { return int(c.endpoint.Layout().MaxPayload) }

// Call calls a method and returns its reply, which is the caller's. It blocks until the reply is there or the context ends; a call whose
// context has ended may still run. The request is copied before Call returns.
//
// Errors: a *RemoteError with the text of the handler's error; ErrUnknownMethod; ErrPayloadTooLarge; ErrServerGone; ErrClientClosed;
// ErrDeadlineExceeded or context.Canceled when the context has ended.
func (c *Client) Call(ctx context.Context, method string, request []byte) ([]byte, error) {
	return c.AppendCall(ctx, nil, method, request)
}

// AppendCall is Call, but appends the reply to a buffer and returns that: no allocation where the buffer has room.
// When it returns an error the buffer is as before.
func (c *Client) AppendCall(ctx context.Context, buffer []byte, method string, request []byte) ([]byte, error) {
	wait, err := waitFor(ctx)
	if err != nil {
		return buffer, err
	}
	if len(request) > math.MaxUint32 {
		return buffer, fmt.Errorf("%w: a request of %d bytes", ErrPayloadTooLarge, len(request))
	}
	l := c.endpoint
	slot, err := l.Acquire(wait)
	if err != nil {
		return buffer, public(err)
	}
	offset, err := l.Reserve(slot, len(request), wait)
	if err != nil {
		l.Release(slot)
		return buffer, public(err)
	}
	copy(l.Bytes(offset, len(request)), request)
	l.Submit(slot, link.Submission{Method: wire.MethodID(method), Offset: offset, Length: len(request), Deadline: wait.Deadline})
	reply, err := l.Await(slot, wait)
	if err != nil {
		return buffer, c.giveUp(slot, err)
	}
	payload := l.Bytes(reply.Offset, reply.Length)
	if reply.Status == wire.StatusOK {
		buffer = append(buffer, payload...)
	} else {
		err = statusError(reply.Status, method, string(payload))
	}
	l.Release(slot)
	return buffer, err
}

// giveUp gives back the slot of a call of which Await has returned err, and returns the public error.
func (c *Client) giveUp(slot int, err error) error {
	if c.endpoint.Err() == nil && !lost(err) {
		c.endpoint.Abandon(slot)
	} else {
		c.endpoint.Release(slot)
	}
	return public(err)
}

// waitFor returns the bounds that a context sets, or the error of one that has ended.
func waitFor(ctx context.Context) (link.Wait, error) {
	if ctx.Done() == nil {
		return link.Wait{}, nil
	}
	if err := ctx.Err(); err != nil {
		return link.Wait{}, public(err)
	}
	wait := link.Wait{Context: ctx}
	if deadline, ok := ctx.Deadline(); ok {
		wait.Deadline = futex.Time(deadline)
	}
	return wait, nil
}
