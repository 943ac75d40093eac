package pycore

import "nanorpc/go/internal/wire"

// Exchange is Call for a request that lies at an address, and whose reply, if it is short, goes to another address, with room for at least InlineCapacity: copiedReply says that it
// is there. It returns 0, and has done nothing, if there is no room for a long request now, or it is too long. A function in C calls it, which both addresses belong to until it has
// returned: python/packaging/exchange.c.
func Exchange(id, slot, method, request, length, deadline, reply, room int64) int64 {
	c, ok := holder(id, slot)
	if !ok || request == 0 || length < 0 || reply == 0 || room < wire.InlineCapacity {
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
	result := awaitInto(c, int(slot), lazily(deadline), deadline, octets(reply, room))
	if length > wire.InlineCapacity && result>>32 == copiedReply>>32 {
		c.Recycle(int(slot))
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
