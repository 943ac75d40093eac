package endpoint

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/rendezvous"
	"nanorpc/go/internal/shm"
	"nanorpc/go/internal/trial"
	"nanorpc/go/internal/wire"
)

// each is how often each hostile act is done in full size.
const each = 1000

// connectRaw connects to the server and says nothing.
func connectRaw(t *testing.T, dir string) *net.UnixConn {
	t.Helper()
	path := filepath.Join(dir, service+".sock")
	c, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: path, Net: "unixpacket"})
	for errors.Is(err, unix.EAGAIN) { // a full backlog
		time.Sleep(time.Millisecond)
		c, err = net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: path, Net: "unixpacket"})
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// hello is what a client says first.
func hello(magic uint64, version uint32) []byte {
	b := binary.LittleEndian.AppendUint64(nil, magic)
	return append(binary.LittleEndian.AppendUint32(b, version), 0, 0, 0, 0)
}

// mustDial connects within a second, though others misbehave, and calls.
func mustDial(t *testing.T, dir string) *Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	c, err := Dial(ctx, dir, service, futex.Adaptive)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	echo(t, c)
	return c
}

// openFiles counts the descriptors of this process.
func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not happen that ", what)
		}
	}
}

// Clients that say something else than the protocol has, or go in the middle, are turned away; they leave nothing behind, and nobody else notices.
func TestClientsThatSayTheWrongThing(t *testing.T) {
	dir := privateDirectory(t)
	startServer(t, dir)
	bystander := mustDial(t, dir)
	random := make([]byte, 60_000)
	for i := range random {
		random[i] = byte(rand.Uint32())
	}
	good := hello(wire.Magic, wire.Version)
	before := openFiles(t)
	tests := []struct {
		what    string
		hello   []byte
		refused bool // with an answer that says so
		half    bool // what comes after is the end of what the client sends
	}{
		{"garbage", random[:16], false, false},
		{"much garbage", random, false, false},
		{"one byte", good[:1], false, false},
		{"not all", good[:15], false, false},
		{"another magic", hello(wire.Magic^1<<40, wire.Version), false, false},
		{"another version", hello(wire.Magic, wire.Version+1), true, false},
		{"no version", hello(wire.Magic, 0), true, false},
		{"nothing, and no more", nil, false, true},
	}
	kinds := len(tests) + 2
	r := trial.Begin(t, "wrong hellos", "clients", kinds*each)
	rounds := trial.Size(each, 20)
	for _, test := range tests {
		for range rounds {
			c := connectRaw(t, dir)
			if test.hello != nil {
				if _, err := c.Write(test.hello); err != nil {
					t.Fatal(test.what, err)
				}
			}
			if test.half {
				_ = c.CloseWrite()
			}
			answer := make([]byte, 1000)
			_ = c.SetDeadline(time.Now().Add(time.Second))
			n, err := c.Read(answer)
			if refused := err == nil && n >= 16; refused != test.refused {
				r.Lose("%s: the answer has %d bytes, %v", test.what, n, err)
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				r.Lose("%s: the server waits for more", test.what)
			}
			c.Close()
			r.Try(1, kinds*rounds)
		}
		echo(t, bystander)
		mustDial(t, dir).Close()
	}
	for range rounds { // gone before it has said anything; after its hello, before the welcome
		connectRaw(t, dir).Close()
		c := connectRaw(t, dir)
		_, _ = c.Write(good)
		c.Close()
		r.Try(2, kinds*rounds)
	}
	echo(t, bystander)
	eventually(t, "all their descriptors are closed", func() bool { return openFiles(t) <= before })
}

