package nanorpc

import (
	"context"
	"errors"
	"net"

	"nanorpc/go/internal/endpoint"
)

// Handler is a method: it gets the request's bytes and returns the reply's, or an error whose text reaches the caller as a *RemoteError.
//
// The request lies in memory shared with the client: it is valid until the handler returns, and must not be written. The reply is
// copied when the handler returns, and may be the request, or a part of it. The context is done when the call's deadline passes, the caller gives
// up, the client has gone, or the handler has returned; one that is to be used after that must be asked for Done, or a derived context, before.
// Handlers run concurrently, in goroutines of the server; one that takes long does not hold up other calls.
// A handler that panics fails its call only.
type Handler func(ctx context.Context, request []byte) ([]byte, error)

// Server serves methods under a name. Its methods are safe for concurrent use.
type Server struct {
	service  string
	settings settings
	endpoint *endpoint.Server
	invalid  error // of the options; returned by Listen
}

// NewServer returns a server of the service called service: 1 to 64 letters, digits, '.', '_' and '-'.
// Invalid names and options are reported by Listen.
func NewServer(service string, options ...ServerOption) *Server {
	s := defaults()
	for _, o := range options {
		o.applyServer(&s)
	}
	layout, err := s.validate()
	return &Server{
		service:  service,
		settings: s,
		endpoint: endpoint.NewServer(service, endpoint.Options{
			Directory: s.directory, Access: s.access, Seals: s.trust.Seals, Authorize: s.authorize,
			Layout: layout, Spin: s.spin, Logger: s.logger, Concurrency: max(s.concurrency, 0), ConnectionConcurrency: max(s.each, 0),
			UserConnections: max(s.connections, 0),
		}),
		invalid: err,
	}
}

// Handle registers a method, before or while the server serves. A name has 1 to 255 bytes; those that begin with "nanorpc." are reserved.
// Errors: ErrInvalidName, also for a name that is registered already.
func (s *Server) Handle(method string, h Handler) error {
	handler := func(call *endpoint.Call) {
		reply, err := h(call.Context(), call.Request())
		if err != nil {
			failCall(call, err)
			return
		}
		call.Reply(reply)
	}
	if len(s.settings.interceptors) > 0 {
		handler = func(call *endpoint.Call) {
			var reply []byte
			err := s.intercept(method, call, func(ctx context.Context) (err error) {
				reply, err = h(ctx, call.Request())
				return err
			})
			if err != nil {
				failCall(call, err)
				return
			}
			call.Reply(reply)
		}
	}
	return public(s.endpoint.Handle(method, handler))
}

// Listen takes the service's name. When it returns clients can connect; they are served once Serve runs. A second Listen does nothing.
// Errors: ErrServiceInUse, ErrNotAllowed for a directory that others can write or with something else where the service's files should be, ErrInvalidName, ErrInvalidOption, ErrServerClosed.
func (s *Server) Listen() error {
	if s.invalid != nil {
		return s.invalid
	}
	if err := s.endpoint.Listen(); errors.Is(err, net.ErrClosed) {
		return ErrServerClosed
	} else if err != nil {
		return public(err)
	}
	return nil
}

// Serve serves until the context is done or Shutdown is called. It listens first, if Listen has not been called. When the context is done
// it shuts down: calls in flight have the drain timeout to end. It returns nil if they did. Call it once.
// Errors: those of Listen; ErrDeadlineExceeded if calls were still running after the drain timeout.
func (s *Server) Serve(ctx context.Context) error {
	if err := s.Listen(); err != nil {
		return err
	}
	drained := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		bounded, cancel := context.WithTimeout(context.Background(), s.settings.drainTimeout)
		defer cancel()
		drained <- s.Shutdown(bounded)
	})
	err := s.endpoint.Serve()
	if !stop() {
		return <-drained
	}
	return public(err)
}

// Shutdown gives the name back, lets calls in flight end, and closes all connections. It blocks until that is done or the context ends: then the
// connections are closed at once, and it returns ErrDeadlineExceeded or context.Canceled.
func (s *Server) Shutdown(ctx context.Context) error { return public(s.endpoint.Shutdown(ctx)) }
