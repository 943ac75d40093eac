package torture

import (
	"errors"
	"math"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/rendezvous"
	"nanorpc/go/internal/wire"
)

// trapLayout is that of segments on which hostile servers work.
var trapLayout = wire.Layout{RequestArena: hostileArena, ReplyArena: hostileArena, MaxPayload: hostilePayload}

// trap is a server that shakes hands and answers as others do, but for what it is told to write besides.
type trap struct {
	t        testing.TB
	listener *rendezvous.Listener
	writings chan *writing                            // each is done once, at the next opportunity
	welcome  atomic.Pointer[writing]                  // to be done before the next welcome
	disturb  func(s *wire.Segment, stop *atomic.Bool) // runs beside each connection; may be nil
	running  sync.WaitGroup
	stopping atomic.Bool

	connections, answers atomic.Int64
}

// writing is a value to be written at a moment, to a field of the slot that is used then, or of the header.
type writing struct {
	field  int // of fieldsOf, with what lies between them
	value  int // of hostileValues
	moment trapMoment
}

// put writes the value, and returns what writes back what was there.
func (w *writing) put(s *wire.Segment, slot int) (restore func()) {
	fields, between := fieldsOf(s, slot)
	f := append(fields, between...)[w.field]
	before := f.get(s)
	f.put(s, hostileValues(trapLayout, f.size, before)[w.value])
	return func() { f.put(s, before) }
}

// trapMoment is when a hostile server writes.
type trapMoment int

const (
	beforeTheWelcome trapMoment = iota
	beforeTheReply
	withTheReply
	afterTheReply
	trapMoments
)

// setTrap serves in a directory until close.
func setTrap(t testing.TB, dir string, disturb func(s *wire.Segment, stop *atomic.Bool)) *trap {
	t.Helper()
	l, err := rendezvous.Listen(dir, service, rendezvous.Access{})
	if err != nil {
		t.Fatal(err)
	}
	p := &trap{t: t, listener: l, writings: make(chan *writing), disturb: disturb}
	p.running.Go(func() {
		for {
			peer, err := l.Accept()
			if err != nil {
				if !errors.Is(err, net.ErrClosed) {
					t.Error(err)
				}
				return
			}
			p.running.Go(func() { p.serve(peer) })
		}
	})
	return p
}

// close ends all connections.
func (p *trap) close() {
	p.stopping.Store(true)
	_ = p.listener.Close()
	p.running.Wait()
}

// serve serves a client until it has gone.
func (p *trap) serve(peer *rendezvous.Conn) {
	segment, file, err := wire.Create(trapLayout)
	if err == nil {
		defer file.Close()
		defer segment.Close()
		err = segment.Commit(0, trapLayout.Size()) // so that nothing that is written anywhere raises SIGBUS
	}
	if err != nil {
		p.t.Error(err)
		_ = peer.Close()
		return
	}
	if w := p.welcome.Swap(nil); w != nil {
		w.put(segment, 0)
	}
	ended := make(chan struct{})
	if err := errors.Join(peer.Greet(), peer.Welcome(file, trapLayout.Size())); err != nil {
		_ = peer.Close() // it has gone
		return
	}
	p.connections.Add(1)
	go func() {
		peer.WaitEnd(func() {})
		close(ended)
	}()
	var stop atomic.Bool
	var disturbing sync.WaitGroup
	if p.disturb != nil {
		disturbing.Go(func() { p.disturb(segment, &stop) })
	}
	p.attend(segment, ended)
	_ = peer.Close()
	<-ended
	// It goes on for a moment after its end.
	time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
	stop.Store(true)
	disturbing.Wait()
}

// attend answers calls until the client has gone, or the connection is to end.
func (p *trap) attend(s *wire.Segment, ended chan struct{}) {
	var taken [wire.Slots]uint32
	for !p.stopping.Load() {
		select {
		case <-ended:
			return
		default:
		}
		found := false
		for slot := range wire.Slots {
			word := atomic.LoadUint32(&s.Request(slot).Word)
			if wire.State(word) != wire.StateCall || wire.Generation(word) == taken[slot] {
				continue
			}
			taken[slot] = wire.Generation(word)
			found = true
			if !p.answer(s, slot, taken[slot]) {
				return
			}
		}
		if !found {
			time.Sleep(20 * time.Microsecond)
		}
	}
}

// answer answers a call, with what is to be written meanwhile. It reports false if the connection is to end.
func (p *trap) answer(s *wire.Segment, slot int, generation uint32) bool {
	p.answers.Add(1)
	var w *writing
	select {
	case w = <-p.writings:
	default:
		prepareReply(s, slot)
		publishReply(s, slot, generation)
		return true
	}
	var restore func()
	switch w.moment {
	case beforeTheWelcome:
		p.welcome.Store(w)
		return false
	case beforeTheReply:
		time.Sleep(time.Duration(rand.IntN(2)*300) * time.Microsecond) // the client has gone to sleep, or not
		restore = w.put(s, slot)
	case withTheReply:
		prepareReply(s, slot)
		atomic.StoreUint32(&s.Reply(slot).Word, wire.Word(generation, wire.FlagDone))
		restore = w.put(s, slot)
	case afterTheReply:
		prepareReply(s, slot)
		publishReply(s, slot, generation)
		restore = w.put(s, slot)
	}
	wakeClient(s, slot)
	time.Sleep(100 * time.Microsecond)
	restore()
	if rand.IntN(4) == 0 {
		return true // there is no other answer
	}
	prepareReply(s, slot)
	publishReply(s, slot, generation)
	return true
}

// prepareReply answers with the request, mostly; else that something went wrong.
func prepareReply(s *wire.Segment, slot int) {
	request, reply := s.Request(slot), s.Reply(slot)
	length := atomic.LoadUint32(&request.Length)
	from, ok := s.RequestPayload(slot, atomic.LoadUint64(&request.Offset), length)
	if !ok {
		from, length = s.RequestInline(slot), 0
	}
	offset := s.ReplyInline(slot)
	if length > wire.InlineCapacity {
		offset = trapLayout.ReplyStart() + int64(slot%8)*(hostilePayload/8)
		length = min(length, hostilePayload/8)
	}
	copy(s.Bytes(offset, int64(length)), s.Bytes(from, int64(length)))
	status := wire.StatusOK
	if rand.IntN(8) == 0 {
		status = wire.Status(rand.IntN(10))
	}
	atomic.StoreUint32(&reply.Status, uint32(status))
	atomic.StoreUint32(&reply.Length, length)
	atomic.StoreUint64(&reply.Offset, uint64(offset))
}

// publishReply publishes a reply that has been prepared, and wakes the client, whatever it says of itself.
func publishReply(s *wire.Segment, slot int, generation uint32) {
	atomic.StoreUint32(&s.Reply(slot).Word, wire.Word(generation, wire.FlagDone))
	wakeClient(s, slot)
}

func wakeClient(s *wire.Segment, slot int) {
	futex.Wake(&s.Reply(slot).Word, math.MaxInt32)
	n := s.Notices()
	atomic.OrUint64(&n.Ready, wire.Group(slot))
	atomic.StoreUint32(&n.Bell, wire.BellAwake)
	futex.Wake(&n.Bell, 1)
}
