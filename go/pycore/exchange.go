package pycore

import "nanorpc/go/internal/wire"

// Exchange is Call for a request that lies at an address and travels in its slot, and whose reply, if it is short, goes to another address, with room for at least
// InlineCapacity: copiedReply says that it is there. A function in C calls it, which both belong to until it has returned: python/packaging/exchange.c.
func Exchange(id, slot, method, request, length, deadline, reply, room int64) int64 {
	c, ok := holder(id, slot)
	if !ok || request == 0 || length < 0 || length > wire.InlineCapacity || reply == 0 || room < wire.InlineCapacity {
		return -statusInvalidHandle
	}
	offset := c.Inline(int(slot))
	copy(c.Bytes(offset, int(length)), octets(request, length))
	if _, refused := c.publish(int(slot), method, offset, length, deadline); refused != 0 {
		return refused
	}
	return awaitInto(c, int(slot), sliced(deadline), deadline, octets(reply, room))
}
