package link

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"

	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/wire"
)

// ends are a client and a server over one mapping, each step of which the fuzzer chooses. Nothing waits: the server is interrupted before it looks for a call.
type ends struct {
	t         *testing.T
	client    *Client
	server    *Server
	open      []*fuzzCall // taken by the server, not answered
	held      []*fuzzCall // submitted, and not read or given up
	number    uint64
	cancelled []int
}

// fuzzCall is a call, as both ends know it.
type fuzzCall struct {
	number uint64 // which the payload begins with
	slot   int
	length int
	taken  Call
}

// fuzzLayout has arenas so small that they fill.
func fuzzLayout(t testing.TB) wire.Layout {
	l, err := wire.NewLayout(1<<16, 1<<14)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func newEnds(t *testing.T) *ends {
	segment, file, err := wire.Create(fuzzLayout(t))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := wire.Open(file, segment.Layout().Size())
	if err != nil {
		t.Fatal(err)
	}
	e := &ends{t: t, client: NewClient(opened, futex.None, func() {}), server: NewServer(segment, futex.None, futex.NewPermits(1))}
	e.server.Cancelled = func(slot int) { e.cancelled = append(e.cancelled, slot) }
	e.server.Waited, e.server.Sleeping = func() {}, func() {}
	e.server.Elsewhere, e.server.Join = func() bool { return false }, func() bool { return false }
	t.Cleanup(func() {
		e.client.Close(ErrClosed)
		e.server.Close(ErrClosed)
		e.server.Release()
		_ = segment.Close()
		_ = file.Close()
	})
	return e
}

// lengths are those that matter: in a slot, just not, a block, more than one.
var lengths = []int{8, wire.InlineCapacity, wire.InlineCapacity + 1, 4096, 4097, 1 << 14}

// fill writes a payload that belongs to a call.
func fill(b []byte, number uint64) {
	binary.LittleEndian.PutUint64(b, number)
	for i := 8; i < len(b); i++ {
		b[i] = byte(number + uint64(i))
	}
}

func (e *ends) submit(choice byte) {
	length := lengths[int(choice)%len(lengths)]
	if choice&0xe0 == 0x20 && length <= wire.InlineCapacity {
		e.send(length)
		return
	}
	slot, ok := e.client.TryAcquire()
	if !ok {
		return
	}
	offset, ok := e.client.TryReserve(slot, length)
	if !ok {
		e.client.Release(slot)
		return
	}
	e.number++
	fill(e.client.Bytes(offset, length), e.number)
	s := Submission{Method: e.number, Length: length, Notify: choice&0x40 != 0}
	if choice&0x80 != 0 {
		e.client.Publish(slot, s)
		e.client.Ring(wire.Group(slot))
	} else {
		e.client.Submit(slot, s)
	}
	e.held = append(e.held, &fuzzCall{number: e.number, slot: slot, length: length})
}

// send submits a short call in one step.
func (e *ends) send(length int) {
	request := make([]byte, length)
	fill(request, e.number+1)
	if slot, ok := e.client.TrySend(e.number+1, request, 0); ok {
		e.number++
		e.held = append(e.held, &fuzzCall{number: e.number, slot: slot, length: length})
	}
}

// take has the server take a call if there is one, and reports whether it has.
func (e *ends) take() bool {
	e.server.Interrupt()
	var call Call
	if err := e.server.Next(&call); err != nil {
		if !errors.Is(err, ErrInterrupted) {
			e.t.Fatal(err)
		}
		return false
	}
	c := &fuzzCall{number: call.Method, slot: call.Slot, length: call.Length, taken: call}
	want := make([]byte, call.Length)
	fill(want, call.Method)
	if !call.Cancelled && !bytes.Equal(e.server.Bytes(call.Offset, call.Length), want) {
		e.t.Fatalf("call %d in slot %d has another's request", call.Method, call.Slot)
	}
	if slices.ContainsFunc(e.open, func(o *fuzzCall) bool { return o.number == c.number }) {
		e.t.Fatalf("call %d is taken twice", c.number)
	}
	e.open = append(e.open, c)
	return true
}

// answer has the server answer one of its calls, if there is room.
func (e *ends) answer(choice byte) {
	if len(e.open) == 0 {
		return
	}
	i := int(choice>>3) % len(e.open)
	c := e.open[i]
	length := lengths[int(choice&7)%len(lengths)]
	offset, ok := e.server.TryAllocate(&c.taken, length)
	if !ok {
		e.server.reclaim()
		if offset, ok = e.server.TryAllocate(&c.taken, length); !ok {
			if offset, ok = e.server.TryAllocate(&c.taken, 8); !ok {
				e.t.Fatal("no room in the slot")
			}
			length = 8
		}
	}
	fill(e.server.Bytes(offset, length), c.number)
	e.server.Publish(&c.taken, wire.StatusOK, offset, length)
	e.open = slices.Delete(e.open, i, i+1)
}

// read has the client read a reply that is there.
func (e *ends) read(choice byte) bool {
	for k := range e.held {
		i := (int(choice) + k) % len(e.held)
		c := e.held[i]
		if !e.client.Finished(c.slot) {
			continue
		}
		reply, err := e.client.Await(c.slot, Wait{})
		if err != nil {
			e.t.Fatal(err)
		}
		want := make([]byte, reply.Length)
		fill(want, c.number)
		if got := e.client.Bytes(reply.Offset, reply.Length); !bytes.Equal(got, want) {
			e.t.Fatalf("call %d in slot %d has another's reply: of %d", c.number, c.slot, binary.LittleEndian.Uint64(got))
		}
		e.client.Release(c.slot)
		e.held = slices.Delete(e.held, i, i+1)
		return true
	}
	return false
}

func (e *ends) abandon(choice byte) {
	if len(e.held) == 0 {
		return
	}
	i := int(choice) % len(e.held)
	e.client.Abandon(e.held[i].slot)
	e.held = slices.Delete(e.held, i, i+1)
}

func (e *ends) askForNotice(choice byte) {
	if len(e.held) > 0 {
		c := e.held[int(choice)%len(e.held)]
		if e.client.AskForNotice(c.slot) != e.client.Finished(c.slot) {
			e.t.Fatalf("call %d: the reply came between two looks of one thread", c.number)
		}
	}
}

// FuzzTwoEnds: two honest ends, in whatever order they act, keep each call's payloads apart, and lose no call and no memory.
func FuzzTwoEnds(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3})
	f.Add(bytes.Repeat([]byte{0, 5, 1, 0, 2, 5, 3, 0}, 40))
	f.Add(bytes.Repeat([]byte{0, 0x85, 0, 0x45, 4, 0, 1, 0, 5, 0, 2, 3, 6, 0, 3, 0}, 20))
	f.Fuzz(runEnds)
}

