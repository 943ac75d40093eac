package link

import (
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/wire"
)

// Server is the serving end of a connection. One goroutine at a time, the leader, may call Next; any may reply to the calls it returned.
type Server struct {
	segment  *wire.Segment
	doorbell *wire.Doorbell
	notices  *wire.Doorbell

	// The leader's own. They pass to the next leader with the leadership.
	pending uint64             // groups taken from the ready mask, not yet looked at
	group   int                // the slot to look at next in the group begun; wire.Slots: none is begun
	taken   [wire.Slots]uint32 // by slot: generation of the last call taken
	watched int                // the slot whose request word the leader polls: that of the last call
	bell    uint32             // what the leader last stored in the bell
	spinner futex.Spinner

	// Cancelled is called by the leader for a slot whose call has been taken, and given up by its caller since. Set before Next; immutable.
	Cancelled func(slot int)

	pool   *pool                    // of replies
	blocks sync.Mutex               // guards changes of block
	block  [wire.Slots]atomic.Int64 // by slot: offset of its reply's block in the arena, 0: none

	interrupted atomic.Bool
	cause       atomic.Pointer[error]
	sleepers    atomic.Int32
}

// Call is a call that the server has taken.
type Call struct {
	Method    uint64
	Deadline  int64 // CLOCK_MONOTONIC in ns, 0: none
	Slot      int
	Offset    int64 // of the payload in the segment
	Length    int
	Cancelled bool // the caller had already given up

	generation uint32
	notify     bool
}

// NewServer returns the serving end of a segment, which stays the caller's to unmap.
func NewServer(s *wire.Segment, spin futex.Policy) *Server {
	l := s.Layout()
	return &Server{
		segment:  s,
		doorbell: s.Doorbell(),
		notices:  s.Notices(),
		group:    wire.Slots,
		pool:     newPool(s, l.ReplyStart(), l.ReplyArena),
		spinner:  futex.Spinner{Policy: spin},
	}
}

// Handle names a call for as long as its slot has no other.
type Handle struct {
	slot       int32
	generation uint32
}

// Handle returns the call's.
func (c Call) Handle() Handle { return Handle{slot: int32(c.Slot), generation: c.generation} }

// Slot returns the slot of the call.
func (h Handle) Slot() int { return int(h.slot) }

// Over reports whether a call has been answered, or its caller has given it up.
func (s *Server) Over(h Handle) bool {
	request := atomic.LoadUint32(&s.segment.Request(h.Slot()).Word)
	return wire.Generation(request) != h.generation || wire.State(request) != wire.StateCall ||
		wire.Done(atomic.LoadUint32(&s.segment.Reply(h.Slot()).Word), h.generation)
}

// Layout returns the layout of the segment.
func (s *Server) Layout() wire.Layout { return s.segment.Layout() }

// Bytes returns length bytes of the segment at an offset that Next or Allocate returned. They are valid until the call is answered.
func (s *Server) Bytes(offset int64, length int) []byte {
	return s.segment.Bytes(offset, int64(length))
}

// Err returns why the connection has ended, or nil.
func (s *Server) Err() error {
	if cause := s.cause.Load(); cause != nil {
		return *cause
	}
	return nil
}

// Release ends the use of the segment, before it is unmapped. No method may be called after it, nor any call be open.
func (s *Server) Release() { s.pool.close() }

