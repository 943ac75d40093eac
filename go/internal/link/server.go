package link

import (
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"nanorpc/go/internal/failpoint"
	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/shm"
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
	next    int                // the slot after that of the last call taken
	first   int                // the slot of the first call taken since the leader last waited, or none
	watched int                // the slot whose request word the leader polls while it waits
	bell    uint32             // what the leader last stored in the bell
	barren  int                // times that groups were taken from the ready mask since the last call
	spinner futex.Spinner
	sleeper futex.Sleeper
	// What has ended the last spin is on another connection.
	elsewhere bool

	sleeping *futex.Permits // immutable
	moved    atomic.Int64   // bytes of answered requests and of their replies, if they do not fit in their slots, since the leader last waited

	// Cancelled is called by the leader for a slot whose call has been taken, and given up by its caller since. Set before Next; immutable.
	Cancelled func(slot int)
	// Waited is called by the leader when a spin has ended in vain. Set before Next; immutable.
	Waited func()
	// Sleeping is called by the leader before it sleeps or parks. Set before Next; immutable.
	Sleeping func()
	// Elsewhere is called by the leader while it spins, and reports whether there are calls on other connections. Set before Next; immutable.
	Elsewhere func() bool
	// Join is called by a leader that is about to sleep. If it reports true, somebody else waits for calls in its place, and it has lost the leadership. Set
	// before Next; immutable.
	Join func() bool

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
	Replied   int  // bytes of the reply; until there is one, of that to the call before, if there was one: as many are expected

	generation uint32
	notify     bool
}

// NewServer returns the serving end of a segment, which stays the caller's to unmap. A leader that sleeps, and so takes a thread, has one of the permits; one
// that gets none parks at once.
func NewServer(s *wire.Segment, spin futex.Policy, sleeping *futex.Permits) *Server {
	l := s.Layout()
	server := &Server{
		segment:  s,
		doorbell: s.Doorbell(),
		notices:  s.Notices(),
		group:    wire.Slots,
		first:    none,
		pool:     newPool(s, l.ReplyStart(), l.ReplyArena),
		spinner:  futex.Spinner{Policy: spin},
		sleeping: sleeping,
	}
	server.spinner.Between = server.between
	return server
}

// none is no slot.
const none = -1

// Handle names a call for as long as its slot has no other.
type Handle struct {
	slot       int32
	generation uint32
}

// Handle returns the call's.
func (c *Call) Handle() Handle { return Handle{slot: int32(c.Slot), generation: c.generation} }

// Generation returns the call's, which the word of its reply has as well.
func (c *Call) Generation() uint32 { return c.generation }

// Follow makes it the call of another generation in the same slot, of the same method, short and taken without Next: see Server.Took.
func (c *Call) Follow(generation uint32, length int, deadline int64) {
	c.generation, c.Length, c.Deadline = generation, length, deadline
}

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

// closed reports whether the connection has ended. It is Err for those who do not ask why.
func (s *Server) closed() bool { return s.cause.Load() != nil }

// Release ends the use of the segment, before it is unmapped. No method may be called after it, nor any call be open.
func (s *Server) Release() { s.pool.close() }