// Descriptors that a client sends are dropped.
func TestClientThatSendsDescriptors(t *testing.T) {
	dir := privateDirectory(t)
	startServer(t, dir)
	bystander := mustDial(t, dir)
	before := openFiles(t)
	r := trial.Begin(t, "descriptors from clients", "clients", each)
	rounds := trial.Size(each, 20)
	for range rounds {
		c := connectRaw(t, dir)
		if _, _, err := c.WriteMsgUnix(hello(wire.Magic, wire.Version), unix.UnixRights(0, 1, 2, 0, 1, 2), nil); err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		if n, err := c.Read(make([]byte, 100)); err != nil || n != 24 {
			r.Lose("the welcome has %d bytes, %v", n, err)
		}
		_, _, _ = c.WriteMsgUnix([]byte{1}, unix.UnixRights(0, 1, 2), nil) // a ring
		c.Close()
		r.Try(1, rounds)
	}
	echo(t, bystander)
	eventually(t, "all their descriptors are closed", func() bool { return openFiles(t) <= before })
}

// Clients that say nothing are ended after 5 seconds, or earlier if there are many; others connect meanwhile.
func TestClientsThatSayNothing(t *testing.T) {
	dir := privateDirectory(t)
	startServer(t, dir)
	mustDial(t, dir)
	const full, more = 10_000, 32
	r := trial.Begin(t, "clients that say nothing", "connects", full)
	before := openFiles(t)
	total := trial.Size(full, maxGreeting+more)
	var silent []*net.UnixConn // that the server has not ended, as far as we know: the oldest come first
	defer func() {
		for _, c := range silent {
			c.Close()
		}
	}()
	mustEnd := func(margin time.Duration) {
		t.Helper()
		c := silent[0]
		_ = c.SetDeadline(time.Now().Add(margin))
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			r.Lose("a silent client is still there: %v", err)
		}
		c.Close()
		silent = silent[1:]
		r.Try(1, total)
	}
	for i := range total {
		silent = append(silent, connectRaw(t, dir))
		if i%20 == 0 {
			mustDial(t, dir).Close()
		}
		if len(silent) == maxGreeting+more {
			mustEnd(handshakeMargin)
		}
	}
	last := time.Now()
	for len(silent) > 0 {
		mustEnd(5*time.Second + handshakeMargin)
	}
	if took := time.Since(last); took > 5*time.Second+handshakeMargin {
		t.Errorf("the last is ended after %v", took)
	}
	eventually(t, "all descriptors are closed", func() bool { return openFiles(t) <= before })
	mustDial(t, dir)
}

// handshakeMargin is how much later than said things may happen on a busy machine.
const handshakeMargin = 3 * time.Second

// acts are the moments at which a client takes the memory away.
var acts = map[string]func(t *testing.T, peer *rendezvous.Conn, segment *wire.Segment){
	"the server sleeps":     func(*testing.T, *rendezvous.Conn, *wire.Segment) { time.Sleep(2 * time.Millisecond) },
	"the server has parked": func(*testing.T, *rendezvous.Conn, *wire.Segment) { time.Sleep(150 * time.Millisecond) },
	"the server spins": func(t *testing.T, peer *rendezvous.Conn, s *wire.Segment) {
		publish(t, peer, s, "nothing")
		awaitReply(t, s)
	},
	"a call is published": func(t *testing.T, peer *rendezvous.Conn, s *wire.Segment) { publish(t, peer, s, "slowly") },
	"a call runs": func(t *testing.T, peer *rendezvous.Conn, s *wire.Segment) {
		publish(t, peer, s, "slowly")
		time.Sleep(2 * time.Millisecond)
	},
	"a worker leads": func(t *testing.T, peer *rendezvous.Conn, s *wire.Segment) {
		publish(t, peer, s, "pulled")
		awaitReply(t, s)
		time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond) // it spins, or sleeps
	},
	"a call runs elsewhere": func(t *testing.T, peer *rendezvous.Conn, s *wire.Segment) {
		publish(t, peer, s, "detached")
		time.Sleep(2 * time.Millisecond)
	},
}

