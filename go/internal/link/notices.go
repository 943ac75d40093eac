package link

import (
	"math/bits"
	"sync/atomic"

	"nanorpc/go/internal/failpoint"
	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/wire"
)

// Notices waits for the replies to calls that were submitted with notice. One goroutine at a time may use it.
//
// It is the mirror of the server's side: there a server waits for calls, here a client for replies.
type Notices struct {
	client  *Client
	bell    *wire.Doorbell
	spinner futex.Spinner
	sleeper futex.Sleeper
	last    bool // the connection has ended, and what there were of notices then has been returned
}

// Notices returns the waiter for noticed replies.
func (c *Client) Notices() *Notices {
	return &Notices{client: c, bell: c.segment.Notices(), spinner: futex.Spinner{Policy: c.calls[0].spinner.Policy}}
}

// Hold keeps the segment mapped until Release, also when the connection ends, or returns why it has ended. The notices' goroutine holds it.
func (c *Client) Hold() error {
	c.holds.Add(1)
	if err := c.Err(); err != nil { // after Add: Close sets the cause, then reads holds
		c.Unhold()
		return err
	}
	return nil
}

// Unhold ends a Hold.
func (c *Client) Unhold() {
	if c.holds.Add(-1) == 0 && c.Err() != nil {
		c.unmapWhenUnused()
	}
}

// Wait blocks until there are notices, and returns the groups of slots that may have replies: bits of wire.Group. It returns the error with
// which the connection has ended.
func (n *Notices) Wait() (uint64, error) {
	for {
		err := n.client.Err()
		if !n.last && atomic.LoadUint64(&n.bell.Ready) != 0 {
			n.last = err != nil // a server that has gone may go on to give notice
			// Taking the bits comes before looking at the slots: a bit set after is for a reply published after.
			groups := atomic.SwapUint64(&n.bell.Ready, 0)
			failpoint.Hit(failpoint.NoticeTaken)
			return groups, nil
		}
		if err != nil {
			return 0, err
		}
		bell := &n.bell.Bell
		caught := n.spinner.Spin(func(rounds int) bool {
			return futex.SpinEither(bell, wire.BellAwake, &n.bell.Ready, rounds)
		}, 0)
		if !caught && n.spinner.Policy != futex.Busy {
			n.sleep()
		}
	}
}

func (n *Notices) sleep() {
	n.client.sleepers.Add(1)
	defer n.client.sleepers.Add(-1)
	// The store comes before the loads that follow, against Server.notify, which sets a bit and then reads the bell; and Close, which sets the
	// cause and then changes the bell.
	atomic.StoreUint32(&n.bell.Bell, wire.BellSleeping)
	failpoint.Hit(failpoint.NoticeAnnounced)
	if n.idle() {
		Wait{}.untilRelief(false, n.client.relief.wait(false)-n.spinner.Spent).sleep(&n.sleeper, &n.bell.Bell, wire.BellSleeping, 0)
		// Whoever has woken it, with a reply or in a hurry, has changed the bell: nobody has waited for long yet.
		if atomic.LoadUint32(&n.bell.Bell) == wire.BellSleeping && n.idle() {
			n.client.askForRelief()
			n.sleeper.Sleep(&n.bell.Bell, wire.BellSleeping, 0)
		}
	}
	atomic.StoreUint32(&n.bell.Bell, wire.BellAwake)
}

// idle reports whether nothing keeps the waiter awake.
func (n *Notices) idle() bool {
	return atomic.LoadUint64(&n.bell.Ready) == 0 && n.client.Err() == nil
}

// Hurry makes sure that somebody asks for relief if a call that has just been submitted gets stuck: it wakes who sleeps in Notices.Wait. There is no
// need where Submit has woken the server.
func (c *Client) Hurry() {
	bell := &c.segment.Notices().Bell
	if atomic.LoadUint32(bell) == wire.BellSleeping && atomic.CompareAndSwapUint32(bell, wire.BellSleeping, wire.BellAwake) {
		futex.Wake(bell, 1)
	}
}

// AskForNotice has the reply to a submitted call announced to Notices after all, and reports true if the reply has come already: then there is no notice.
func (c *Client) AskForNotice(slot int) (finished bool) {
	word := &c.segment.Reply(slot).Word
	for {
		seen := atomic.LoadUint32(word)
		if wire.Done(seen, c.calls[slot].generation) {
			return true
		}
		// Server.Publish exchanges the word, so it sees the flag exactly if the reply comes after it.
		if atomic.CompareAndSwapUint32(word, seen, seen|wire.FlagNotify) {
			failpoint.Hit(failpoint.NoticeAsked)
			return false
		}
	}
}

// Finished reports whether the reply of the slot's last call is complete.
func (c *Client) Finished(slot int) bool {
	return wire.Done(atomic.LoadUint32(&c.segment.Reply(slot).Word), c.calls[slot].generation)
}

// EachSlot calls f with every slot of the groups.
func EachSlot(groups uint64, f func(slot int)) {
	for ; groups != 0; groups &= groups - 1 {
		for slot := bits.TrailingZeros64(groups); slot < wire.Slots; slot += wire.Groups {
			f(slot)
		}
	}
}

// notify announces a reply to a client that has asked for it, and wakes it if it sleeps.
func (s *Server) notify(slot int) {
	n := s.notices
	atomic.OrUint64(&n.Ready, wire.Group(slot))
	failpoint.Hit(failpoint.ReplyNoticed)
	if atomic.LoadUint32(&n.Bell) == wire.BellSleeping &&
		atomic.CompareAndSwapUint32(&n.Bell, wire.BellSleeping, wire.BellAwake) {
		futex.Wake(&n.Bell, 1)
	}
}
