package pycore

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync/atomic"
	"time"

	"nanorpc/go/internal/endpoint"
	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/wire"
)

// servers are those that Python has made.
var servers table[*server]

// server is a server whose calls Python's threads run, each with a worker.
type server struct {
	endpoint *endpoint.Server
	stopping atomic.Bool
	calls    table[*detached]
}

// ServerNew returns the number of a server that does not listen yet, or a failure with a text. Sizes are in bytes; with seals other than 0, clients' memory is sealed.
func ServerNew(service, directory, spin string, arena, maxPayload, seals int64) int64 {
	policy, err := futex.ParsePolicy(spin)
	if err != nil {
		return failure(err)
	}
	layout, err := wire.NewLayout(arena, maxPayload)
	if err != nil {
		return -statusInvalidOption - texts.add(err.Error())<<statusBits
	}
	return servers.add(&server{endpoint: endpoint.NewServer(service, endpoint.Options{
		Directory: directory,
		Layout:    layout,
		Spin:      policy,
		Seals:     seals != 0,
		Logger:    slog.New(slog.DiscardHandler),
		TellEnded: true,
	})})
}

// ServerHandle registers a method and returns its number, which WorkerNext gives back: they count from 0 on.
func ServerHandle(id int64, name string) int64 {
	s, ok := servers.get(id)
	if !ok {
		return -statusInvalidHandle
	}
	number, err := s.endpoint.HandlePulled(name)
	if err != nil {
		return failure(err)
	}
	return int64(number)
}

// ServerDescribe has the server say more of itself than its methods' names: a JSON object, endpoint.Details. It is called before ServerStart.
func ServerDescribe(id int64, details string) int64 {
	s, ok := servers.get(id)
	if !ok {
		return -statusInvalidHandle
	}
	var d endpoint.Details
	if err := json.Unmarshal([]byte(details), &d); err != nil {
		return failure(err)
	}
	s.endpoint.SetDetails(d)
	return 0
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

// ConnectionPeer returns the process id of a connection's client, or -statusGone.
func ConnectionPeer(id, connection int64) int64 {
	s, ok := servers.get(id)
	if !ok {
		return -statusInvalidHandle
	}
	pid, ok := s.endpoint.PeerPID(connection)
	if !ok {
		return -statusGone
	}
	return int64(pid)
}

// ServerShutdown begins to shut the server down, and returns at once: calls in flight have the timeout in ns to be answered.
// WorkerNext goes on to return them, and -statusClosed at the end.
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
