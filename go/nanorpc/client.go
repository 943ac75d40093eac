package nanorpc

import (
	"context"
	"log/slog"

	"nanorpc/go/internal/endpoint"
	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/link"
)

// Client is a connection to a server. Its methods are safe for concurrent use, and 256 calls of a client can be in flight; more wait their turn.
type Client struct {
	service  string
	endpoint *endpoint.Client
	logger   *slog.Logger
	async    async
	holders  holders
}

// Dial connects to the server of a service. It blocks until the server has answered, the context ends, or 5 seconds have passed.
// Errors: ErrServerNotFound, ErrNotAllowed for a server of another user or by it, ErrIncompatible, ErrExhausted, ErrInvalidName, ErrDeadlineExceeded.
func Dial(ctx context.Context, service string, options ...DialOption) (*Client, error) {
	s := defaults()
	for _, o := range options {
		o.applyDial(&s)
	}
	e, err := endpoint.DialTrusting(ctx, s.directory, service, s.spin, s.trust)
	if err != nil {
		return nil, public(err)
	}
	return &Client{service: service, endpoint: e, logger: s.logger}, nil
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
	slot, offset, err := c.reserve(wait, len(request))
	if err != nil {
		return buffer, err
	}
	l := c.endpoint
	copy(l.Bytes(offset, len(request)), request)
	reply, err := c.exchange(wait, method, slot, offset, len(request))
	if err != nil {
		return buffer, err
	}
	buffer = append(buffer, l.Bytes(reply.Offset, reply.Length)...)
	l.Release(slot)
	return buffer, nil
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