// Close ends the connection with the given cause and wakes the leader, whose Next returns the cause. Only the first Close counts.
func (s *Server) Close(cause error) {
	if !s.cause.CompareAndSwap(nil, &cause) {
		return
	}
	// As in Client.Close: the word's change keeps the leader awake, and a peer that undoes the change wins nothing.
	for {
		atomic.StoreUint32(&s.doorbell.Bell, wire.BellClosed)
		futex.Wake(&s.doorbell.Bell, math.MaxInt32)
		if s.sleepers.Load() == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// Interrupt makes Next return ErrInterrupted, once, when no call is ready.
func (s *Server) Interrupt() {
	s.interrupted.Store(true)
	// The leader stores BellSleeping, then looks at interrupted.
	if atomic.CompareAndSwapUint32(&s.doorbell.Bell, wire.BellSleeping, wire.BellAwake) {
		futex.Wake(&s.doorbell.Bell, 1)
	}
}

// Next takes the next call, and blocks until there is one. Only the leader calls it.
// Errors: ErrParked when there was none for 100 ms: the client rings over the socket for the next one, until then nobody need call Next;
// ErrInterrupted; the cause given to Close; ErrProtocol, after which the connection is to be closed.
func (s *Server) Next() (Call, error) {
	for {
		call, ok, err := s.poll()
		if ok || err != nil {
			return call, err
		}
		if err := s.Err(); err != nil {
			return Call{}, err
		}
		if s.interrupted.Load() && s.interrupted.Swap(false) {
			return Call{}, ErrInterrupted
		}
		if s.watch() {
			continue
		}
		word := &s.segment.Request(s.watched).Word
		seen := atomic.LoadUint32(word)
		if s.fresh(s.watched, seen) {
			continue
		}
		caught := s.spinner.Spin(func(rounds int) bool {
			return futex.SpinEither(word, seen, &s.doorbell.Ready, rounds)
		}, 0)
		if !caught && s.spinner.Policy != futex.Busy && s.sleep() {
			return Call{}, ErrParked
		}
	}
}

// parkAfter is how long a leader sleeps before it gives its thread back: long enough that the price of ringing over the socket, tens of
// microseconds, is paid by one call in thousands.
const parkAfter = 100 * time.Millisecond

// poll takes a call that is ready, without waiting.
func (s *Server) poll() (Call, bool, error) {
	if atomic.LoadUint64(&s.doorbell.Ready) != 0 {
		// Taking all bits comes before looking at the slots: a bit set after is for a call published after.
		s.pending |= atomic.SwapUint64(&s.doorbell.Ready, 0)
	}
	for {
		if s.group >= wire.Slots {
			if s.pending == 0 {
				return s.take(s.watched)
			}
			s.group = bits.TrailingZeros64(s.pending)
			s.pending &= s.pending - 1
		}
		// A client says how far its slots have pages, before it announces calls in them. Nothing worse than a missed call of its own comes from a
		// lie: slots beyond are memory of the segment.
		for used := int(min(atomic.LoadUint32(&s.doorbell.Used), wire.Slots)); s.group < used; {
			slot := s.group
			s.group += wire.Groups
			if call, ok, err := s.take(slot); ok || err != nil {
				return call, ok, err
			}
			if word := atomic.LoadUint32(&s.segment.Request(slot).Word); wire.Word(s.taken[slot], wire.StateCancelled) == word {
				s.Cancelled(slot)
			}
		}
		s.group = wire.Slots
	}
}

// watch tells the client which slot the leader polls, if that has changed, and reports whether it has.
func (s *Server) watch() bool {
	if bell := wire.BellPolling(s.watched); s.bell != bell {
		s.setBell(bell)
		return true
	}
	return false
}

// setBell stores the bell. The store comes before the loads that follow it, against Client.Submit.
//
// A client that saw the old bell may have published in the slot watched then, and relied on it. That slot is therefore looked at once
// more, whichever slots are taken before.
func (s *Server) setBell(bell uint32) {
	atomic.StoreUint32(&s.doorbell.Bell, bell)
	if slot, ok := wire.BellSlot(s.bell); ok {
		s.pending |= wire.Group(slot)
	}
	s.bell = bell
}

// sleep announces that the leader sleeps, looks again at everything that would keep it awake, and sleeps until the bell changes. When nothing
// has come for a time it announces that it has parked instead, and reports true.
func (s *Server) sleep() (parked bool) {
	s.sleepers.Add(1)
	defer s.sleepers.Add(-1)
	s.setBell(wire.BellSleeping)
	end := futex.Now() + int64(parkAfter)
	for s.idle() {
		futex.Wait(&s.doorbell.Bell, wire.BellSleeping, end)
		if atomic.LoadUint32(&s.doorbell.Bell) != wire.BellSleeping {
			break
		}
		if futex.Now() >= end {
			s.setBell(wire.BellParked)
			if s.idle() {
				return true
			}
			break
		}
	}
	// Clients stop waking us. A call published meanwhile has set its bit in the ready mask, as BellSleeping asks.
	s.setBell(wire.BellAwake)
	return false
}

// idle reports whether nothing keeps the leader awake.
func (s *Server) idle() bool {
	word := atomic.LoadUint32(&s.segment.Request(s.watched).Word)
	return atomic.LoadUint64(&s.doorbell.Ready) == 0 && !s.fresh(s.watched, word) && !s.interrupted.Load() && s.Err() == nil
}

// fresh reports whether a request word announces a call that has not been taken.
func (s *Server) fresh(slot int, word uint32) bool {
	state := wire.State(word)
	return wire.Generation(word) != s.taken[slot] && (state == wire.StateCall || state == wire.StateCancelled)
}

// take takes the call in a slot if there is a new one.
func (s *Server) take(slot int) (Call, bool, error) {
	request := s.segment.Request(slot)
	word := atomic.LoadUint32(&request.Word) // pairs with the store in Client.Submit
	if !s.fresh(slot, word) {
		return Call{}, false, nil
	}
	length := atomic.LoadUint32(&request.Length)
	offset, ok := s.segment.RequestPayload(slot, atomic.LoadUint64(&request.Offset), length)
	if !ok {
		return Call{}, false, ErrProtocol
	}
	generation := wire.Generation(word)
	s.taken[slot] = generation
	s.watched = slot
	s.freeBlock(slot) // a new call in a slot says that the last reply has been read
	return Call{
		Method:     atomic.LoadUint64(&request.Method),
		Deadline:   atomic.LoadInt64(&request.Deadline),
		Slot:       slot,
		Offset:     offset,
		Length:     int(length),
		Cancelled:  wire.State(word) == wire.StateCancelled,
		generation: generation,
		notify:     word&wire.FlagNotify != 0,
	}, true, nil
}
