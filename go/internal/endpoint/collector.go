package endpoint

import (
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"nanorpc/go/internal/link"
	"nanorpc/go/internal/wire"
)

// Collector tells of replies that a program does not wait for, by a descriptor that becomes readable: an eventfd(2), which event loops take. Its methods are safe for
// concurrent use.
type Collector struct {
	client   *Client
	eventfd  int                            // our own; the goroutine closes it
	groups   atomic.Uint64                  // that may have replies, and have not been looked at: bits of wire.Group
	expected [wire.Slots / 64]atomic.Uint64 // slots whose replies are to be told of
	taking   sync.Mutex                     // serialises Take
}

// Collect starts to collect the client's replies, until the connection ends. When there are some, 1 is written to the eventfd, of which the collector takes a descriptor of
// its own. A client has one collector.
func (c *Client) Collect(eventfd int) (*Collector, error) {
	fd, err := unix.FcntlInt(uintptr(eventfd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("eventfd %d: %w", eventfd, err)
	}
	if err := c.Hold(); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	k := &Collector{client: c, eventfd: fd}
	go k.run()
	return k, nil
}

// run passes notices on until the connection ends.
func (k *Collector) run() {
	defer k.client.Unhold()
	defer func() { _ = unix.Close(k.eventfd) }()
	notices := k.client.Notices()
	for {
		groups, err := notices.Wait()
		if err != nil {
			k.signal() // Take says the rest
			return
		}
		if k.groups.Or(groups) == 0 { // else who takes them has been told
			k.signal()
		}
	}
}

// signal makes the eventfd readable. It cannot be full: that takes 2^64-2 signals.
func (k *Collector) signal() { _, _ = unix.Write(k.eventfd, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }

// Expect asks for the reply to the slot's call, which has been submitted. It reports true if that is there already, or will never be, as the connection has ended; then
// nobody will tell of it. woke is what Submit has returned.
func (k *Collector) Expect(slot int, woke bool) (finished bool) {
	k.expected[slot/64].Or(1 << (slot % 64))
	if k.client.AskForNotice(slot) {
		return k.Forget(slot) // else Take has told of it
	}
	if !woke {
		k.client.Hurry()
	}
	// After the bit is set: run signals the end, and Take sees it, after the client has its error.
	return k.client.Err() != nil && k.Forget(slot)
}

// Forget takes Expect back, and reports whether nobody has told, or will tell, of the slot's reply.
func (k *Collector) Forget(slot int) bool {
	bit := uint64(1) << (slot % 64)
	return k.expected[slot/64].And(^bit)&bit != 0
}

// Take fills slots with those whose replies have come since, and returns how many they are: no more than there is room for; the rest are for the next Take. When the
// connection has ended, and all replies have been taken, it returns why.
func (k *Collector) Take(slots []int64) (int, error) {
	k.taking.Lock()
	defer k.taking.Unlock()
	ended := k.client.Err()
	groups := k.groups.Swap(0)
	n := 0
	link.EachSlot(groups, func(slot int) {
		word, bit := &k.expected[slot/64], uint64(1)<<(slot%64)
		switch {
		case word.Load()&bit == 0 || !k.client.Finished(slot):
		case n == len(slots):
			k.groups.Or(wire.Group(slot))
		case word.And(^bit)&bit != 0:
			slots[n] = int64(slot)
			n++
		}
	})
	if n == 0 && ended != nil {
		return 0, ended
	}
	return n, nil
}
