package bench

import (
	"context"
	"fmt"
)

// transport is one way to call echo in another process. Its values are immutable.
type transport interface {
	name() string
	// payload returns how many bytes a call of the given size carries.
	payload(size int) int
	// serve is the peer's side. It calls ready once connect would succeed, and serves until ctx is done; without connections it uses
	// no CPU. Files that it creates lie in p.Directory.
	serve(ctx context.Context, p peerParams, ready func() error) error
	// connect connects to the peer with these params, for calls of one size. It blocks until that has succeeded or ctx ends.
	connect(ctx context.Context, p peerParams, size, callers int) (session, error)
}

// session is what connect returns.
type session interface {
	// caller returns the i-th of the session's callers. Callers may call concurrently, each from one goroutine.
	caller(i int) caller
	// interrupt makes calls, those in progress and those to come, fail soon. It is safe to use at any time before close.
	interrupt()
	// close frees everything. No call may be in progress.
	close() error
}

// caller calls echo.
type caller interface {
	// call sends the request and returns the reply, in the memory of buffer if it has room. It blocks until the reply is there.
	call(buffer, request []byte) ([]byte, error)
}

// builtin returns the transports of this package, in the order of their names' documentation.
func builtin() []transport {
	return []transport{limit{}, limit{copies: true}, nanoRPC{}, nanoRPC{policy: "busy"}, nanoRPC{policy: "none"}, nanoLoan{}, nanoBatch{}, uds{}, udsBatch{}}
}

// Transports returns the names of all transports.
func Transports() []string { return names(builtin()) }

func names(transports []transport) []string {
	var names []string
	for _, t := range transports {
		names = append(names, t.name())
	}
	return names
}

func find(transports []transport, name string) (transport, error) {
	for _, t := range transports {
		if t.name() == name {
			return t, nil
		}
	}
	return nil, fmt.Errorf("%w: unknown transport %q", ErrConfig, name)
}