// Close ends the connection with the given cause and wakes the leader, whose Next returns the cause. Only the first Close counts.
func (s *Server) Close(cause error) {
	if !s.cause.CompareAndSwap(nil, &cause) {
		return
	}
	// As in Client.Close: the word's change keeps the leader awake, and a peer that undoes the change wins nothing.
	for {
		shm.Try(func() { atomic.StoreUint32(&s.doorbell.Bell, wire.BellClosed) })
		futex.Wake(&s.doorbell.Bell, math.MaxInt32)
		if s.sleepers.Load() == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// Waits returns how many waits of Next a spin has ended, and how many not. Only the leader calls it.
func (s *Server) Waits() (paid, missed uint64) { return s.spinner.Paid, s.spinner.Missed }

// ReplyMemory returns how many bytes of the reply arena hold replies, and how many it has grown to.
func (s *Server) ReplyMemory() (used, size int64) { return s.pool.usage() }

// Interrupt makes Next return ErrInterrupted, once, when no call is ready. It reports whether the leader has slept, and has been woken.
func (s *Server) Interrupt() (woke bool) {
	s.interrupted.Store(true)
	// The leader stores BellSleeping, then looks at interrupted.
	shm.Try(func() { // it is called from anywhere
		if woke = atomic.CompareAndSwapUint32(&s.doorbell.Bell, wire.BellSleeping, wire.BellAwake); woke {
			futex.Wake(&s.doorbell.Bell, 1)
		}
	})
	return woke
}

// Interrupted returns where it says whether Next is to return ErrInterrupted, for a leader's thread that sleeps without Next. The memory is the server's.
func (s *Server) Interrupted() *atomic.Bool { return &s.interrupted }

// Next takes the next call, and blocks until there is one. Only the leader calls it.
// Errors: ErrParked when there was none for 100 ms: the client rings over the socket for the next one, until then nobody need call Next;
// ErrJoined when Join has reported true; ErrElsewhere when Elsewhere has; ErrInterrupted; the cause given to Close; ErrProtocol, after which the connection is to
// be closed.
func (s *Server) Next(call *Call) error {
	for {
		if ok, err := s.look(call); ok || err != nil {
			return err
		}
		s.allow()
		caught, err := s.spin(Moment{})
		if err != nil {
			return err
		}
		if caught {
			// Usually by a call in the slot that is watched. Whatever else there is comes before the next one.
			if ok, err := s.take(s.watched, call); ok || err != nil {
				return err
			}
			continue
		}
		s.Waited()
		if s.spinner.Policy == futex.Busy {
			if s.Elsewhere() { // where too many spin, nobody has asked
				return ErrElsewhere
			}
			continue
		}
		if s.spinner.Policy == futex.Adaptive && s.Join() {
			return ErrJoined // the connection is somebody else's already
		}
		if s.sleep() {
			return ErrParked
		}
	}
}

// NextSoon is Next, but waits for a moment only, and returns ErrPending if there is no call.
func (s *Server) NextSoon(call *Call, m Moment) error {
	for range soonLooks { // a client that changes what is spun on all the time, and does not call, is not to hold up the others
		if ok, err := s.look(call); ok || err != nil {
			return err
		}
		caught, err := s.spin(m)
		if err != nil {
			return err
		}
		if !caught {
			break
		}
	}
	return ErrPending
}

// soonLooks is enough for a call to be found: there may be another slot to watch, and a call that has come meanwhile.
const soonLooks = 4

// look takes a call that is ready, and reports whether there is one. It returns what else there is to tell.
func (s *Server) look(call *Call) (bool, error) {
	if err := s.Err(); err != nil { // first: a client that has left may call on
		return false, err
	}
	if ok, err := s.poll(call); ok || err != nil {
		return ok, err
	}
	if s.interrupted.Load() && s.interrupted.Swap(false) {
		return false, ErrInterrupted
	}
	return false, nil
}

// spin spins for a call, if m is not zero for that moment, and reports whether there is reason to look for one again. Errors: ErrElsewhere.
func (s *Server) spin(m Moment) (bool, error) {
	if s.watch() {
		return true, nil
	}
	word := &s.segment.Request(s.watched).Word
	seen := atomic.LoadUint32(word)
	if s.fresh(s.watched, seen) {
		return true, nil
	}
	poll := func(rounds int) bool { return futex.SpinEither(word, seen, &s.doorbell.Ready, rounds) }
	caught := false
	if m.Within != 0 {
		caught = m.spin(&s.spinner, poll)
	} else {
		caught = s.spinner.Spin(poll, 0)
	}
	if caught && s.elsewhere {
		s.elsewhere = false
		return false, ErrElsewhere
	}
	return caught, nil
}

// allow lets a spin last as long as the client may take to read and to write about as much, before it calls again, as has travelled since the leader last waited. It may be
// called again before the next call: a client that has read a reply says so, which ends a spin.
func (s *Server) allow() {
	if s.moved.Load() != 0 { // seldom, and cheaper than to swap
		s.spinner.Allowance = futex.Copying(s.moved.Swap(0))
	}
}

// between looks for calls on other connections.
func (s *Server) between() bool {
	s.elsewhere = s.Elsewhere()
	return s.elsewhere
}

// Ready reports whether Next would not wait. Who calls it leads, or holds the lock under which leaders leave and come.
func (s *Server) Ready() bool { return s.pending != 0 || s.group < wire.Slots || !s.idle() }

// Came reports whether there is a call that Next would return at once. Only the leader calls it.
func (s *Server) Came() bool {
	s.collect() // also bits of calls that have been taken before their bits were set
	came := s.freshIn(s.watched) || s.freshFrom(s.group)
	for groups := s.pending; groups != 0 && !came; groups &= groups - 1 {
		came = s.freshFrom(bits.TrailingZeros64(groups))
	}
	return came
}

// Follows reports whether calls that follow a short one in its slot may be taken without Next: the client does not ring for them, nothing else is waiting, and nobody asks for notice
// of the reply to this one. Only the leader calls it.
func (s *Server) Follows(call *Call) bool {
	return call.Slot == s.watched && s.bell == wire.BellPolling(s.watched) && s.pending == 0 && s.group >= wire.Slots && call.Length <= wire.InlineCapacity && !call.notify
}

// FollowsRarely reports whether the leader's thread may wait for the call that follows a short one in its slot without Next: by sleeping on the bell, which it changes from
// wire.BellAwake to wire.BellSleeping and back, as Next would do at once. It may take the bit of the slot's group from the ready mask, as all slots of other groups are. Only the leader
// calls it.
func (s *Server) FollowsRarely(call *Call) bool {
	used := s.usable()
	return call.Slot == s.watched && s.bell == wire.BellAwake && s.pending == 0 && s.group >= used && used <= wire.Groups && call.Length <= wire.InlineCapacity && !call.notify &&
		s.spinner.Fades()
}

// Took notes that the call of a generation in the slot that is watched has been taken without Next, the last of so many, of which some have been slept for. Only the leader calls it.
func (s *Server) Took(generation uint32, calls uint64, slept futex.Slept) {
	s.taken[s.watched] = generation
	s.spinner.Paid += calls - slept.Waits
	s.spinner.Learn(slept)
}

// freshFrom reports whether there is a call that has not been taken in a slot of a group, or in one after it.
func (s *Server) freshFrom(slot int) bool {
	for used := s.usable(); slot < used; slot += wire.Groups {
		if s.freshIn(slot) {
			return true
		}
	}
	return false
}

// parkAfter is how long a leader sleeps before it gives its thread back: long enough that the price of ringing over the socket, tens of
// microseconds, is paid by one call in thousands.
const parkAfter = 100 * time.Millisecond

// poll takes a call that is ready, without waiting.
func (s *Server) poll(call *Call) (bool, error) {
	for {
		if s.group < wire.Slots {
			if ok, err := s.sweep(call); ok || err != nil {
				return ok, err
			}
		}
		if s.pending == 0 && !s.collect() {
			break
		}
		if s.barren > maxBarren {
			return false, ErrProtocol
		}
		s.group = bits.TrailingZeros64(s.pending)
		s.pending &= s.pending - 1
		s.prefetch(s.group + prefetchAhead)
	}
	// A caller that publishes many calls fills one slot after the other, and rings when it has filled all: the next one may be there already.
	if s.first != none && s.next < s.usable() {
		if ok, err := s.take(s.next, call); ok || err != nil {
			futex.PrefetchWrite(&s.segment.Reply((call.Slot+prefetchAhead)%wire.Slots).Word, 2)
			return ok, err
		}
	}
	return s.take(s.watched, call)
}

// collect takes the groups of the ready mask, once those taken before have been looked at: so no group waits for more than one round of the others.
func (s *Server) collect() bool {
	if atomic.LoadUint64(&s.doorbell.Ready) == 0 {
		return false
	}
	// Taking all bits comes before looking at the slots: a bit set after is for a call published after.
	s.pending |= atomic.SwapUint64(&s.doorbell.Ready, 0)
	failpoint.Hit(failpoint.CallsTaken)
	s.barren++
	for slot, n := bits.TrailingZeros64(s.pending), 1; n < prefetchAhead; n++ {
		s.prefetch(slot + n)
	}
	return s.pending != 0
}

// maxBarren is how often a client may ring without a new call in any of the groups. It may ring once for each call that the server has found before the ring, and
// once for each that it has given up; one that rings for ever keeps the leader from waiting, and from other connections.
const maxBarren = 16 * wire.Slots

// prefetchAhead is how many slots before their turn the lines of a request and its reply are asked for. A line comes from the client's cache in the time
// of one or two calls, and several come at the same time.
const prefetchAhead = 4

// prefetch asks for the lines of a slot whose group is pending.
func (s *Server) prefetch(slot int) {
	if slot < wire.Groups && s.pending&wire.Group(slot) != 0 {
		futex.PrefetchRead(&s.segment.Request(slot).Word)
		futex.PrefetchWrite(&s.segment.Reply(slot).Word, 2)
	}
}

// usable returns how many slots have pages, as the client says before it announces calls in them. Nothing worse than a missed call of its own comes
// from a lie: slots beyond are memory of the segment.
func (s *Server) usable() int { return int(min(atomic.LoadUint32(&s.doorbell.Used), wire.Slots)) }

// sweep takes a call in the rest of the group begun.
func (s *Server) sweep(call *Call) (bool, error) {
	for used := s.usable(); s.group < used; {
		slot := s.group
		s.group += wire.Groups
		if ok, err := s.take(slot, call); ok || err != nil {
			return ok, err
		}
		if word := atomic.LoadUint32(&s.segment.Request(slot).Word); wire.Word(s.taken[slot], wire.StateCancelled) == word {
			s.Cancelled(slot)
		}
	}
	s.group = wire.Slots
	return false, nil
}

// watch chooses the slot that the leader polls while it waits, the first of those used since it last waited, as a caller takes low slots first; it tells
// the client, if that changes anything, and reports whether it does.
func (s *Server) watch() bool {
	if s.first != none {
		s.watched, s.first = s.first, none
	}
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
	failpoint.Hit(failpoint.BellStored)
	if slot, ok := wire.BellSlot(s.bell); ok {
		s.pending |= wire.Group(slot)
	}
	s.bell = bell
}

// sleep announces that the leader sleeps, looks again at everything that would keep it awake, and sleeps until the bell changes. When nothing
// has come for a time, or too many sleep already, it announces that it has parked instead, and reports true.
func (s *Server) sleep() (parked bool) {
	s.Sleeping()
	if !s.sleeping.Take() {
		return s.park()
	}
	defer s.sleeping.Give()
	s.sleepers.Add(1)
	defer s.sleepers.Add(-1)
	s.setBell(wire.BellSleeping)
	end := futex.Now() + int64(parkAfter)
	for s.idle() {
		s.sleeper.Sleep(&s.doorbell.Bell, wire.BellSleeping, end)
		if atomic.LoadUint32(&s.doorbell.Bell) != wire.BellSleeping {
			break
		}
		if futex.Now() >= end {
			return s.park()
		}
	}
	s.awake()
	return false
}

// park announces that the leader has parked, and reports whether it is to: nothing keeps it awake.
func (s *Server) park() bool {
	s.setBell(wire.BellParked)
	if s.idle() {
		return true
	}
	s.awake()
	return false
}

// awake announces that the leader does not sleep. A call published before has set its bit in the ready mask, as the bell asked.
func (s *Server) awake() { s.setBell(wire.BellAwake) }

// idle reports whether nothing keeps the leader awake.
func (s *Server) idle() bool {
	return atomic.LoadUint64(&s.doorbell.Ready) == 0 && !s.freshIn(s.watched) && !s.interrupted.Load() && s.Err() == nil
}

// freshIn reports whether there is a call in a slot that has not been taken.
func (s *Server) freshIn(slot int) bool {
	return s.fresh(slot, atomic.LoadUint32(&s.segment.Request(slot).Word))
}

// fresh reports whether a request word announces a call that has not been taken.
func (s *Server) fresh(slot int, word uint32) bool {
	state := wire.State(word)
	return wire.Generation(word) != s.taken[slot] && (state == wire.StateCall || state == wire.StateCancelled)
}

// take takes the call in a slot if there is a new one.
func (s *Server) take(slot int, call *Call) (bool, error) {
	request := s.segment.Request(slot)
	word := atomic.LoadUint32(&request.Word) // pairs with the store in Client.Publish
	if !s.fresh(slot, word) {
		return false, nil
	}
	// A lone call takes a fifth longer without this; so does a batch, for which the lines have been asked for before, as the client's processor may have fetched them on its own account
	// since.
	futex.PrefetchWrite(&s.segment.Reply(slot).Word, wire.Lines(call.Replied))
	length := atomic.LoadUint32(&request.Length)
	offset := s.segment.RequestInline(slot)
	if length > wire.InlineCapacity {
		var ok bool
		if offset, ok = s.segment.RequestPayload(slot, atomic.LoadUint64(&request.Offset), length); !ok {
			return false, ErrProtocol
		}
	}
	generation := wire.Generation(word)
	s.taken[slot] = generation
	s.next, s.barren = slot+1, 0
	if s.first == none {
		s.first = slot
	}
	s.freeBlock(slot) // a new call in a slot says that the last reply has been read
	call.Method = atomic.LoadUint64(&request.Method)
	call.Deadline = atomic.LoadInt64(&request.Deadline)
	call.Slot = slot
	call.Offset = offset
	call.Length = int(length)
	s.spinner.Allowance = 0
	call.Cancelled = wire.State(word) == wire.StateCancelled
	call.generation = generation
	call.notify = word&wire.FlagNotify != 0
	failpoint.Hit(failpoint.CallTaken)
	return true, nil
}
