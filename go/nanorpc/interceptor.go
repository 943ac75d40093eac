package nanorpc

import (
	"context"

	"nanorpc/go/internal/endpoint"
)

// CallInfo is what an Interceptor learns of a call.
type CallInfo struct {
	Method       string
	PeerPID      int // the client's process, as the kernel told it when the client connected
	RequestBytes int
}

// Interceptor runs around a handler: for logs, metrics, or to refuse calls. It calls next, with the context or one derived from it, at most once, and
// returns next's error or one of its own, which the caller gets; the reply is sent only when the last Interceptor has returned nil.
// Interceptors run concurrently. They apply to Handler and RawHandler, not to the reserved methods.
type Interceptor func(ctx context.Context, call CallInfo, next func(context.Context) error) error

// WithInterceptors sets the interceptors of all methods. The first is the outermost.
func WithInterceptors(interceptors ...Interceptor) ServerOption {
	return option(func(s *settings) { s.interceptors = interceptors })
}

// intercept runs a call's work within the interceptors.
func (s *Server) intercept(method string, call *endpoint.Call, work func(context.Context) error) error {
	info := CallInfo{Method: method, PeerPID: call.PeerPID(), RequestBytes: call.Length}
	next := work
	for i := len(s.settings.interceptors) - 1; i >= 0; i-- {
		interceptor, inner := s.settings.interceptors[i], next
		next = func(ctx context.Context) error { return interceptor(ctx, info, inner) }
	}
	return next(call.Context())
}
