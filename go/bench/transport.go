package bench

import (
	"context"
	"fmt"
)

// Transport is one way to call echo, a function in another process that returns its payload. Its values are immutable.
type Transport interface {
	// Name is what Config.Transports lists. No other transport has it.
	Name() string
	// Serve is the server's side, in a process of its own. It calls ready once Connect would succeed, and serves until ctx is done; without
	// connections it uses no CPU. Files that it creates lie in p.Directory, which is removed afterwards.
	Serve(ctx context.Context, p Params, ready func() error) error
	// Connect connects to the server that has the same params, for calls of one size, in bytes, by so many callers. It blocks until that has
	// succeeded or ctx ends.
	Connect(ctx context.Context, p Params, size, callers int) (Session, error)
}

// Session is what Connect returns.
type Session interface {
	// Caller returns the i-th of the session's callers. Callers may call concurrently, each from one goroutine.
	Caller(i int) Caller
	// Interrupt makes calls, those in progress and those to come, fail soon. It is safe to use at any time before Close.
	Interrupt()
	// Close frees everything. No call may be in progress.
	Close() error
}

// Caller calls echo.
type Caller interface {
	// Call sends the request and returns the reply, in the memory of buffer if it has room. It blocks until the reply is there. The request is
	// valid until then.
	Call(buffer, request []byte) ([]byte, error)
}

// Params is what both ends of a transport are told.
type Params struct {
	Directory string `json:"directory"` // private, empty when the server starts; either process removes it at the end
	Spin      string `json:"spin"`      // nanorpc's spin policy: see Config
	MaxSize   int    `json:"max_size"`  // of a payload, in bytes
	Inflight  int    `json:"inflight"`  // callers at once, of one client
	Idle      int    `json:"idle"`      // connections of a client that do not call
}

// partial is a transport whose calls do not carry, from process to process, all bytes of their size.
type partial interface {
	// payload returns how many bytes a call of the given size carries.
	payload(size int) int
}

// polling is a transport whose server may use its CPU for as long as it has a connection.
type polling interface{ polls(spin string) bool }

// polls reports whether the transport does that with the spin policy of its params.
func polls(t Transport, spin string) bool {
	p, ok := t.(polling)
	return ok && p.polls(spin)
}

// payload returns how many bytes a call of the given size carries.
func payload(t Transport, size int) int {
	if p, ok := t.(partial); ok {
		return p.payload(size)
	}
	return size
}

// builtin returns the transports of this package, in the order of their names' documentation.
func builtin() []Transport {
	return []Transport{
		limit{}, limit{copies: true}, nanoRPC{}, nanoRPC{policy: "busy"}, nanoRPC{policy: "none"}, nanoLoan{}, nanoBatch{}, uds, udsBatch{uds}, tcp,
	}
}

// Transports returns the names of all transports of this package.
func Transports() []string { return names(builtin()) }

func names(transports []Transport) []string {
	var names []string
	for _, t := range transports {
		names = append(names, t.Name())
	}
	return names
}

func find(transports []Transport, name string) (Transport, error) {
	for _, t := range transports {
		if t.Name() == name {
			return t, nil
		}
	}
	return nil, fmt.Errorf("%w: unknown transport %q", ErrConfig, name)
}
