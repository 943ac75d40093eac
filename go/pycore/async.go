package pycore

import (
	"time"

	"nanorpc/go/internal/wire"
)

// ClientCollect has the replies to calls that Start leaves open announced by an eventfd, of which the core takes a descriptor of its own. A client
// has one.
func ClientCollect(id, eventfd int64) int64 {
	c, ok := clients.get(id)
	if !ok {
		return -statusInvalidHandle
	}
	k, err := c.Collect(int(eventfd))
	if err != nil {
		return failure(err)
	}
	c.collector.Store(k)
	return 0
}

// TryAcquire is Acquire, but returns -statusPending when no slot is free now.
func TryAcquire(id, ticket int64) int64 {
	c, ok := clients.get(id)
	if !ok {
		return -statusInvalidHandle
	}
	slot, ok := c.TryAcquire()
	if !ok {
		c.Reap()
		slot, ok = c.TryAcquire()
	}
	if ok {
		c.tickets[slot].Store(ticket)
		return int64(slot)
	}
	if over := c.over(); over != 0 {
		return over
	}
	return -statusPending
}

// TryReserve is Reserve, but returns -statusPending instead of waiting for room.
func TryReserve(id, slot, length int64) int64 {
	c, ok := holder(id, slot)
	if !ok || length < 0 {
		return -statusInvalidHandle
	}
	if length > c.Layout().MaxPayload {
		return -statusTooLarge
	}
	if offset, ok := c.TryReserve(int(slot), int(length)); ok {
		return offset
	}
	return -statusPending
}

// Start submits the request as Call does, waits for the reply for so many ns, which should be few, and returns the reply's place, or a status. With -statusPending,
// ClientFinished will tell of the reply, of a client that collects.
func Start(id, slot, method, offset, length, deadline, wait int64) int64 {
	c, ok := holder(id, slot)
	if !ok {
		return -statusInvalidHandle
	}
	collector := c.collector.Load()
	if collector == nil {
		return -statusInvalidHandle
	}
	woke, refused := c.submit(int(slot), method, offset, length, deadline)
	if refused != 0 {
		return refused
	}
	if wait > 0 && c.AwaitBriefly(int(slot), time.Duration(wait), woke) || collector.Expect(int(slot), woke) {
		return finished(c, slot)
	}
	return -statusPending
}

// finished returns the place of a reply that is there, or its status.
func finished(c *client, slot int64) int64 { return await(c, int(slot), 1) }

// ClientFinished writes pairs of integers to an array of Python's with room for n pairs: slots whose replies have come, and the reply's place or status. It returns how many they
// are. When the connection has ended, and all replies have been told of, it returns the status.
func ClientFinished(id, address, n int64) int64 {
	c, ok := clients.get(id)
	if !ok {
		return -statusInvalidHandle
	}
	collector := c.collector.Load()
	if collector == nil || address == 0 || n <= 0 || n > wire.Slots {
		return -statusInvalidHandle
	}
	c.telling.Lock()
	defer c.telling.Unlock()
	var slots [wire.Slots]int64
	count, err := collector.Take(slots[:n])
	if err != nil {
		return status(err)
	}
	pairs := numbers(address, 2*n)
	for i, slot := range slots[:count] {
		pairs[2*i], pairs[2*i+1] = slot, finished(c, slot)
	}
	return int64(count)
}

// Ignore has ClientFinished tell no more of a call that Start has left open.
func Ignore(id, slot int64) int64 {
	c, ok := holder(id, slot)
	if !ok {
		return -statusInvalidHandle
	}
	if collector := c.collector.Load(); collector != nil {
		collector.Forget(int(slot))
	}
	return 0
}
