package endpoint

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"nanorpc/go/internal/failpoint"
	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/link"
	"nanorpc/go/internal/rendezvous"
	"nanorpc/go/internal/wire"
)

// Errors of Server.
var (
	ErrMethodName = errors.New("invalid method name")
	ErrMethodUsed = errors.New("method already registered")
	ErrNotServing = errors.New("server is not listening")
)

// Options are a server's settings.
type Options struct {
	Directory string // empty: see rendezvous.Directory
	Access    rendezvous.Access
	Seals     bool         // of every connection's segment; those of other users' are sealed anyway
	Authorize Authorizer   // nil: whoever can connect may call everything. It is not asked for pulled methods
	Layout    wire.Layout  // of every connection's segment
	Spin      futex.Policy // of the leaders
	Logger    *slog.Logger
	TellEnded bool // Worker.Next is to return the ends of connections
	// Concurrency is how many handlers run at once, ConnectionConcurrency how many of those for one connection; 0: any number.
	Concurrency, ConnectionConcurrency int
	// UserConnections is how many connections each user may have at once; 0: DefaultUserConnections, but any number for the server's own user.
	UserConnections int
}

// Server accepts connections and runs handlers. Its methods are safe for concurrent use.
type Server struct {
	service string
	options Options
	started time.Time // immutable
	details Details   // immutable once it listens

	registration sync.Mutex                         // guards registered, and serialises changes of methods
	registered   int                                // methods, without the reserved ones
	methods      atomic.Pointer[map[uint64]*method] // replaced as a whole, so that lookups need no lock

	mu          sync.Mutex // guards what follows
	listener    *rendezvous.Listener
	connections map[int64]*conn
	lastID      int64
	changed     chan struct{} // closed and replaced when a connection has gone

	context  context.Context // of all connections
	cancel   context.CancelFunc
	draining atomic.Bool
	greeting handshakes // of clients that have access
	denied   handshakes // of others
	monitor  *monitor
	sleeping *futex.Permits // of leaders
	poller   poller
	pulled   *pulled
	running  places // for Concurrency handlers
	quota    quota
}

// maxSleepers is how many threads of a server sleep for calls at most. Further connections without calls wait in the runtime's poller, as those do that have
// been idle for long: their next call takes about 10 µs longer.
const maxSleepers = 64

// NewServer returns a server that does not listen yet.
func NewServer(service string, options Options) *Server {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{
		service:     service,
		options:     options,
		started:     time.Now(),
		connections: map[int64]*conn{},
		changed:     make(chan struct{}),
		context:     ctx,
		cancel:      cancel,
		greeting:    handshakes{limit: maxGreeting},
		denied:      handshakes{limit: maxDenied},
		monitor:     newMonitor(),
		sleeping:    futex.NewPermits(maxSleepers),
		pulled:      newPulled(),
		running:     newPlaces(options.Concurrency),
		quota:       quota{most: options.UserConnections},
	}
	s.methods.Store(&map[uint64]*method{
		wire.MethodID(DescribeMethod): {name: DescribeMethod, reserved: true, handler: s.authorized(DescribeMethod, s.describe)},
		wire.MethodID(StatsMethod):    {name: StatsMethod, reserved: true, handler: s.authorized(StatsMethod, s.answerStats)},
	})
	return s
}

// Handle registers the handler of a method.
func (s *Server) Handle(name string, h Handler) error {
	_, err := s.register(&method{name: name, handler: s.authorized(name, h)})
	return err
}

// register adds a method and returns its number.
func (s *Server) register(m *method) (int, error) {
	name := m.name
	if name == "" || len(name) > 255 || strings.HasPrefix(name, reservedPrefix) {
		return 0, fmt.Errorf("%w %q: use 1 to 255 bytes, not beginning with %q", ErrMethodName, name, reservedPrefix)
	}
	s.registration.Lock()
	defer s.registration.Unlock()
	methods := maps.Clone(*s.methods.Load())
	id := wire.MethodID(name)
	if other, ok := methods[id]; ok {
		return 0, fmt.Errorf("%w: %q has the number of %q", ErrMethodUsed, name, other.name)
	}
	m.number = s.registered
	s.registered++
	methods[id] = m
	s.methods.Store(&methods)
	return m.number, nil
}

// Methods returns the names of the registered methods, sorted, without the reserved ones.
func (s *Server) Methods() []string {
	var names []string
	for _, m := range *s.methods.Load() {
		if !m.reserved {
			names = append(names, m.name)
		}
	}
	slices.Sort(names)
	return names
}

