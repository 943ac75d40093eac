package endpoint

import "context"

// tryStart takes one of the server's places for running handlers, if there is a limit, and reports whether it could.
func (s *Server) tryStart() bool {
	if s.running == nil {
		return true
	}
	select {
	case s.running <- struct{}{}:
		return true
	default:
		return false
	}
}

// start waits for a place. It reports false, and has answered the call, if the call's context has ended before.
func (s *Server) start(call *Call) bool {
	ctx := call.Context()
	select {
	case s.running <- struct{}{}:
		return true
	case <-ctx.Done():
		if ctx.Err() == context.DeadlineExceeded {
			call.Expire()
		} else {
			call.Fail(ctx.Err().Error()) // nobody reads it
		}
		return false
	}
}

// ended gives a method's place back. Reserved methods have none: they answer also when nothing else can.
func (s *Server) ended(m *method) {
	if s.running != nil && !m.reserved {
		<-s.running
	}
}
