package endpoint

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"slices"
	"sync/atomic"
	"testing"

	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/link"
	"nanorpc/go/internal/rendezvous"
	"nanorpc/go/internal/wire"
)

const service = "hostile"

var layout = func() wire.Layout {
	l, err := wire.NewLayout(1<<20, 1<<19)
	if err != nil {
		panic(err)
	}
	return l
}()

// privateDirectory returns a service directory that others cannot write.
func privateDirectory(t *testing.T) string { return t.TempDir() + "/nanorpc" }

// startServer serves echo.
func startServer(t *testing.T, dir string, change ...func(*Options)) *Server {
	t.Helper()
	o := Options{Directory: dir, Layout: layout, Logger: slog.New(slog.DiscardHandler)}
	for _, f := range change {
		f(&o)
	}
	s := NewServer(service, o)
	if err := s.Handle("echo", func(c *Call) { c.Reply(c.Request()) }); err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- s.Serve() }()
	t.Cleanup(func() {
		if err := errors.Join(s.Shutdown(context.Background()), <-served); err != nil {
			t.Error(err)
		}
	})
	return s
}

// echo calls the server with a payload that goes through the arena, and checks the reply.
func echo(t *testing.T, c *Client) {
	t.Helper()
	const length = 100_000
	slot, err := c.Acquire(link.Wait{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release(slot)
	offset, err := c.Reserve(slot, length, link.Wait{})
	if err != nil {
		t.Fatal(err)
	}
	request := c.Bytes(offset, length)
	for i := range request {
		request[i] = byte(i * 7)
	}
	c.Submit(slot, link.Submission{Method: wire.MethodID("echo"), Length: length})
	reply, err := c.Await(slot, link.Wait{})
	if err != nil || reply.Status != wire.StatusOK || reply.Length != length {
		t.Fatalf("%+v, %v", reply, err)
	}
	for i, b := range c.Bytes(reply.Offset, reply.Length) {
		if b != byte(i*7) {
			t.Fatalf("byte %d differs", i)
		}
	}
}

// connectBare connects as a client does, without anything that keeps to the protocol afterwards. The connection is closed at the end of the test.
func connectBare(t *testing.T, dir string) (*rendezvous.Conn, *wire.Segment) {
	t.Helper()
	peer, received, err := rendezvous.Dial(t.Context(), dir, service, rendezvous.Trust{})
	if err != nil {
		t.Fatal(err)
	}
	segment, err := wire.Open(received.File, received.Size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(peer.Close(), segment.Close(), received.File.Close()) })
	return peer, segment
}

// A client that rings for ever without a call keeps a leader busy, which may lead others as well: it is cut off, and nobody else notices.
func TestClientThatRingsForEver(t *testing.T) {
	dir := privateDirectory(t)
	startServer(t, dir)
	bystander, err := Dial(t.Context(), dir, service, futex.Adaptive)
	if err != nil {
		t.Fatal(err)
	}
	defer bystander.Close()
	peer, segment := connectBare(t, dir)
	ended := make(chan struct{})
	go func() {
		peer.WaitEnd(nil) // returns when the server has closed its end
		close(ended)
	}()
	for rings := 0; ; rings++ {
		atomic.StoreUint64(&segment.Doorbell().Ready, math.MaxUint64)
		if rings%100 == 0 {
			atomic.StoreUint32(&segment.Doorbell().Bell, wire.BellAwake)
			futex.Wake(&segment.Doorbell().Bell, 1)
			peer.Ring()
			echo(t, bystander)
		}
		select {
		case <-ended:
			echo(t, bystander)
			return
		default:
		}
	}
}

// A client that names memory outside of its arena is cut off, and nobody else notices.
func TestClientThatBreaksTheProtocol(t *testing.T) {
	dir := privateDirectory(t)
	startServer(t, dir)
	bystander, err := Dial(t.Context(), dir, service, futex.Adaptive)
	if err != nil {
		t.Fatal(err)
	}
	defer bystander.Close()
	for _, lie := range []struct {
		offset uint64
		length uint32
	}{
		{0, 4096},
		{uint64(layout.Size()), 4096},
		{uint64(layout.Size()) - 1, 4096},
		{uint64(layout.ReplyStart()), 4096},
		{math.MaxUint64, 4096},
		{math.MaxUint64 - 4095, 4096},
		{uint64(layout.RequestStart()), uint32(layout.MaxPayload) + 1},
		{uint64(layout.RequestStart()), math.MaxUint32},
	} {
		peer, segment := connectBare(t, dir)
		request := segment.Request(0)
		atomic.StoreUint32(&request.Length, lie.length)
		atomic.StoreUint64(&request.Offset, lie.offset)
		atomic.StoreUint64(&request.Method, wire.MethodID("echo"))
		atomic.StoreUint32(&request.Word, wire.Word(1, wire.StateCall))
		atomic.OrUint64(&segment.Doorbell().Ready, 1)
		atomic.StoreUint32(&segment.Doorbell().Bell, wire.BellAwake)
		futex.Wake(&segment.Doorbell().Bell, 1)
		peer.Ring() // on a busy machine it may have parked

		peer.WaitEnd(nil) // returns when the server has closed its end
		if wire.Done(atomic.LoadUint32(&segment.Reply(0).Word), 1) {
			t.Errorf("%+v was answered", lie)
		}
		echo(t, bystander)
	}
}

// A server that names memory outside of its arena is given up: the call fails, and so do later ones.
func TestServerThatBreaksTheProtocol(t *testing.T) {
	dir := privateDirectory(t)
	listener, err := rendezvous.Listen(dir, service, rendezvous.Access{})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, lie := range []struct {
		offset uint64
		length uint32
	}{
		{0, 4096},
		{uint64(layout.Size()) - 1, 4096},
		{uint64(layout.RequestStart()), 4096},
		{math.MaxUint64 - 4095, 4096},
		{uint64(layout.ReplyStart()), math.MaxUint32},
	} {
		welcomed := make(chan *wire.Segment, 1)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			defer close(welcomed)
			peer, err := listener.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			defer peer.Close()
			segment, file, err := wire.Create(layout)
			if err != nil {
				t.Error(err)
				return
			}
			defer file.Close()
			if err := errors.Join(peer.Greet(), peer.Welcome(file, layout.Size())); err != nil {
				t.Error(err)
				return
			}
			welcomed <- segment
			peer.WaitEnd(nil) // returns when the client has closed its end
		}()
		c, err := Dial(t.Context(), dir, service, futex.None)
		if err != nil {
			t.Fatal(err)
		}
		segment := <-welcomed
		if segment == nil {
			t.FailNow()
		}
		slot, err := c.Acquire(link.Wait{})
		if err != nil {
			t.Fatal(err)
		}
		c.Submit(slot, link.Submission{Method: wire.MethodID("echo")})
		reply := segment.Reply(slot)
		atomic.StoreUint32(&reply.Length, lie.length)
		atomic.StoreUint64(&reply.Offset, lie.offset)
		atomic.StoreUint32(&reply.Word, wire.Word(1, wire.FlagDone))
		if _, err := c.Await(slot, link.Wait{}); !errors.Is(err, link.ErrProtocol) {
			t.Errorf("%+v: %v", lie, err)
		}
		c.Release(slot)
		<-ended
		if _, err := c.Acquire(link.Wait{}); !errors.Is(err, link.ErrProtocol) {
			t.Errorf("%+v: a later call: %v", lie, err)
		}
		c.Close()
		_ = segment.Close()
	}
}