// Listen takes the service's name. From then on clients can connect; they are served once Serve runs.
func (s *Server) Listen() error {
	if err := s.options.Layout.Validate(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() {
		return net.ErrClosed
	}
	if s.listener != nil {
		return nil
	}
	l, err := rendezvous.Listen(rendezvous.Directory(s.options.Directory), s.service, s.options.Access)
	if err != nil {
		return err
	}
	s.listener = l
	return nil
}

// Serve accepts connections until Shutdown. It returns nil then.
func (s *Server) Serve() error {
	s.mu.Lock()
	l := s.listener
	s.mu.Unlock()
	if l == nil {
		return ErrNotServing
	}
	go s.monitor.watch(s.context)
	for {
		peer, err := l.Accept()
		switch {
		case err == nil:
			s.begin(l, peer)
		case s.draining.Load() && errors.Is(err, net.ErrClosed):
			return nil
		case errors.Is(err, rendezvous.ErrDescriptors):
			s.options.Logger.Error("client refused", "error", err)
		case errors.Is(err, net.ErrClosed):
			return err
		default:
			// Out of descriptors or memory: the clients that are here go on.
			s.options.Logger.Error("accept", "error", err)
			if !s.pause() {
				return nil
			}
		}
	}
}

// begin begins a client's handshake.
func (s *Server) begin(l *rendezvous.Listener, peer *rendezvous.Conn) {
	handshakes := &s.greeting
	if peer.Denied() {
		handshakes = &s.denied
	}
	if ended := handshakes.add(peer); ended != nil {
		s.options.Logger.Warn("client turned away", "pid", ended.PeerPID(), "reason", "it said nothing while others came")
	}
	go func() {
		err := peer.Greet()
		handshakes.done(peer)
		if errors.Is(err, net.ErrClosed) {
			return // by handshakes
		}
		if err != nil {
			s.options.Logger.Warn("client turned away", "pid", peer.PeerPID(), "uid", peer.Peer().UID, "reason", err)
			_ = peer.Close()
			return
		}
		s.welcome(l, peer)
	}()
}

// welcome makes the client's segment and serves it until it is gone.
func (s *Server) welcome(l *rendezvous.Listener, peer *rendezvous.Conn) {
	failpoint.Hit(failpoint.ConnGreeted)
	if err := s.quota.enter(peer.Peer().UID); err != nil {
		s.refuse(peer, err)
		return
	}
	defer s.quota.leave(peer.Peer().UID)
	c, err := s.newConn(peer)
	if err == nil {
		if err = l.Spare(); err != nil {
			c.release()
		}
	}
	if err != nil {
		s.refuse(peer, err)
		return
	}
	failpoint.Hit(failpoint.ConnMapped)
	if !s.add(c) { // the server is shutting down: to the client, which gets no welcome, it has gone
		_ = peer.Close()
		c.release()
		return
	}
	s.options.Logger.Debug("client connected", "connection", c.id, "pid", peer.PeerPID())
	c.workers.Add(1)
	go c.lead()
	if err := peer.Welcome(c.file, s.options.Layout.Size()); err != nil {
		c.close(err)
	}
	failpoint.Hit(failpoint.ConnWelcomed)
	peer.WaitEnd(c.rung)
	c.close(link.ErrGone)
	c.workers.Wait()
	c.release()
	s.remove(c)
	s.options.Logger.Debug("client gone", "connection", c.id, "pid", peer.PeerPID())
}

// refuse tells a client why it gets no connection.
func (s *Server) refuse(peer *rendezvous.Conn, reason error) {
	s.options.Logger.Error("client refused", "pid", peer.PeerPID(), "uid", peer.Peer().UID, "error", reason)
	peer.Refuse(reason.Error())
	_ = peer.Close()
}

func (s *Server) newConn(peer *rendezvous.Conn) (*conn, error) {
	create := wire.Create
	if s.options.Seals || peer.WantsSeals() || peer.Peer().UID != os.Geteuid() {
		create = wire.CreateSealed
	}
	segment, file, err := create(s.options.Layout)
	if err != nil {
		return nil, err
	}
	c := &conn{server: s, link: link.NewServer(segment, s.options.Spin, s.sleeping), peer: peer, segment: segment, file: file, started: time.Now(),
		running: newPlaces(s.options.ConnectionConcurrency)}
	c.link.Cancelled, c.link.Waited, c.link.Sleeping, c.link.Elsewhere, c.link.Join = c.cancelled, c.waited, c.sleeping, c.elsewhere, c.join
	c.context, c.cancel = context.WithCancel(s.context)
	segment.Guard(c.lost)
	return c, nil
}

// File returns the file of a connection's segment, for another mapping of it in this process, or nil if the connection has ended.
// It is closed with the connection.
func (s *Server) File(connection int64) *os.File {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.connections[connection]; c != nil {
		return c.file
	}
	return nil
}

// PeerPID returns the process id of a connection's client, and whether the connection is there.
func (s *Server) PeerPID(connection int64) (int, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.connections[connection]; c != nil {
		return c.peer.PeerPID(), true
	}
	return 0, false
}

// Size returns the size of every connection's segment in bytes.
func (s *Server) Size() int64 { return s.options.Layout.Size() }

func (s *Server) live() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.connections))
}

func (s *Server) add(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() {
		return false
	}
	s.lastID++
	c.id = s.lastID
	s.connections[c.id] = c
	return true
}

func (s *Server) remove(c *conn) {
	s.mu.Lock()
	delete(s.connections, c.id)
	close(s.changed)
	s.changed = make(chan struct{})
	s.mu.Unlock()
	if s.options.TellEnded {
		s.Notify(Notice{Number: c.id})
	}
}

// pause waits a little before the next try, and reports whether the server goes on.
func (s *Server) pause() bool {
	select {
	case <-time.After(50 * time.Millisecond):
		return true
	case <-s.context.Done():
		return false
	}
}

// Shutdown gives the service's name back, serves the calls in flight, refuses later ones, and ends all connections. It blocks until that
// is done or the context ends; then it ends the connections at once, and returns the context's error. Later calls of it do the same.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	first := !s.draining.Swap(true)
	l := s.listener
	s.mu.Unlock()
	var err error
	if first && l != nil {
		err = l.Close()
	}
	s.greeting.close()
	s.denied.close()
	defer s.cancel()
	for _, c := range s.live() {
		c.interrupt()
	}
	for {
		s.mu.Lock()
		left, changed := len(s.connections), s.changed
		s.mu.Unlock()
		if left == 0 {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			for _, c := range s.live() {
				c.close(link.ErrClosed)
			}
			return errors.Join(err, ctx.Err())
		}
	}
}
