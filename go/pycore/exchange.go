package pycore

import "nanorpc/go/internal/wire"

// Exchange is Call for a request that lies at an address, and whose reply, if it is short, goes to another address, with room for at least InlineCapacity: copiedReply says that it
// is there. It returns 0, and has done nothing, if there is no room for a long request now, or it is too long. A function in C calls it, which both addresses belong to until it has
// returned: python/packaging/exchange.c. If within is not 0 it waits for so many ns at most, which should be few, and returns -statusPending if the reply is not there, and now and then
// without having waited: then Exchanged is to follow. So a thread that holds the interpreter's lock meanwhile can release it.
func Exchange(id, slot, method, request, length, deadline, reply, room, within int64) int64 {
	c, ok := holder(id, slot)
	if !ok || request == 0 || length < 0 || reply == 0 || room < wire.InlineCapacity || within < 0 {
		return -statusInvalidHandle
	}
	offset, ok := c.TryReserve(int(slot), int(length))
	if !ok {
		return 0
	}
	copy(c.Bytes(offset, int(length)), octets(request, length))
	if _, refused := c.publish(int(slot), method, offset, length, deadline); refused != 0 {
		return refused
	}
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

// ClientAddress returns where the segment lies in the memory of this process: it stays there as long as a slot is held.
func ClientAddress(client int64) int64 {
	c, ok := clients.get(client)
	if !ok {
		return -statusInvalidHandle
	}
	return address(c.Bytes(0, 1))
}
