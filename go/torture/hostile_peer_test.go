package torture

import (
	"bytes"
	"context"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/rendezvous"
	"nanorpc/go/internal/wire"
)

// intruder is a client that has connected as others do, and then writes what it likes.
type intruder struct {
	peer       *rendezvous.Conn
	file       *os.File
	segment    *wire.Segment
	ended      chan struct{} // closed when the server has closed its end
	slot       int
	generation uint32
}

// intrude connects, and gives pages to all of the segment: what chance writes beyond them would take memory as well, but raise SIGBUS where there is none.
func intrude(t testing.TB, dir string, slot int) *intruder {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	peer, received, err := rendezvous.Dial(ctx, dir, service, rendezvous.Trust{})
	if err != nil {
		t.Fatal(err)
	}
	segment, err := wire.Open(received.File, received.Size)
	if err != nil {
		t.Fatal(err)
	}
	if err := segment.Commit(0, received.Size); err != nil {
		t.Fatal(err)
	}
	atomic.StoreUint32(&segment.Doorbell().Used, wire.Slots)
	p := &intruder{peer: peer, file: received.File, segment: segment, ended: make(chan struct{}), slot: slot}
	go func() {
		peer.WaitEnd(nil)
		close(p.ended)
	}()
	return p
}

// leave ends the connection. Nobody writes to the segment any more.
func (p *intruder) leave() {
	_ = p.peer.Close()
	<-p.ended
	_ = p.segment.Close()
	_ = p.file.Close()
}

// hasEnded reports whether the server has ended the connection.
func (p *intruder) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// prepare writes all of a call but the word.
func (p *intruder) prepare(method string, request []byte) {
	r := p.segment.Request(p.slot)
	offset := p.segment.Layout().RequestStart()
	if len(request) <= wire.InlineCapacity {
		offset = p.segment.RequestInline(p.slot)
	}
	copy(p.segment.Bytes(offset, int64(len(request))), request)
	atomic.StoreUint32(&r.Length, uint32(len(request)))
	atomic.StoreUint64(&r.Method, wire.MethodID(method))
	atomic.StoreInt64(&r.Deadline, 0)
	atomic.StoreUint64(&r.Offset, uint64(offset))
}

// publish publishes what has been prepared.
func (p *intruder) publish() {
	p.generation = (p.generation + 1) & wire.GenerationMask
	atomic.StoreUint32(&p.segment.Request(p.slot).Word, wire.Word(p.generation, wire.StateCall|uint32(rand.IntN(2))*wire.FlagNotify))
}

// ring wakes the server, whatever its bell says.
func (p *intruder) ring() {
	d := p.segment.Doorbell()
	atomic.OrUint64(&d.Ready, wire.Group(p.slot))
	atomic.StoreUint32(&d.Bell, wire.BellAwake)
	futex.Wake(&d.Bell, 1)
	p.peer.Ring()
}

// answered waits for the reply to the last call for as long as given, and reports whether it has come.
func (p *intruder) answered(wait time.Duration) bool {
	word := &p.segment.Reply(p.slot).Word
	for end := time.Now().Add(wait); !wire.Done(atomic.LoadUint32(word), p.generation); time.Sleep(10 * time.Microsecond) {
		if p.hasEnded() || time.Now().After(end) {
			return false
		}
	}
	return true
}

// requests of all kinds of length.
func request(generation uint32) []byte {
	b := make([]byte, []int{16, wire.InlineCapacity, wire.InlineCapacity + 1, 5000}[rand.IntN(4)])
	for i := range b {
		b[i] = byte(generation + uint32(i))
	}
	binary.LittleEndian.PutUint32(b, generation)
	return b
}

// goesOn keeps to the protocol from now on, and reports whether the connection does as well, or has ended.
func (p *intruder) goesOn() bool {
	atomic.StoreUint32(&p.segment.Doorbell().Used, wire.Slots)
	for end := time.Now().Add(patience); !p.hasEnded() && time.Now().Before(end); {
		// The server may have taken a call of the next generation from what was written: then it takes the one after that.
		want := request(p.generation + 1)
		p.prepare("echo", want)
		p.publish()
		p.ring()
		if !p.answered(100 * time.Millisecond) {
			continue
		}
		reply := p.segment.Reply(p.slot)
		length := atomic.LoadUint32(&reply.Length)
		offset, ok := p.segment.ReplyPayload(p.slot, atomic.LoadUint64(&reply.Offset), length)
		if ok && atomic.LoadUint32(&reply.Status) == uint32(wire.StatusOK) && bytes.Equal(p.segment.Bytes(offset, int64(length)), want) {
			return true
		}
	}
	return p.hasEnded()
}
