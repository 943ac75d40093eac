package pycore

import (
	"errors"
	"os"
	"time"

	"nanorpc/go/internal/endpoint"
	"nanorpc/go/internal/failpoint"
	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/link"
	"nanorpc/go/internal/wire"
)

// workers are those that Python's threads have.
var workers table[*worker]

// worker runs calls in a thread of Python's.
type worker struct {
	server   *server
	endpoint *endpoint.Worker
	box      []int64 // Python's
	stage    []byte  // Python's: see ClientStage

	call     *endpoint.Call // that WorkerNext has returned; nil once it has been answered or detached
	reserved memory         // of the reply, unless that fits in its slot
	pid      int            // of this process
	begun    uint64         // the turn in which it was returned, if calls may be taken ahead of it
	own      bool           // the last call was from this process, which wants the interpreter's lock for the next one
}

// memory is where a reply may be written.
type memory struct{ offset, length int64 }

// reserve returns the offset for a reply of length bytes, in its slot, or in memory that it reserves, once. When there is no room for it, or it is too large, it answers the
// call with that, having called before, and returns the status.
func (m *memory) reserve(call *endpoint.Call, length int64, before func()) int64 {
	switch {
	case length < 0 || length > wire.InlineCapacity && m.length != 0:
		return -statusInvalidHandle
	case length <= wire.InlineCapacity:
		return call.Inline()
	}
	offset, err := call.Allocate(int(length))
	if err != nil {
		before()
		call.Refuse(err)
		return status(err)
	}
	*m = memory{offset, length}
	return offset
}

// The mailbox of a worker: an array of Python's through which integers go both ways.
const (
	boxConnection  = iota // from WorkerNext: the number of the call's connection,
	boxOffset             // the request's place; offset 0: it is on the stage,
	boxLength             //
	boxDeadline           // and in ns of CLOCK_MONOTONIC, 0: none.
	boxStatus             // to WorkerNext: of the reply, a wire.Status; or published;
	boxReplyOffset        // and its place; offset 0: it is on the stage.
	boxReplyLength        //
	boxMethod             // from WorkerNext: what it returns
	boxAddress            // from WorkerNext, and from WorkerReserve: where in the memory of this process the request lies, or the reply is to
	// From WorkerNext, for C, which may publish a short reply itself, and take calls ahead: see endpoint.Worker.Ahead.
	boxSegment // where the segment lies; 0: it may not
	boxSlot
	boxGeneration // also to WorkerNext: of the last call that was taken ahead
	boxMethodID   // wire.MethodID of the name
	boxTurnAt     // where the turn lies; 0: no calls may be taken ahead
	boxTurn       // also to WorkerNext: the last one that has been begun
	// To WorkerNext:
	boxBefore       // the word of a published reply that was there before
	boxAhead        // how many calls have been taken ahead, since what is told of them was last read: boxLength and boxDeadline are those of the last,
	boxRequestBytes // and these the bytes of the calls before it, the one from WorkerNext included
	boxReplyBytes
	// From WorkerNext:
	boxInterruptedAt // where it says whether the thread is to call WorkerNext before it sleeps; 0: it may not sleep, but spin
	boxWatchedAt     // where it says whether WorkerAhead need not be called after the begin of a turn
	// To WorkerNext:
	boxSlept   // for how many of the calls that have been taken ahead the thread has slept
	boxBriefly // how many of the last of these sleeps were brief ones
	boxEnded   // if it has slept: when the call from WorkerNext had been answered, in ns of CLOCK_MONOTONIC; else 0
	boxSize
)

// published is the status of a reply that C has published: see python/packaging/slot.h.
const published = -1

// BoxSize returns how many integers a mailbox has.
func BoxSize() int64 { return boxSize }

