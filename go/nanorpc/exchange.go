package nanorpc

import (
	"context"
	"errors"

	"nanorpc/go/internal/endpoint"
	"nanorpc/go/internal/link"
)

// Exchange is a call as a RawHandler sees it. It is valid until the handler returns, and for one goroutine at a time.
type Exchange endpoint.Call

// Request returns the request where it lies, in memory shared with the client. It must not be written.
func (x *Exchange) Request() []byte { return (*endpoint.Call)(x).Request() }

// Reply returns length bytes of memory shared with the client. What is in it when the handler returns nil is the reply. What it holds before
// is undefined. It can be called once. It blocks while the memory for replies is full, until the call's deadline, or for 30 seconds if it has none.
// Errors: ErrPayloadTooLarge, ErrExhausted, and ErrReleased when called again.
func (x *Exchange) Reply(length int) ([]byte, error) {
	b, err := (*endpoint.Call)(x).Loan(length)
	if errors.Is(err, endpoint.ErrLoaned) {
		return nil, ErrReleased
	}
	return b, public(err)
}

// RawHandler is a method that reads its request and writes its reply in shared memory, without a copy: see Exchange. A handler that does
// not call Reply replies with nothing. What else is said of Handler holds for it as well.
type RawHandler func(ctx context.Context, x *Exchange) error

// HandleRaw is Handle for a RawHandler.
func (s *Server) HandleRaw(method string, h RawHandler) error {
	return public(s.endpoint.Handle(method, func(call *endpoint.Call) {
		var err error
		if len(s.settings.interceptors) == 0 {
			err = h(call.Context(), (*Exchange)(call))
		} else {
			err = s.intercept(method, call, func(ctx context.Context) error { return h(ctx, (*Exchange)(call)) })
		}
		if err != nil {
			failCall(call, err)
			return
		}
		call.Finish()
	}))
}

// failCall answers a call with a handler's error.
func failCall(call *endpoint.Call, err error) {
	switch {
	case call.Deadline != 0 && errors.Is(err, context.DeadlineExceeded):
		call.Expire() // as the caller's own clock would tell it
	case errors.Is(err, link.ErrTooLarge):
		call.Refuse(err)
	case errors.Is(err, link.ErrExhausted):
		call.Refuse(err)
	default:
		call.Fail(err.Error())
	}
}
