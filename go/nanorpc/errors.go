package nanorpc

import (
	"context"
	"errors"
	"fmt"
	"os"

	"nanorpc/go/internal/endpoint"
	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/link"
	"nanorpc/go/internal/rendezvous"
	"nanorpc/go/internal/shm"
	"nanorpc/go/internal/wire"
)

// Errors that calls, dials and servers return, wrapped with details. Compare with errors.Is.
var (
	ErrServerNotFound   = errors.New("nanorpc: server not found")                                                  // nobody serves this name
	ErrServerGone       = errors.New("nanorpc: server gone")                                                       // the server died or closed; the call may or may not have run
	ErrServerClosed     = errors.New("nanorpc: server closed")                                                     // Serve or Listen after Shutdown
	ErrUnknownMethod    = errors.New("nanorpc: unknown method")                                                    // the server has no method of this name
	ErrPayloadTooLarge  = errors.New("nanorpc: payload too large")                                                 // request or reply exceeds the server's limit
	ErrExhausted        = errors.New("nanorpc: out of shared memory, descriptors or quota")                        // no room for a segment or a reply, no descriptor, or as many connections as this user may have
	ErrServiceInUse     = errors.New("nanorpc: service name in use")                                               // another process serves this name
	ErrIncompatible     = errors.New("nanorpc: incompatible peer")                                                 // another protocol version, or not NanoRPC
	ErrNotAllowed       = errors.New("nanorpc: peer or directory not allowed")                                     // another user's server, a server that does not want this user, or a directory that others can write
	ErrInvalidName      = errors.New("nanorpc: invalid name")                                                      // of a service or method
	ErrInvalidOption    = errors.New("nanorpc: invalid option")                                                    // a size or policy that cannot be
	ErrClientClosed     = errors.New("nanorpc: client closed")                                                     // Call after, or during, Close
	ErrDeadlineExceeded = fmt.Errorf("nanorpc: %w", errors.Join(context.DeadlineExceeded, os.ErrDeadlineExceeded)) // matches both
)

// RemoteError is an error that a handler returned, as its caller sees it.
type RemoteError struct {
	Method    string
	Type      string // the error's type as the server calls it, such as "KeyError"; empty if it does not say: those in Go do not
	Message   string // the text of the handler's error
	Traceback string // where it came from, if the server tells
}

// Error returns the method, the type if there is one, and the text.
func (e *RemoteError) Error() string {
	text := "nanorpc: " + e.Method + ": "
	if e.Type != "" {
		text += e.Type + ": "
	}
	return text + e.Message
}

// parseException reads what a server says of an exception (docs/protocol.md, section 4).
func parseException(method string, payload []byte) error {
	e, err := endpoint.ParseException(payload)
	if err != nil {
		return fmt.Errorf("%w: an error of %s that cannot be read: %w", ErrIncompatible, method, err)
	}
	return &RemoteError{Method: method, Type: e.Type, Message: e.Message, Traceback: e.Traceback}
}

// translations are the public errors for the internal ones.
var translations = []struct{ from, to error }{
	{rendezvous.ErrNotFound, ErrServerNotFound},
	{link.ErrGone, ErrServerGone},
	{rendezvous.ErrGone, ErrServerGone},
	{link.ErrClosed, ErrClientClosed},
	{link.ErrDeadline, ErrDeadlineExceeded},
	{link.ErrTooLarge, ErrPayloadTooLarge},
	{link.ErrExhausted, ErrExhausted},
	{link.ErrProtocol, ErrIncompatible},
	{shm.ErrNoSpace, ErrExhausted},
	{wire.ErrLayout, ErrIncompatible},
	{rendezvous.ErrInUse, ErrServiceInUse},
	{rendezvous.ErrVersion, ErrIncompatible},
	{rendezvous.ErrHandshake, ErrIncompatible},
	{rendezvous.ErrRefused, ErrExhausted},
	{rendezvous.ErrDescriptors, ErrExhausted},
	{rendezvous.ErrPeer, ErrNotAllowed},
	{endpoint.ErrUnsealed, ErrNotAllowed},
	{rendezvous.ErrDirectory, ErrNotAllowed},
	{rendezvous.ErrName, ErrInvalidName},
	{endpoint.ErrMethodName, ErrInvalidName},
	{endpoint.ErrMethodUsed, ErrInvalidName},
	{futex.ErrPolicy, ErrInvalidOption},
}

// public wraps err in the public error that says the same.
func public(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", ErrDeadlineExceeded, err)
	}
	for _, t := range translations {
		if err == t.from {
			return t.to // without details: no allocation where calls fail often
		}
		if errors.Is(err, t.from) {
			return fmt.Errorf("%w: %w", t.to, err)
		}
	}
	return err
}