// WorkerNew returns the number of a worker. Its mailbox and its stage, of InlineCapacity, lie at addresses, and must stay there until WorkerClose.
func WorkerNew(id, mailbox, stage int64) int64 {
	s, ok := servers.get(id)
	if !ok || mailbox == 0 || stage == 0 {
		return -statusInvalidHandle
	}
	return workers.add(&worker{
		server: s, endpoint: s.endpoint.NewWorker(), box: numbers(mailbox, boxSize), stage: octets(stage, wire.InlineCapacity), pid: os.Getpid(),
	})
}

// WorkerNext answers the last call as the mailbox says, unless that has been done otherwise, and returns the next one's method. It blocks until there
// is a call, without slices: only threads that get no signals may call it. If within is not 0 it waits for so many ns at most, which should be few, and returns -statusPending if
// there is no call; and, unless insist is not 0, also without having waited where that has not paid lately: a thread that holds the interpreter's lock meanwhile releases it
// then. Else it returns -statusClosed, when the server has shut down; or with a number in the higher bits
// -statusConnection for a connection that has ended, and -statusCancelled for a watched call, by its ticket, whose caller does not wait any more.
func WorkerNext(id, within, insist int64) int64 {
	w, ok := workers.get(id)
	if !ok {
		return -statusInvalidHandle
	}
	if w.call != nil {
		w.advance()
		if !w.answer() {
			return -statusInvalidHandle
		}
	}
	call, err := w.next(link.Moment{Within: time.Duration(within), Insist: insist != 0})
	if err != nil {
		var notice *endpoint.Notice
		switch {
		case errors.Is(err, link.ErrPending):
			return -statusPending
		case !errors.As(err, &notice):
			return -statusClosed
		case notice.Cancelled:
			return -statusCancelled - notice.Number<<statusBits
		}
		return -statusConnection - notice.Number<<statusBits
	}
	w.call, w.reserved, w.own = call, memory{}, call.PeerPID() == w.pid
	box := w.box
	box[boxConnection] = call.Connection()
	box[boxOffset], box[boxLength] = call.Offset, int64(call.Length)
	if call.Length <= wire.InlineCapacity {
		copy(w.stage, call.Request())
		box[boxOffset] = 0
	} else {
		box[boxAddress] = address(call.Request())
	}
	box[boxDeadline], box[boxMethod] = call.Deadline, int64(call.Number())
	w.let(call)
	return box[boxMethod]
}

// let says in the mailbox what C may do itself: nothing where there are points to fail at, as those are Go's, and take no calls ahead of a client in this process, as
// whoever waits for those keeps the interpreter's lock.
func (w *worker) let(call *endpoint.Call) {
	box := w.box
	box[boxSegment], box[boxTurnAt] = 0, 0
	box[boxAhead], box[boxSlept], box[boxBriefly], box[boxEnded], box[boxRequestBytes], box[boxReplyBytes] = 0, 0, 0, 0, 0, 0
	if failpoint.Enabled {
		return
	}
	box[boxSegment], box[boxSlot], box[boxGeneration] = address(call.Bytes(0, 1)), int64(call.Slot), int64(call.Generation())
	if w.own {
		return
	}
	if a, ok := w.endpoint.Ahead(); ok {
		w.begun = a.Begun
		box[boxMethodID], box[boxTurnAt], box[boxTurn] = int64(call.Call.Method), location(a.Turn), int64(a.Begun)
		box[boxInterruptedAt], box[boxWatchedAt] = location(a.Interrupted), location(a.Watched)
	}
}

// advance reads what the mailbox tells of calls that have been taken ahead.
func (w *worker) advance() {
	box := w.box
	if box[boxTurnAt] == 0 || uint64(box[boxTurn]) == w.begun {
		return
	}
	w.endpoint.Advance(endpoint.Advance{
		Turn: uint64(box[boxTurn]), Calls: uint64(box[boxAhead]), Slept: uint64(box[boxSlept]), Briefly: box[boxBriefly] != 0, Ended: box[boxEnded],
		RequestBytes: uint64(box[boxRequestBytes]), ReplyBytes: uint64(box[boxReplyBytes]),
		Generation: uint32(box[boxGeneration]), Length: int(box[boxLength]), Deadline: box[boxDeadline],
	})
	box[boxAhead], box[boxSlept], box[boxTurnAt] = 0, 0, 0
}

