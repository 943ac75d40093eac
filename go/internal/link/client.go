package link

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"nanorpc/go/internal/failpoint"
	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/wire"
)

// Client is the calling end of a connection. Its methods are safe for concurrent use; those that take a slot are for the slot's holder.
//
// A call is Acquire, Reserve, writing the payload, Submit, Await, reading the reply, Release; or Abandon after an Await that ended early.
// Many calls can be published with one Ring instead.
type Client struct {
	segment   *wire.Segment
	doorbell  *wire.Doorbell
	slots     slots
	calls     [wire.Slots]call
	abandoned slotSet // slots whose caller has left and whose reply has not come
	reaping   reaping

	committing sync.Mutex   // serialises changes of committed
	committed  atomic.Int32 // slots that have pages, from the first on

	pool    *pool         // of requests
	blocks  sync.Mutex    // guards room
	room    chan struct{} // closed and replaced when a block is freed that somebody waits for
	waiting atomic.Int32

	brief  brief
	relief relief

	ring func() // tells a parked server, over the socket; immutable

	cause    atomic.Pointer[error] // why the connection has ended
	ended    chan struct{}         // closed after cause is set
	sleepers atomic.Int32          // threads that sleep on reply words, or are about to
	woken    atomic.Bool           // nobody sleeps any more
	holds    atomic.Int32          // see Hold

	unmapping sync.Mutex // guards unmapped, and the segment while no slot is held
	unmapped  bool
}

// call is what the client knows of a slot. It belongs to the slot's holder, and that of an abandoned slot to whoever has found it in that set.
type call struct {
	generation uint32
	submitted  bool  // a call, the last or an earlier one
	roused     uint8 // calls in a row, up to the last, for which the server had to be woken; at most frugalAfter
	block      int64 // offset of the request's block in the arena, 0: none
	sent       int64 // bytes of the last request
	received   int64 // bytes of the last reply
	spinner    futex.Spinner
	sleeper    futex.Sleeper
	_          [64]byte // callers in different slots do not share a line
}

// NewClient returns the calling end of a segment, which it unmaps when it is closed and no slot is held. It calls ring to tell a server that has
// gone idle; ring must not block.
func NewClient(s *wire.Segment, spin futex.Policy, ring func()) *Client {
	l := s.Layout()
	c := &Client{
		segment:  s,
		doorbell: s.Doorbell(),
		pool:     newPool(s, l.RequestStart(), l.RequestArena),
		room:     make(chan struct{}),
		ring:     ring,
		ended:    make(chan struct{}),
	}
	for i := range c.calls {
		c.calls[i].spinner.Policy, c.calls[i].spinner.Yields = spin, true
		c.calls[i].generation = failpoint.Generation()
	}
	c.committed.Store(int32(wire.CommittedSlots))
	c.slots.free.fill()
	return c
}

// commitSlot gives a slot pages, which the first in each page takes a system call for. Errors: ErrExhausted.
func (c *Client) commitSlot(slot int) error {
	if slot < int(c.committed.Load()) {
		return nil
	}
	c.committing.Lock()
	defer c.committing.Unlock()
	if slot < int(c.committed.Load()) {
		return nil
	}
	failpoint.Hit(failpoint.SlotPagesBefore)
	committed, err := c.segment.CommitSlot(slot)
	failpoint.Hit(failpoint.SlotPagesTaken)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrExhausted, err)
	}
	// Before any call in these slots is published: the server looks no further than this.
	atomic.StoreUint32(&c.doorbell.Used, uint32(committed))
	c.committed.Store(int32(committed))
	return nil
}

// Spins reports whether waits for replies may spin.
func (c *Client) Spins() bool { return c.calls[0].spinner.Policy != futex.None }

// Sleeps reports whether waits for replies may sleep.
func (c *Client) Sleeps() bool { return c.calls[0].spinner.Policy != futex.Busy }

// Layout returns the layout of the segment.
func (c *Client) Layout() wire.Layout { return c.segment.Layout() }

// Bytes returns length bytes of the segment at an offset that Reserve or Await returned. They belong to the slot's holder until Release.
func (c *Client) Bytes(offset int64, length int) []byte {
	return c.segment.Bytes(offset, int64(length))
}

// Err returns why the connection has ended, or nil.
func (c *Client) Err() error {
	if cause := c.cause.Load(); cause != nil {
		return *cause
	}
	return nil
}

// closed reports whether the connection has ended. It is Err for those who do not ask why.
func (c *Client) closed() bool { return c.cause.Load() != nil }

// Ended returns a channel that is closed when the connection has ended.
func (c *Client) Ended() <-chan struct{} { return c.ended }

// Close ends the connection with the given cause: ErrClosed, or ErrGone when the peer has. Every waiting caller returns with it.
// Only the first Close counts. The segment stays mapped until the last slot is released.
func (c *Client) Close(cause error) {
	if !c.cause.CompareAndSwap(nil, &cause) {
		return
	}
	failpoint.Hit(failpoint.CloseBegun)
	close(c.ended)
	// The word's change keeps awake whoever looked at cause before it was set. A peer could undo the change, so go on until all have left.
	for {
		for i := range int(c.committed.Load()) {
			word := &c.segment.Reply(i).Word
			atomic.OrUint32(word, wire.FlagClosed)
			futex.Wake(word, math.MaxInt32)
		}
		bell := &c.segment.Notices().Bell
		atomic.StoreUint32(bell, wire.BellClosed)
		futex.Wake(bell, math.MaxInt32)
		if c.sleepers.Load() == 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	c.woken.Store(true)
	c.unmapWhenUnused()
}

// unmapWhenUnused unmaps the segment of a closed connection once all slots are free or abandoned. Taking all free bits at once keeps
// later callers out.
func (c *Client) unmapWhenUnused() {
	if !c.woken.Load() {
		return
	}
	c.unmapping.Lock()
	defer c.unmapping.Unlock()
	if !c.unmapped && c.holds.Load() == 0 && c.slots.free.takeAllBut(&c.abandoned) {
		c.unmapped = true
		c.pool.close()
		failpoint.Hit(failpoint.CloseUnmapping)
		_ = c.segment.Close() // fails only for a range that is not mapped
	}
}
