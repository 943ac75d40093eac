package link

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"nanorpc/go/internal/failpoint"
	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/shm"
	"nanorpc/go/internal/wire"
)

// How long a reply waits for room in its arena: until shortly before the call's deadline, so that the caller learns the reason; and for a call without one, which
// would be a handler for ever if its caller never freed a reply, as long as roomWait.
const (
	roomWait        = 30 * time.Second
	roomMargin      = time.Millisecond
	roomInterval    = 50 * time.Microsecond
	maxRoomInterval = 2 * time.Millisecond
)

// ReplyInline returns the offset of a short reply's place, in its slot.
func (s *Server) ReplyInline(call *Call) int64 { return s.segment.ReplyInline(call.Slot) }

// Inlined returns the memory there.
func (s *Server) Inlined(call *Call) []byte { return s.segment.Reply(call.Slot).Inline[:] }

// TryAllocate is Allocate where nothing has to be waited for. It reports false also for what is too large; Allocate says why.
func (s *Server) TryAllocate(call *Call, length int) (int64, bool) {
	if length <= wire.InlineCapacity {
		return s.segment.ReplyInline(call.Slot), true
	}
	if int64(length) > s.Layout().MaxPayload {
		return 0, false
	}
	offset, ok := s.pool.tryAlloc(int64(length))
	if ok {
		s.block[call.Slot].Store(offset)
	}
	return offset, ok
}

// Allocate returns the offset at which a reply of length bytes to call is to be written. It may be called once per call.
// It blocks while the reply arena is full, until the call's deadline, or for 30 seconds if it has none.
// Errors: ErrTooLarge, ErrExhausted, the cause given to Close.
func (s *Server) Allocate(call *Call, length int) (int64, error) {
	if offset, ok := s.TryAllocate(call, length); ok { // nearly always
		return offset, nil
	}
	if limit := s.Layout().MaxPayload; int64(length) > limit {
		return 0, fmt.Errorf("%w: a reply of %d bytes, the limit is %d", ErrTooLarge, length, limit)
	}
	end := futex.Now() + int64(roomWait)
	if call.Deadline != 0 {
		end = call.Deadline - int64(roomMargin)
	}
	for pause := roomInterval; ; pause = min(2*pause, maxRoomInterval) {
		s.reclaim()
		offset, err := s.pool.alloc(int64(length))
		if err == nil {
			s.block[call.Slot].Store(offset)
			return offset, nil
		}
		if err := s.Err(); err != nil {
			return 0, err
		}
		if errors.Is(err, shm.ErrNoSpace) {
			return 0, fmt.Errorf("%w: %w", ErrExhausted, err)
		}
		if !errors.Is(err, errFull) || futex.Now() >= end || s.Over(call.Handle()) {
			return 0, fmt.Errorf("%w: no room for a reply of %d bytes beside those that the caller has not released: %w", ErrExhausted, length, err)
		}
		time.Sleep(pause)
	}
}

// reclaim frees the blocks of replies that their callers have read, and not yet overtaken with a new call.
func (s *Server) reclaim() {
	s.blocks.Lock()
	defer s.blocks.Unlock()
	for i := range s.block {
		if offset := s.block[i].Load(); offset != 0 && s.released(i) {
			s.block[i].Store(0)
			s.pool.free(offset)
		}
	}
}

// released reports whether the client has read, or will never read, the last published reply of a slot. Both words must be of one
// generation: the state of a call that is being answered says nothing of the block being filled.
func (s *Server) released(slot int) bool {
	request := atomic.LoadUint32(&s.segment.Request(slot).Word)
	state := wire.State(request)
	return (state == wire.StateReleased || state == wire.StateCancelled) &&
		wire.Done(atomic.LoadUint32(&s.segment.Reply(slot).Word), wire.Generation(request))
}

// freeBlock frees the block of a slot's last reply, if it has one.
func (s *Server) freeBlock(slot int) {
	if s.block[slot].Load() != 0 { // inlined; not the usual case, and without the lock
		s.giveBack(slot)
	}
}

func (s *Server) giveBack(slot int) {
	s.blocks.Lock()
	defer s.blocks.Unlock()
	if offset := s.block[slot].Swap(0); offset != 0 {
		s.pool.free(offset)
	}
}

// Publish answers call with the length bytes that lie at the offset which Allocate returned, unless the connection has ended. It wakes the caller if that sleeps, and does
// not block. The call must not be used after it.
func (s *Server) Publish(call *Call, status wire.Status, offset int64, length int) {
	call.Replied = length
	if s.closed() { // nobody reads it
		return
	}
	reply := s.segment.Reply(call.Slot)
	reply.Status = uint32(status)
	reply.Length = uint32(length)
	reply.Offset = uint64(offset)
	if moved := call.Length + length; moved > wire.InlineCapacity {
		s.moved.Add(int64(moved)) // before the leader waits for what comes after this reply, if it is the one that replies
	}
	failpoint.Hit(failpoint.ReplyWritten)
	// Publishes the header and the payload to Client.Await, and takes its waiting flag in the same step.
	before := atomic.SwapUint32(&reply.Word, wire.Word(call.generation, wire.FlagDone))
	failpoint.Hit(failpoint.ReplyStored)
	if call.notify || before&(wire.FlagWaiting|wire.FlagNotify) != 0 {
		s.announce(call, before)
	}
}

// Published does what is left of Publish for who has written a reply of at most wire.InlineCapacity bytes to the call's slot himself, and published it by swapping its word, which was
// another one before.
func (s *Server) Published(call *Call, before uint32, length int) {
	call.Replied = length
	if moved := call.Length + length; moved > wire.InlineCapacity {
		s.moved.Add(int64(moved))
	}
	if call.notify || before&(wire.FlagWaiting|wire.FlagNotify) != 0 {
		s.announce(call, before)
	}
}

// announce wakes the caller if it sleeps, and gives notice of a reply that somebody wants notice of.
func (s *Server) announce(call *Call, before uint32) {
	if before&wire.FlagWaiting != 0 {
		futex.Wake(&s.segment.Reply(call.Slot).Word, 1)
	}
	if call.notify || before&wire.FlagNotify != 0 {
		s.notify(call.Slot)
	}
}