// WorkerAhead is told of calls that have been taken ahead before anything else is done for the last of them, but for WorkerNext, which reads it as well.
func WorkerAhead(id int64) int64 {
	w, ok := workers.get(id)
	if !ok || w.call == nil {
		return -statusInvalidHandle
	}
	w.advance()
	return 0
}

func (w *worker) next(m link.Moment) (*endpoint.Call, error) {
	if m.Within == 0 {
		return w.endpoint.Next()
	}
	if w.own {
		return nil, link.ErrPending
	}
	return w.endpoint.NextSoon(m)
}

// answer answers the call as the mailbox says. It reports false if that says something that cannot be.
func (w *worker) answer() bool {
	if w.box[boxStatus] == published {
		w.call.Published(uint32(w.box[boxBefore]), int(w.box[boxReplyLength]))
		w.call = nil
		return true
	}
	status, reply := w.box[boxStatus], memory{w.box[boxReplyOffset], w.box[boxReplyLength]}
	if reply.offset == 0 && reply.length >= 0 && reply.length <= wire.InlineCapacity {
		reply.offset = w.call.Inline()
		copy(w.call.Inlined(), w.stage[:reply.length])
	}
	if !answerable(w.call, status, reply, w.reserved) {
		return false
	}
	w.call.Publish(wire.Status(status), reply.offset, int(reply.length))
	w.call = nil
	return true
}

// answerable reports whether a reply has a status of Python's, and lies where it may: Python's mistakes must not become its clients'.
func answerable(call *endpoint.Call, status int64, reply, reserved memory) bool {
	switch wire.Status(status) {
	case wire.StatusOK, wire.StatusHandlerError, wire.StatusHandlerException, wire.StatusDeadline:
	default:
		return false
	}
	if reply.length < 0 {
		return false
	}
	if reply.length <= wire.InlineCapacity { // clients read it there, whatever the offset
		return reply.offset == call.Inline()
	}
	return reply.offset == reserved.offset && reply.length <= reserved.length
}

// WorkerReserve returns the offset for a reply of length bytes to the worker's call. If there is no room for it, or it is too large, the call has been
// answered with that, and the status is returned. The mailbox has the address then.
func WorkerReserve(id, length int64) int64 {
	w, ok := workers.get(id)
	if !ok || w.call == nil {
		return -statusInvalidHandle
	}
	call := w.call
	offset := w.reserved.reserve(call, length, func() { w.call = nil })
	if offset >= 0 {
		w.box[boxAddress] = address(call.Bytes(offset, int(length)))
	}
	return offset
}

// WorkerCancelled returns 1 if nobody waits for the worker's call any more, else 0.
func WorkerCancelled(id int64) int64 {
	w, ok := workers.get(id)
	if !ok || w.call == nil {
		return -statusInvalidHandle
	}
	return given(w.call)
}

// WorkerDetach leaves the worker's call to be answered later, from any thread, and returns its ticket. If watch is not 0, WorkerNext tells, once, when nobody waits for it any more.
func WorkerDetach(id, watch int64) int64 {
	w, ok := workers.get(id)
	if !ok || w.call == nil {
		return -statusInvalidHandle
	}
	call := w.call
	w.call = nil
	return w.server.detach(call, watch != 0)
}

// WorkerClose ends a worker. A call that it has not answered fails.
func WorkerClose(id int64) int64 {
	w, ok := workers.take(id)
	if !ok {
		return -statusInvalidHandle
	}
	w.endpoint.Close()
	return 0
}

// given returns 1 if nobody waits for a call any more, else 0.
func given(call *endpoint.Call) int64 {
	if call.GivenUp() || call.Deadline != 0 && futex.Now() >= call.Deadline {
		return 1
	}
	return 0
}
