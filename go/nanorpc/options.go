package nanorpc

import (
	"fmt"
	"log/slog"
	"time"

	"nanorpc/go/internal/endpoint"
	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/rendezvous"
	"nanorpc/go/internal/wire"
)

// Defaults of the server's options.
const (
	DefaultArena        = 1 << 30   // bytes
	DefaultMaxPayload   = 256 << 20 // bytes
	DefaultDrainTimeout = 10 * time.Second

	// DefaultMaxConnectionsPerUser is for users other than the server's own, which has no limit.
	DefaultMaxConnectionsPerUser = endpoint.DefaultUserConnections
)

// SpinPolicy says whether a waiting end spins on shared memory before it sleeps in the kernel.
type SpinPolicy int

// The policies.
const (
	// SpinAdaptive spins for up to 50 µs, about what a sleep and a wake-up cost, up to 150 µs where that has just paid, for as long again as long payloads take the other
	// end to copy, a millisecond at most, and less where it does not pay: the default.
	SpinAdaptive = SpinPolicy(futex.Adaptive)
	// SpinBusy never sleeps while it waits: a server takes one CPU per connection. For CPUs set aside for this.
	SpinBusy = SpinPolicy(futex.Busy)
	// SpinNone always sleeps: the least CPU, and tens of microseconds per call.
	SpinNone = SpinPolicy(futex.None)
)

// ParseSpinPolicy returns the policy called adaptive, busy or none. Another name is an ErrInvalidOption.
func ParseSpinPolicy(name string) (SpinPolicy, error) {
	p, err := futex.ParsePolicy(name)
	return SpinPolicy(p), public(err)
}

// String returns the policy's name.
func (p SpinPolicy) String() string { return futex.Policy(p).String() }

// settings are what options set.
type settings struct {
	directory    string
	spin         futex.Policy
	arena        int
	maxPayload   int
	drainTimeout time.Duration
	logger       *slog.Logger
	interceptors []Interceptor
	concurrency  int
	each         int // handlers at once for one connection
	connections  int // of each user
	access       rendezvous.Access
	trust        rendezvous.Trust // Seals is a server's as well
	authorize    endpoint.Authorizer
	patience     time.Duration // of calls for a new server
}

func defaults() settings {
	return settings{
		arena:        DefaultArena,
		maxPayload:   DefaultMaxPayload,
		drainTimeout: DefaultDrainTimeout,
		logger:       slog.New(slog.DiscardHandler),
	}
}

// DialOption changes how Dial connects.
type DialOption interface{ applyDial(*settings) }

// ServerOption changes a server.
type ServerOption interface{ applyServer(*settings) }

// Option is both a DialOption and a ServerOption.
type Option interface {
	DialOption
	ServerOption
}

type option func(*settings)

func (o option) applyDial(s *settings)   { o(s) }
func (o option) applyServer(s *settings) { o(s) }

// WithDirectory sets where services are found. The directory must belong to this user, or for a client to the one named by WithServerUID, and nobody else may be able to
// write to it.
func WithDirectory(dir string) Option { return option(func(s *settings) { s.directory = dir }) }

// WithSpin sets the spin policy of this end's waits.
func WithSpin(p SpinPolicy) Option { return option(func(s *settings) { s.spin = futex.Policy(p) }) }

// WithReconnect has a client whose server has gone connect to the next one, which may have another process id, other limits and other methods. The calls in
// flight fail with ErrServerGone all the same: they may have run. Whoever calls next connects, and waits for a server for as long as patience says, or the call's deadline if that is
// sooner; if there is none by then, the call fails with ErrServerGone. 0, the default, is no reconnection: all later calls fail at once.
//
// Dial itself does not wait for a server that is not there yet.
func WithReconnect(patience time.Duration) DialOption {
	return option(func(s *settings) { s.patience = patience })
}

// WithArena sets how many bytes of shared memory each connection may take for requests, and as many again for replies, that do not fit in
// their slots. Memory is taken when it is needed, and given back when it has not been for a second. Rounded up to a multiple of 4 KiB.
func WithArena(bytes int) ServerOption { return option(func(s *settings) { s.arena = bytes }) }

// WithMaxPayload sets the longest request and reply, in bytes: at most the arena, and less than 4 GiB.
func WithMaxPayload(bytes int) ServerOption {
	return option(func(s *settings) { s.maxPayload = bytes })
}

// WithDrainTimeout sets how long Serve waits for calls in flight once its context is done.
func WithDrainTimeout(d time.Duration) ServerOption {
	return option(func(s *settings) { s.drainTimeout = d })
}

// WithMaxConcurrency sets how many handlers run at once, over all connections. Further calls wait, with their deadlines in force. 0, the default, is no
// limit but the clients' slots. The reserved methods do not count.
func WithMaxConcurrency(n int) ServerOption { return option(func(s *settings) { s.concurrency = n }) }

// WithMaxConcurrencyPerConnection sets how many handlers run at once for one connection, so that a client with 256 calls of a slow method leaves some of the server's
// places (see WithMaxConcurrency) to others. Its further calls wait, with their deadlines in force. 0, the default, is no limit but its slots.
func WithMaxConcurrencyPerConnection(n int) ServerOption {
	return option(func(s *settings) { s.each = n })
}

// WithMaxConnectionsPerUser sets how many connections each user, the server's own included, may have at once; Dial is refused a further one with ErrExhausted. With
// WithArena that bounds the shared memory of a user's connections: each has two arenas, and what its slots take. 0, the default, is
// DefaultMaxConnectionsPerUser for other users, and no limit for the server's own.
func WithMaxConnectionsPerUser(n int) ServerOption {
	return option(func(s *settings) { s.connections = n })
}

// WithLogger sets where a server reports clients that it turned away and handlers that panicked, and a client loans and leases that were dropped
// without Release. The default is nowhere.
func WithLogger(l *slog.Logger) Option { return option(func(s *settings) { s.logger = l }) }

// validate returns the layout that the options ask for, or ErrInvalidOption with what to do.
func (s settings) validate() (wire.Layout, error) {
	l, err := wire.NewLayout(int64(s.arena), int64(s.maxPayload))
	if err != nil {
		return l, fmt.Errorf("%w: %w", ErrInvalidOption, err)
	}
	for _, n := range []int{s.concurrency, s.each} {
		if n < 0 {
			return l, fmt.Errorf("%w: at most %d handlers at once: use a positive number, or 0 for no limit", ErrInvalidOption, n)
		}
	}
	if s.connections < 0 {
		return l, fmt.Errorf("%w: at most %d connections of a user: use a positive number, or 0 for the default", ErrInvalidOption, s.connections)
	}
	return l, s.validateAccess()
}