// publish calls a method as a client does, with a request in the arena.
func publish(t *testing.T, peer *rendezvous.Conn, s *wire.Segment, method string) {
	t.Helper()
	const length = 100_000
	if err := s.Commit(layout.RequestStart(), length); err != nil {
		t.Fatal(err)
	}
	request := s.Request(0)
	request.Length, request.Offset, request.Method = length, uint64(layout.RequestStart()), wire.MethodID(method)
	atomic.StoreUint32(&request.Word, wire.Word(1, wire.StateCall))
	atomic.OrUint64(&s.Doorbell().Ready, 1)
	if atomic.CompareAndSwapUint32(&s.Doorbell().Bell, wire.BellSleeping, wire.BellAwake) {
		futex.Wake(&s.Doorbell().Bell, 1)
	}
	peer.Ring() // it may have parked
}

func awaitReply(t *testing.T, s *wire.Segment) {
	t.Helper()
	eventually(t, "the call is answered", func() bool { return wire.Done(atomic.LoadUint32(&s.Reply(0).Word), 1) })
}

// A client that makes the segment shorter, or takes its pages away where the file system has none to give, is cut off; the server and its other clients go on.
func TestClientThatTakesTheMemoryAway(t *testing.T) {
	sizes := []int64{0, 4096, 8192, layout.ReplyStart()}
	full := len(acts) * each
	r := trial.Begin(t, "memory made shorter by clients", "clients", full)
	rounds := trial.Size(each/len(sizes), 3)
	for what, act := range acts {
		t.Run(what, func(t *testing.T) {
			dir := privateDirectory(t)
			server := startServer(t, dir)
			err := errors.Join(
				server.Handle("nothing", func(c *Call) { c.Reply(nil) }),
				server.Handle("slowly", func(c *Call) {
					time.Sleep(5 * time.Millisecond)
					c.Reply(bytes.Clone(c.Request()))
				}),
				server.Handle("detached", func(c *Call) {
					d := c.Detach()
					time.AfterFunc(5*time.Millisecond, func() { d.Reply(make([]byte, 10)) })
				}),
			)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := server.HandlePulled("pulled"); err != nil {
				t.Fatal(err)
			}
			go func() {
				worker := server.NewWorker()
				defer worker.Close()
				for {
					call, err := worker.Next()
					if err != nil {
						return // the server has shut down
					}
					call.Reply(nil)
				}
			}()
			bystander := mustDial(t, dir)
			for _, size := range sizes {
				for range rounds {
					takeAway(t, dir, size, act)
					echo(t, bystander)
					r.Try(1, len(acts)*len(sizes)*rounds)
				}
			}
			mustDial(t, dir)
			eventually(t, "only the bystander's and the last connection are left", func() bool { return len(server.live()) == 2 })
		})
	}
}

// takeAway connects, does something, and makes the segment shorter. Then it closes.
func takeAway(t *testing.T, dir string, size int64, act func(*testing.T, *rendezvous.Conn, *wire.Segment)) {
	t.Helper()
	peer, received, err := rendezvous.Dial(t.Context(), dir, service, rendezvous.Trust{})
	if err != nil {
		t.Fatal(err)
	}
	defer received.File.Close()
	segment, err := wire.Open(received.File, received.Size)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = segment.Close() }()
	ended := make(chan struct{})
	go func() {
		peer.WaitEnd(nil) // returns when the server has closed its end
		close(ended)
	}()
	act(t, peer, segment)
	if err := received.File.Truncate(size); err != nil {
		t.Fatal(err)
	}
	peer.Ring()
	// Where the doorbell is gone the server notices if it looks, but it need not look before the client closes.
	select {
	case <-ended:
	case <-time.After(time.Duration(rand.IntN(20)) * time.Millisecond):
		_ = peer.Close()
		<-ended
	}
}

