package link

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/wire"
)

// How long a reply waits for room in its arena. Callers free their replies as soon as they have copied them; one that is
// stopped must not keep a server's goroutine for ever.
const (
	roomWait     = time.Second
	roomInterval = 50 * time.Microsecond
)

// Allocate returns the offset at which a reply of length bytes to call is to be written. It may be called once per call.
// It blocks up to a second while the reply arena is full.
// Errors: ErrTooLarge, ErrExhausted, the cause given to Close.
func (s *Server) Allocate(call Call, length int) (int64, error) {
	if length <= wire.InlineCapacity {
		return s.segment.ReplyInline(call.Slot), nil
	}
	if limit := s.Layout().MaxPayload; int64(length) > limit {
		return 0, fmt.Errorf("%w: a reply of %d bytes, the limit is %d", ErrTooLarge, length, limit)
	}
	if offset, ok := s.pool.tryAlloc(int64(length)); ok { // nearly always
		s.block[call.Slot].Store(offset)
		return offset, nil
	}
	for deadline := futex.Now() + int64(roomWait); ; {
		s.reclaim()
		offset, err := s.pool.alloc(int64(length))
		if err == nil {
			s.block[call.Slot].Store(offset)
			return offset, nil
		}
		if err := s.Err(); err != nil {
			return 0, err
		}
		if !errors.Is(err, errFull) || futex.Now() >= deadline {
			return 0, fmt.Errorf("%w: no room for %d bytes: %w", ErrExhausted, length, err)
		}
		time.Sleep(roomInterval)
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
	if s.block[slot].Load() == 0 { // the usual case, without the lock
		return
	}
	s.blocks.Lock()
	defer s.blocks.Unlock()
	if offset := s.block[slot].Swap(0); offset != 0 {
		s.pool.free(offset)
	}
}

// Publish answers call with the length bytes that lie at the offset which Allocate returned, unless the connection has ended. It wakes the caller if that sleeps, and does
// not block. The call must not be used after it.
func (s *Server) Publish(call Call, status wire.Status, offset int64, length int) {
	if s.Err() != nil { // nobody reads it
		return
	}
	reply := s.segment.Reply(call.Slot)
	reply.Status = uint32(status)
	reply.Length = uint32(length)
	reply.Offset = uint64(offset)
	// Publishes the header and the payload to Client.Await, and takes its waiting flag in the same step.
	before := atomic.SwapUint32(&reply.Word, wire.Word(call.generation, wire.FlagDone))
	if before&wire.FlagWaiting != 0 {
		futex.Wake(&reply.Word, 1)
	}
	if call.notify {
		s.notify(call.Slot)
	}
}
