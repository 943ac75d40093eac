package pycore

import (
	"context"
	"log/slog"
	"runtime"
	"sync/atomic"
	"time"

	"nanorpc/go/internal/endpoint"
	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/wire"
)

// servers are those that Python has made.
var servers table[*server]

// queueLength is how many calls may wait for Python before the connections' leaders wait.
const queueLength = 1024

// server hands calls to Python's threads: its handlers detach them and put them in a queue.
type server struct {
	endpoint *endpoint.Server
	queue    chan event
	done     chan struct{} // closed when the server has shut down
	stopping atomic.Bool
	calls    tickets
	methods  int64
}

// event is a call, or the end of a connection.
type event struct {
	call       *endpoint.Call
	method     int64
	connection int64
}

// pythonCall is a call that Python works on.
type pythonCall struct {
	call   *endpoint.Call
	offset int64 // of the reply, once reserved
	length int
}

// ServerNew returns the number of a server that does not listen yet, or a failure with a text. Sizes are in bytes.
func ServerNew(service, directory, spin string, arena, maxPayload int64) int64 {
	policy, err := futex.ParsePolicy(spin)
	if err != nil {
		return failure(err)
	}
	layout, err := wire.NewLayout(arena, maxPayload)
	if err != nil {
		return -statusInvalidOption - texts.add(err.Error())<<statusBits
	}
	s := &server{
		queue: make(chan event, queueLength),
		done:  make(chan struct{}),
	}
	s.endpoint = endpoint.NewServer(service, endpoint.Options{
		Directory: directory,
		Layout:    layout,
		Spin:      policy,
		Logger:    slog.New(slog.DiscardHandler),
		Ended:     func(connection int64) { s.put(event{connection: connection}) },
	})
	return servers.add(s)
}

// put gives Python an event, and waits while the queue is full and the server runs.
func (s *server) put(e event) {
	select {
	case s.queue <- e:
	case <-s.done:
	}
}

// ServerHandle registers a method and returns its number, which ServerNext gives back.
func ServerHandle(id int64, name string) int64 {
	s, ok := servers.get(id)
	if !ok {
		return -statusInvalidHandle
	}
	number := s.methods
	err := s.endpoint.Handle(name, func(call *endpoint.Call) {
		s.put(event{call: call.Detach(), method: number})
	})
	if err != nil {
		return failure(err)
	}
	s.methods++
	return number
}

// ServerStart takes the name and serves in the background. It returns 0 or a failure with a text.
func ServerStart(id int64) int64 {
	s, ok := servers.get(id)
	if !ok {
		return -statusInvalidHandle
	}
	if err := s.endpoint.Listen(); err != nil {
		return failure(err)
	}
	go func() { _ = s.endpoint.Serve() }() // ends with Shutdown; the listener is there, so nothing else can fail
	return 0
}

// Bits of what ServerNext returns.
const (
	methodBits     = 16
	connectionBits = 27
)

// ServerNext returns the next call: ticket, connection and method packed in one number, from the high bits to the low. Or
// -statusPending; -statusClosed when the server has shut down; -statusConnection with the number of a connection that has ended
// in the higher bits.
func ServerNext(id int64) int64 {
	s, ok := servers.get(id)
	if !ok {
		return -statusInvalidHandle
	}
	e, result := s.next()
	switch {
	case result != 0:
		return result
	case e.call == nil:
		return -statusConnection - e.connection<<statusBits
	}
	ticket := s.calls.add(&pythonCall{call: e.call})
	return ticket<<(connectionBits+methodBits) | e.call.Connection()%(1<<connectionBits)<<methodBits | e.method
}

// yields is how often next looks at the queue before it sleeps: a caller in a closed loop calls again within microseconds.
const yields = 64

func (s *server) next() (event, int64) {
	for range yields {
		select {
		case e := <-s.queue:
			return e, 0
		default:
			runtime.Gosched()
		}
	}
	timer := time.NewTimer(slice)
	defer timer.Stop()
	select {
	case e := <-s.queue:
		return e, 0
	case <-s.done:
		return event{}, -statusClosed
	case <-timer.C:
		return event{}, -statusPending
	}
}

// CallRequest returns the place of a call's request.
func CallRequest(id, ticket int64) int64 {
	c, ok := pending(id, ticket)
	if !ok {
		return -statusInvalidHandle
	}
	return place(c.call.Offset, c.call.Length)
}

// CallDeadline returns the call's deadline in ns of CLOCK_MONOTONIC, 0 for none.
func CallDeadline(id, ticket int64) int64 {
	c, ok := pending(id, ticket)
	if !ok {
		return -statusInvalidHandle
	}
	return c.call.Deadline
}

// CallReserve returns the offset for a reply of length bytes, or a status.
func CallReserve(id, ticket, length int64) int64 {
	c, ok := pending(id, ticket)
	if !ok || length < 0 || c.offset != 0 {
		return -statusInvalidHandle
	}
	offset, err := c.call.Allocate(int(length))
	if err != nil {
		return status(err)
	}
	c.offset, c.length = offset, int(length)
	return offset
}

// CallReply answers a call with what lies where CallReserve said: with the reply, or, if failed is not 0, with an error's text.
func CallReply(id, ticket, failed int64) int64 {
	c, ok := pending(id, ticket)
	if !ok || c.offset == 0 {
		return -statusInvalidHandle
	}
	forget(id, ticket)
	result := wire.StatusOK
	if failed != 0 {
		result = wire.StatusHandlerError
	}
	c.call.Publish(result, c.offset, c.length)
	return 0
}

// CallReject answers a call whose reply has not been reserved with the status, without a text.
func CallReject(id, ticket, reason int64) int64 {
	c, ok := pending(id, ticket)
	if !ok || c.offset != 0 {
		return -statusInvalidHandle
	}
	forget(id, ticket)
	result := wire.StatusExhausted
	if -reason == statusTooLarge {
		result = wire.StatusTooLarge
	}
	c.call.Publish(result, 0, 0)
	return 0
}

func pending(id, ticket int64) (*pythonCall, bool) {
	s, ok := servers.get(id)
	if !ok {
		return nil, false
	}
	return s.calls.get(ticket)
}

func forget(id, ticket int64) {
	if s, ok := servers.get(id); ok {
		s.calls.remove(ticket)
	}
}

// ConnectionDescriptor returns a descriptor of the segment's file of a connection, which is the caller's to close.
func ConnectionDescriptor(id, connection int64) int64 {
	s, ok := servers.get(id)
	if !ok {
		return -statusInvalidHandle
	}
	f := s.endpoint.File(connection)
	if f == nil {
		return -statusGone
	}
	return descriptor(f)
}

// ServerSize returns the size of every connection's segment in bytes.
func ServerSize(id int64) int64 {
	s, ok := servers.get(id)
	if !ok {
		return -statusInvalidHandle
	}
	return s.endpoint.Size()
}

// ServerShutdown begins to shut the server down, and returns at once: calls in flight have the timeout in ns to be answered.
// ServerNext goes on to return them, and -statusClosed at the end.
func ServerShutdown(id, timeout int64) int64 {
	s, ok := servers.get(id)
	if !ok {
		return -statusInvalidHandle
	}
	if s.stopping.Swap(true) {
		return 0
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(timeout))
		defer cancel()
		_ = s.endpoint.Shutdown(ctx) // a timeout has cut the connections, which is all that can be done
		close(s.done)
	}()
	return 0
}

// ServerForget drops a server's number.
func ServerForget(id int64) int64 {
	if _, ok := servers.take(id); !ok {
		return -statusInvalidHandle
	}
	return 0
}
