package link

import (
	"slices"
	"sync"
	"sync/atomic"

	"nanorpc/go/internal/failpoint"
)

// slots are the client's call slots: the set of the free ones, and a queue of those who wait for one, first come first served.
type slots struct {
	free    slotSet
	waiting atomic.Int32 // len(queue), readable without the lock
	mu      sync.Mutex
	queue   []chan int // each of capacity 1: handing over never blocks
}

// take returns a free slot, the lowest: a lone caller always uses the same one, whose lines are in the caches and which the server watches. There is
// none for those who come while others wait: they queue up behind them.
func (s *slots) take() (int, bool) {
	if s.waiting.Load() != 0 {
		return 0, false
	}
	return s.free.takeLowest()
}

// takeSome is take for as many slots as there are places, and returns how many it has taken.
func (s *slots) takeSome(slots []int) int {
	if s.waiting.Load() != 0 {
		return 0
	}
	return s.free.takeSome(slots)
}

// put makes a slot free, or hands it to the first in the queue.
func (s *slots) put(i int) {
	s.free.add(i)
	s.handOver()
}

// putAll is put for many.
func (s *slots) putAll(slots []int) {
	s.free.addAll(slots)
	s.handOver()
}

// handOver gives free slots to those who wait. Slots are in the set before waiting is read here, and enqueue does it the other way round: one of us sees
// the other.
func (s *slots) handOver() {
	if s.waiting.Load() != 0 {
		s.handOverSome()
	}
}

func (s *slots) handOverSome() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) > 0 {
		i, ok := s.free.takeLowest()
		if !ok {
			return
		}
		s.queue[0] <- i
		s.dequeue(0)
	}
}

// enqueue returns a channel that gets a slot when it is the caller's turn.
func (s *slots) enqueue() chan int {
	turn := make(chan int, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, turn)
	s.waiting.Add(1)
	if i, ok := s.free.takeLowest(); ok { // freed before put could see us
		s.queue[0] <- i
		s.dequeue(0)
	}
	return turn
}

// leave gives up a place in the queue, and a slot that has just been handed to it.
func (s *slots) leave(turn chan int) {
	s.mu.Lock()
	at := slices.Index(s.queue, turn)
	if at >= 0 {
		s.dequeue(at)
	}
	s.mu.Unlock()
	if at < 0 {
		s.put(<-turn)
	}
}

// dequeue needs the lock.
func (s *slots) dequeue(at int) {
	s.queue = slices.Delete(s.queue, at, at+1)
	s.waiting.Add(-1)
}

// Acquire reserves a call slot and returns its number. It blocks while all are in use, first come first served.
// Errors: ErrDeadline, the context's, ErrGone, ErrClosed; ErrExhausted when /dev/shm is full.
func (c *Client) Acquire(w Wait) (int, error) {
	i, ok := c.slots.take()
	if !ok {
		var err error
		if i, err = c.queueForSlot(w); err != nil {
			return 0, err
		}
	}
	// Looked at after the slot was taken: Close counts the free slots after it has set the cause.
	err := c.Err()
	if err == nil {
		err = c.commitSlot(i)
	}
	failpoint.Hit(failpoint.SlotTaken)
	if err != nil {
		c.putSlot(i)
		return 0, err
	}
	return i, nil
}

// TryAcquire reserves a call slot if one is free. It reports false also when the connection has ended; Acquire says why.
func (c *Client) TryAcquire() (int, bool) {
	i, ok := c.slots.take()
	if ok && (c.Err() != nil || c.commitSlot(i) != nil) {
		c.putSlot(i)
		return 0, false
	}
	return i, ok
}

// TryAcquireSome reserves as many slots as are free, up to len(slots), writes their numbers there, and returns how many they are. It reports 0 also
// when the connection has ended; Acquire says why.
func (c *Client) TryAcquireSome(slots []int) int {
	n := c.slots.takeSome(slots)
	if n == 0 {
		return 0
	}
	if c.Err() != nil || c.commitSlot(slots[n-1]) != nil {
		c.putAll(slots[:n])
		return 0
	}
	return n
}

func (c *Client) queueForSlot(w Wait) (int, error) {
	turn := c.slots.enqueue()
	c.reaping.want(c)
	defer c.reaping.unwant()
	alarm := w.alarm()
	defer alarm.stop()
	select {
	case i := <-turn:
		return i, nil
	case <-c.ended:
		c.leaveQueue(turn)
		return 0, c.Err()
	case <-w.done():
		c.leaveQueue(turn)
		return 0, w.Context.Err()
	case <-alarm.C:
		c.leaveQueue(turn)
		return 0, ErrDeadline
	}
}

func (c *Client) leaveQueue(turn chan int) {
	c.slots.leave(turn)
	if c.Err() != nil {
		c.unmapWhenUnused()
	}
}

func (c *Client) putSlot(i int) {
	c.slots.put(i)
	failpoint.Hit(failpoint.SlotFreed)
	if c.closed() {
		c.unmapWhenUnused()
	}
}

func (c *Client) putAll(slots []int) {
	c.slots.putAll(slots)
	if c.Err() != nil {
		c.unmapWhenUnused()
	}
}