// runEnds takes the steps, and then ends all calls.
func runEnds(t *testing.T, steps []byte) {
	e := newEnds(t)
	for ; len(steps) >= 2; steps = steps[2:] {
		switch steps[0] % 7 {
		case 0:
			e.submit(steps[1])
		case 1:
			e.take()
		case 2:
			e.answer(steps[1])
		case 3:
			e.read(steps[1])
		case 4:
			e.abandon(steps[1])
		case 5:
			e.askForNotice(steps[1])
		case 6:
			e.client.Reap()
		}
	}
	for e.take() || len(e.open) > 0 {
		e.answer(0)
	}
	for e.read(0) {
	}
	if len(e.held) != 0 {
		t.Fatalf("%d calls have no reply", len(e.held))
	}
	e.client.Reap()
	if used, _ := e.client.pool.usage(); used != 0 {
		t.Fatalf("%d bytes of requests are lost", used)
	}
	var slots [wire.Slots]int
	if n := e.client.TryAcquireSome(slots[:]); n != wire.Slots {
		t.Fatalf("%d of %d slots are left", n, wire.Slots)
	}
	e.client.ReleaseAll(slots[:])
}

// FuzzHostileClient: whatever is written to a segment, wherever, the server takes calls whose payloads lie in the client's arena, or ends the connection; and it
// always comes back.
func FuzzHostileClient(f *testing.F) {
	word := func(offset, value uint64) []byte {
		return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, offset), value)
	}
	request := uint64(4096)
	f.Add(slices.Concat(word(request, 0x101), word(1024, math.MaxUint64)))
	f.Add(slices.Concat(word(request+24, math.MaxUint64), word(request, 0x1000_0000_0101), word(1024, 1)))
	f.Add(slices.Concat(word(1032, math.MaxUint64), word(request, 0x102), word(1024, 1), word(request+256, math.MaxUint64)))
	f.Fuzz(func(t *testing.T, writes []byte) {
		e := newEnds(t)
		l := e.server.Layout()
		var calls []Call
		for ; len(writes) >= 16; writes = writes[16:] {
			offset, value := binary.LittleEndian.Uint64(writes), binary.LittleEndian.Uint64(writes[8:])
			// The memory without pages raises SIGBUS for who writes to it: that is the client's own.
			offset %= uint64(wire.Committed)
			if offset >= uint64(wire.Committed)-8 || offset%8 != 0 {
				continue
			}
			binary.LittleEndian.PutUint64(e.client.segment.Bytes(int64(offset), 8), value)
			e.server.Interrupt()
			var call Call
			switch err := e.server.Next(&call); {
			case err == nil:
				if call.Length > wire.InlineCapacity && (call.Offset < l.RequestStart() || call.Offset+int64(call.Length) > l.RequestStart()+l.RequestArena) {
					t.Fatalf("a request of %d bytes at %d", call.Length, call.Offset)
				}
				_ = len(e.server.Bytes(call.Offset, call.Length))
				calls = append(calls, call)
			case errors.Is(err, ErrProtocol):
				return
			case !errors.Is(err, ErrInterrupted):
				t.Fatal(err)
			}
			if len(calls) > 4 {
				if offset, ok := e.server.TryAllocate(&calls[0], 1000); ok {
					e.server.Publish(&calls[0], wire.StatusOK, offset, 1000)
				}
				calls = calls[1:]
			}
		}
	})
}
