package pycore

import (
	"nanorpc/go/internal/bulk"
	"nanorpc/go/internal/failpoint"
	"nanorpc/go/internal/wire"
)

// Exchange is Call for a request that lies at an address, and whose reply, if it is short, goes to another address, with room for at least InlineCapacity: copiedReply says that it
// is there. It returns 0, and has done nothing, if there is no room for a long request now, or it is too long. A function in C calls it, which both addresses belong to until it has
// returned: python/packaging/exchange.c. If within is not 0 it waits for so many ns at most, which should be few, and returns -statusPending if the reply is not there: then Exchanged is to
// follow. So a thread that holds the interpreter's lock meanwhile can release it.
func Exchange(id, slot, method, request, length, deadline, reply, room, within int64) int64 {
	c, ok := holder(id, slot)
	if !ok || request == 0 || length < 0 || reply == 0 || room < wire.InlineCapacity || within < 0 {
		return -statusInvalidHandle
	}
	offset, ok := c.TryReserve(int(slot), int(length))
	if !ok {
		return 0
	}
	bulk.Share(c.Bytes(offset, int(length)), octets(request, length))
	if _, refused := c.publish(int(slot), method, length, deadline); refused != 0 {
		return refused
	}
	if within != 0 && !c.awaitSoon(slot, within, false) {
		return -statusPending
	}
	return c.exchanged(int(slot), length, deadline, octets(reply, room))
}

// Submitted is Exchange for a call that a function in C has submitted itself, in a slot whose generation it has counted up: see ClientGenerations. If roused is not 0 it has woken the
// server for it as well.
func Submitted(id, slot, length, roused, deadline, reply, room, within int64) int64 {
	c, ok := holder(id, slot)
	if !ok || length < 0 || length > wire.InlineCapacity || reply == 0 || room < wire.InlineCapacity || within < 0 {
		return -statusInvalidHandle
	}
	c.Submitted(int(slot), int(length), roused != 0)
	if within != 0 && !c.awaitSoon(slot, within, false) {
		return -statusPending
	}
	return c.exchanged(int(slot), length, deadline, octets(reply, room))
}

// Exchanged waits on for the reply of an Exchange that has returned -statusPending, for a slice, or if within is not 0 for so many ns, and returns what that returns. The arguments are
// the same.
func Exchanged(id, slot, length, deadline, reply, room, within int64) int64 {
	c, ok := holder(id, slot)
	if !ok || length < 0 || reply == 0 || room < wire.InlineCapacity || within < 0 {
		return -statusInvalidHandle
	}
	if within != 0 && !c.awaitSoon(slot, within, true) {
		return -statusPending
	}
	return c.exchanged(int(slot), length, deadline, octets(reply, room))
}

func (c *client) exchanged(slot int, length, deadline int64, short []byte) int64 {
	result := awaitInto(c, slot, lazily(deadline), deadline, short)
	if length > wire.InlineCapacity && result>>32 == copiedReply>>32 {
		c.Recycle(slot)
	}
	return result
}

// ClientGenerations returns where the generation of the first slot's last call lies, GenerationStride before that of the next slot's; a slot's belongs to its holder, and may be written
// in C until ClientForget. It returns 0 if C is not to make calls itself: whoever waits for their replies keeps the interpreter's lock, which a server in this process wants, and does not
// sleep; and there are no points to fail at.
func ClientGenerations(id int64) int64 {
	c, ok := clients.get(id)
	switch {
	case !ok:
		return -statusInvalidHandle
	case c.own || !c.Spins() || failpoint.Enabled:
		return 0
	}
	first := c.Generation(0)
	c.pinned.Pin(first) // C may keep a pointer to Go's memory only as long as that is pinned (the rules of cgo)
	return location(first)
}

// ClientSleeps returns 1 if waits of the client may sleep, else 0.
func ClientSleeps(id int64) int64 {
	c, ok := clients.get(id)
	switch {
	case !ok:
		return -statusInvalidHandle
	case c.Sleeps():
		return 1
	}
	return 0
}

// GenerationStride returns how many bytes there are from the generation of a slot's last call to that of the next slot's.
func GenerationStride(id int64) int64 {
	c, ok := clients.get(id)
	if !ok {
		return -statusInvalidHandle
	}
	return location(c.Generation(1)) - location(c.Generation(0))
}

// ClientAddress returns where the segment lies in the memory of this process: it stays there as long as a slot is held.
func ClientAddress(client int64) int64 {
	c, ok := clients.get(client)
	if !ok {
		return -statusInvalidHandle
	}
	return address(c.Bytes(0, 1))
}