// A server whose descriptor is not a segment is refused, with an error, and nothing stays behind.
func TestServerThatSendsSomethingElse(t *testing.T) {
	regular := filepath.Join(t.TempDir(), "regular")
	if err := os.WriteFile(regular, make([]byte, 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	open := func(path string, flag int) func() (*os.File, int64) {
		return func() (*os.File, int64) {
			f, err := os.OpenFile(path, flag, 0)
			if err != nil {
				t.Error(err)
			}
			return f, layout.Size()
		}
	}
	object := func(size, told int64) func() (*os.File, int64) {
		return func() (*os.File, int64) {
			f, err := shm.Create(size, 4096)
			if err != nil {
				t.Error(err)
			}
			return f, told
		}
	}
	offers := map[string]func() (*os.File, int64){
		"a pipe":                 func() (*os.File, int64) { r, w, _ := os.Pipe(); w.Close(); return r, layout.Size() },
		"a device":               open("/dev/zero", os.O_RDWR),
		"a directory":            open("/dev/shm", os.O_RDONLY),
		"a file of the kernel's": open("/proc/self/maps", os.O_RDONLY),
		"a regular file":         open(regular, os.O_RDWR),
		"too small":              object(8192, layout.Size()),
		"smaller than a header":  object(layout.Size(), 100),
		"without a header":       object(layout.Size(), layout.Size()),
		"of no size":             object(layout.Size(), 0),
		"of a negative size":     object(layout.Size(), -4096),
		"read-only": func() (*os.File, int64) {
			f, _ := object(layout.Size(), layout.Size())()
			defer f.Close()
			return open(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), os.O_RDONLY)()
		},
	}
	r := trial.Begin(t, "wrong descriptors from servers", "servers", len(offers)*each)
	n := trial.Size(each, 3)
	for what, offer := range offers {
		t.Run(what, func(t *testing.T) {
			dir := privateDirectory(t)
			listener, err := rendezvous.Listen(dir, service, rendezvous.Access{})
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			go func() {
				for range n {
					peer, err := listener.Accept()
					if err != nil {
						t.Error(err)
						return
					}
					f, size := offer()
					if err := errors.Join(peer.Greet(), peer.Welcome(f, size), f.Close()); err != nil {
						t.Error(err)
					}
					peer.WaitEnd(nil)
					peer.Close()
				}
			}()
			before := openFiles(t)
			for range n {
				if _, err := Dial(t.Context(), dir, service, futex.Adaptive); !errors.Is(err, wire.ErrLayout) {
					r.Lose("%s: %v", what, err)
				}
				r.Try(1, len(offers)*n)
			}
			eventually(t, "all descriptors are closed", func() bool { return openFiles(t) <= before+1 }) // the listener keeps a spare one
		})
	}
}

// A client that asks for seals gets them, and takes no segment without.
func TestSeals(t *testing.T) {
	for _, always := range []bool{false, true} {
		dir := privateDirectory(t)
		startServer(t, dir, func(o *Options) { o.Seals = always })
		for _, asked := range []bool{false, true} {
			c, err := DialTrusting(t.Context(), dir, service, futex.Adaptive, rendezvous.Trust{Seals: asked})
			if err != nil {
				t.Fatal(err)
			}
			if shm.Sealed(c.File()) != (always || asked) {
				t.Errorf("always %v, asked for %v: sealed %v", always, asked, shm.Sealed(c.File()))
			}
			echo(t, c)
			c.Close()
		}
	}
	dir := privateDirectory(t)
	listener, err := rendezvous.Listen(dir, service, rendezvous.Access{})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
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
		if err := errors.Join(peer.Greet(), peer.Welcome(file, layout.Size()), segment.Close(), file.Close()); err != nil {
			t.Error(err)
		}
		if !peer.WantsSeals() {
			t.Error("the client has not asked for seals")
		}
		peer.WaitEnd(nil)
	}()
	if _, err := DialTrusting(t.Context(), dir, service, futex.Adaptive, rendezvous.Trust{Seals: true}); !errors.Is(err, ErrUnsealed) {
		t.Error(err)
	}
}
