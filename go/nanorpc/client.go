package nanorpc

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	"nanorpc/go/internal/bulk"
	"nanorpc/go/internal/endpoint"
	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/link"
	"nanorpc/go/internal/wire"
)

// Client is a connection to a server, or, with WithReconnect, one after the other. Its methods are safe for concurrent use, and 256 calls of a client can be in flight; more wait their turn.
type Client struct {
	service string
	logger  *slog.Logger
	current atomic.Pointer[session]
	renewal renewal
}

// session is one connection of a client's.
type session struct {
	client   *Client
	endpoint *endpoint.Client
	async    async
	holders  holders
}

// Dial connects to the server of a service. It blocks until the server has answered, the context ends, or 5 seconds have passed.
// Errors: ErrServerNotFound, ErrNotAllowed for a server of another user or by it, ErrIncompatible, ErrExhausted, ErrInvalidName, ErrInvalidOption, ErrDeadlineExceeded.
func Dial(ctx context.Context, service string, options ...DialOption) (*Client, error) {
	s := defaults()
	for _, o := range options {
		o.applyDial(&s)
	}
	if s.patience < 0 {
		return nil, fmt.Errorf("%w: calls are to wait %v for a new server: use a positive duration, or 0 for no reconnection", ErrInvalidOption, s.patience)
	}
	c := &Client{service: service, logger: s.logger}
	c.renewal.begin(s.patience, func(ctx context.Context) (*endpoint.Client, error) {
		return endpoint.DialTrusting(ctx, s.directory, service, s.spin, s.trust)
	})
	e, err := c.renewal.dial(ctx)
	if err != nil {
		return nil, public(err)
	}
	c.current.Store(&session{client: c, endpoint: e})
	return c, nil
}

// Close ends the connection and frees its memory. Calls in flight return ErrClientClosed; their handlers may go on. It returns nil.
func (c *Client) Close() error {
	c.renewal.end()
	c.current.Load().endpoint.Close()
	return nil
}

// MaxPayload returns the longest request and reply in bytes. Another server, after a reconnection, may have another limit.
func (c *Client) MaxPayload() int { return int(c.current.Load().endpoint.Layout().MaxPayload) }

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
	var wait link.Wait
	var err error
	if ctx.Done() != nil { // waitFor says the same, in 36 instructions of a call's 500
		if wait, err = waitFor(ctx); err != nil {
			return buffer, err
		}
	}
	s := c.current.Load()
	slot, sent := s.endpoint.TrySend(wire.MethodID(method), request, wait.Deadline)
	if sent {
		if reply, ok := s.endpoint.TryReceive(slot); ok {
			buffer = append(buffer, reply...)
			s.endpoint.Release(slot)
			return buffer, nil
		}
	} else if s, slot, err = c.send(wait, method, request); err != nil {
		return buffer, err
	}
	reply, err := s.await(wait, method, slot)
	if err != nil {
		return buffer, err
	}
	buffer = bulk.Append(buffer, s.endpoint.Bytes(reply.Offset, reply.Length))
	s.endpoint.Release(slot)
	return buffer, nil
}

// send submits a call with a copy of the request.
func (c *Client) send(wait link.Wait, method string, request []byte) (*session, int, error) {
	s, slot, offset, err := c.reserve(wait, len(request))
	if err != nil {
		return nil, 0, err
	}
	bulk.Share(s.endpoint.Bytes(offset, len(request)), request)
	s.submit(wait, method, slot, len(request))
	return s, slot, nil
}

// giveUp gives back the slot of a call of which Await has returned err, and returns the public error.
func (s *session) giveUp(slot int, err error) error {
	if s.endpoint.Err() == nil && !lost(err) {
		s.endpoint.Abandon(slot)
	} else {
		s.endpoint.Release(slot)
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