// publishTo publishes a call with a short request, and wakes the server.
func publishTo(peer *rendezvous.Conn, segment *wire.Segment, slot int, generation uint32, method string) {
	request := segment.Request(slot)
	atomic.StoreUint64(&request.Method, wire.MethodID(method))
	atomic.StoreUint32(&request.Word, wire.Word(generation, wire.StateCall))
	atomic.OrUint64(&segment.Doorbell().Ready, wire.Group(slot))
	atomic.StoreUint32(&segment.Doorbell().Bell, wire.BellAwake)
	futex.Wake(&segment.Doorbell().Bell, 1)
	peer.Ring()
}

// A client that calls in a slot over and over, whatever becomes of its calls, is cut off before its handlers take all memory.
func TestClientThatCallsInASlotThatIsNotFree(t *testing.T) {
	dir := privateDirectory(t)
	s := startServer(t, dir)
	var started atomic.Int32
	release := make(chan struct{})
	defer close(release)
	for name, blocks := range map[string]func() bool{
		"block":   func() bool { return true },
		"decline": func() bool { return started.Load() > quickCalls }, // quick at first: the leader runs it
	} {
		if err := s.Handle(name, func(c *Call) {
			if started.Add(1); blocks() {
				<-release
			}
			c.Reply(nil)
		}); err != nil {
			t.Fatal(err)
		}
	}
	bystander := mustDial(t, dir)
	for range quickCalls {
		if _, err := call(bystander, "decline"); err != nil {
			t.Fatal(err)
		}
	}
	flood := func(method string, calls int32) (ended bool) {
		peer, segment := connectBare(t, dir)
		over := make(chan struct{})
		go func() {
			peer.WaitEnd(nil)
			close(over)
		}()
		before := started.Load()
		for n := int32(1); n <= calls && !ended; n++ {
			publishTo(peer, segment, 0, uint32(n), method)
			eventually(t, "it is taken", func() bool {
				select {
				case <-over:
					ended = true
				default:
				}
				return ended || started.Load()-before == n
			})
		}
		last := slices.MaxFunc(s.live(), func(a, b *conn) int { return int(a.id - b.id) })
		if open := last.open.Load(); !ended && open < calls-1 { // the last may be the leader's
			t.Errorf("of %d calls of %s that block, %d count as open", calls, method, open)
		}
		return ended
	}
	if flood("decline", 50) {
		t.Error("the client was cut off after 50 calls")
	}
	if !flood("block", 2*maxOpen) {
		t.Error("the client was not cut off")
	}
	echo(t, bystander)
}

// call calls a method without a request.
func call(c *Client, method string) (link.Reply, error) {
	slot, err := c.Acquire(link.Wait{})
	if err != nil {
		return link.Reply{}, err
	}
	defer c.Release(slot)
	c.Submit(slot, link.Submission{Method: wire.MethodID(method)})
	return c.Await(slot, link.Wait{})
}

// The context of a call ends when its client has another one in its slot.
func TestContextOfAReplacedCall(t *testing.T) {
	dir := privateDirectory(t)
	s := startServer(t, dir)
	var started, ended atomic.Int32
	if err := s.Handle("wait", func(c *Call) {
		done := c.Context().Done()
		started.Add(1)
		<-done
		ended.Add(1)
		c.Fail("it is over")
	}); err != nil {
		t.Fatal(err)
	}
	peer, segment := connectBare(t, dir)
	for generation := uint32(1); generation <= 5; generation++ {
		publishTo(peer, segment, 0, generation, "wait")
		eventually(t, "it is called", func() bool { return started.Load() == int32(generation) })
		eventually(t, "the call before has ended", func() bool { return ended.Load() >= int32(generation)-1 })
	}
}
