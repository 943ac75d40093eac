package pycore

import (
	"context"

	"nanorpc/go/internal/endpoint"
	"nanorpc/go/internal/wire"
)

// detached is a call that Python answers later.
type detached struct {
	call     *endpoint.Call
	reserved memory
	stop     func() bool // ends the watching; may be nil
}

// detach gives a call a ticket.
func (s *server) detach(call *endpoint.Call, watch bool) int64 {
	d := &detached{call: call.Detach()}
	ticket := s.calls.add(d)
	if watch {
		d.stop = context.AfterFunc(d.call.Context(), func() { s.endpoint.Notify(endpoint.Notice{Cancelled: true, Number: ticket}) })
	}
	return ticket
}

// CallReserve returns the offset for a reply of length bytes to a detached call. If there is no room for it, or it is too large, the call has been answered with
// that, and the status is returned.
func CallReserve(id, ticket, length int64) int64 {
	s, d, ok := pending(id, ticket)
	if !ok {
		return -statusInvalidHandle
	}
	return d.reserved.reserve(d.call, length, func() { s.forget(ticket) })
}

// CallReply answers a detached call with what lies where CallReserve has said. The status is a wire.Status.
func CallReply(id, ticket, result, offset, length int64) int64 {
	s, d, ok := pending(id, ticket)
	if !ok || !answerable(d.call, result, memory{offset, length}, d.reserved) {
		return -statusInvalidHandle
	}
	s.forget(ticket)
	d.call.Publish(wire.Status(result), offset, int(length))
	return 0
}

// CallCancelled returns 1 if nobody waits for a detached call any more, else 0.
func CallCancelled(id, ticket int64) int64 {
	_, d, ok := pending(id, ticket)
	if !ok {
		return 1
	}
	return given(d.call)
}

// CallOpen returns 1 if a detached call has not been answered, else 0.
func CallOpen(id, ticket int64) int64 {
	if _, _, ok := pending(id, ticket); ok {
		return 1
	}
	return 0
}

func pending(id, ticket int64) (*server, *detached, bool) {
	s, ok := servers.get(id)
	if !ok {
		return nil, nil, false
	}
	d, ok := s.calls.get(ticket)
	return s, d, ok
}

// forget drops the ticket of a call that is about to be answered, and ends its watching: answering it ends its context.
func (s *server) forget(ticket int64) {
	if d, ok := s.calls.take(ticket); ok && d.stop != nil {
		d.stop()
	}
}
