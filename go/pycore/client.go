package pycore

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"nanorpc/go/internal/endpoint"
	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/link"
	"nanorpc/go/internal/shm"
	"nanorpc/go/internal/wire"
)

// slice is the longest that a function blocks: Python looks for signals between two calls.
const slice = 50 * time.Millisecond

// clients are the connections that Python has opened. A connection stays after its end, until Python has given back its slots.
var clients table[*client]

// client is a connection.
type client struct {
	*endpoint.Client
	own       bool                               // the server is in this process
	collector atomic.Pointer[endpoint.Collector] // nil before ClientCollect
	telling   sync.Mutex                         // held while replies are told of, and slots given back: whose reply is told of stays in its slot until then
	stage     []byte                             // Python's: see ClientStage; nil before it
	tickets   [wire.Slots]atomic.Int64           // of the holders of slots in Python, 0: none. See DropAll
	pinned    runtime.Pinner                     // what C uses: see ClientGenerations
}

// stageSize is what each slot has of a stage.
const stageSize = 256

// ClientStage gives the client memory of Python's, of StageSize, through which the payloads pass that travel in their slots: they are copied there and back, between the
// stores of the rest of a slot. Were Python to write them where they go, the peer, who polls the line meanwhile, would take it away again: that makes a call a third
// longer. The memory must stay until ClientForget. It is called before any call.
func ClientStage(id, address int64) int64 {
	c, ok := clients.get(id)
	if !ok || address == 0 {
		return -statusInvalidHandle
	}
	c.stage = octets(address, StageSize())
	return 0
}

// StageSize returns the size of a client's stage: 256 bytes for each slot, in order.
func StageSize() int64 { return wire.Slots * stageSize }

// staged returns a slot's part of the stage.
func (c *client) staged(slot int) []byte { return c.stage[slot*stageSize:][:wire.InlineCapacity] }

// request sees to it that a request is in its place. Python says where it is: at an offset that Reserve has returned; or 0, for one that is on the stage and is copied to its slot. It
// reports false for what cannot be.
func (c *client) request(slot int, offset, length int64) bool {
	if offset != 0 {
		return fits(c, slot, offset, length)
	}
	if length < 0 || length > wire.InlineCapacity || c.stage == nil {
		return false
	}
	copy(c.Bytes(c.Inline(slot), int(length)), c.staged(slot))
	return true
}

// ClientDescriptor returns a descriptor of the segment's file, which is the caller's to close.
func ClientDescriptor(client int64) int64 {
	c, ok := clients.get(client)
	if !ok {
		return -statusInvalidHandle
	}
	return descriptor(c.File())
}

// descriptor returns a new descriptor of a segment's file; of one that has been closed, because the connection has ended, -statusGone.
func descriptor(f *os.File) int64 {
	fd, err := shm.Duplicate(f)
	if errors.Is(err, os.ErrClosed) {
		return -statusGone
	}
	if err != nil {
		return failure(err)
	}
	return int64(fd)
}

// ClientSize returns the segment's size in bytes.
func ClientSize(client int64) int64 {
	c, ok := clients.get(client)
	if !ok {
		return -statusInvalidHandle
	}
	return c.Layout().Size()
}

// ClientMaxPayload returns the longest request and reply in bytes.
func ClientMaxPayload(client int64) int64 {
	c, ok := clients.get(client)
	if !ok {
		return -statusInvalidHandle
	}
	return c.Layout().MaxPayload
}

// ClientClose ends the connection: every call returns -statusClosed.
func ClientClose(client int64) int64 {
	c, ok := clients.get(client)
	if !ok {
		return -statusInvalidHandle
	}
	c.Close()
	return 0
}

// ClientForget drops the number of a closed client whose slots have been given back.
func ClientForget(client int64) int64 {
	c, ok := clients.take(client)
	if !ok {
		return -statusInvalidHandle
	}
	c.pinned.Unpin()
	return 0
}

// MethodID returns the number of a method's name.
func MethodID(name string) int64 { return int64(wire.MethodID(name)) }

// InlineCapacity returns the longest payload that needs no Reserve: it goes where InlinePlace says.
func InlineCapacity() int64 { return wire.InlineCapacity }

// Acquire reserves a slot for the holder of a ticket, and returns the slot's number. Deadline is in ns of CLOCK_MONOTONIC, 0 for none.
func Acquire(client, deadline, ticket int64) int64 {
	c, ok := clients.get(client)
	if !ok {
		return -statusInvalidHandle
	}
	slot, err := c.Acquire(sliced(deadline))
	if err != nil {
		return pendingOr(err, deadline)
	}
	c.tickets[slot].Store(ticket)
	return int64(slot)
}

// Reserve returns the offset for a request of length bytes.
func Reserve(client, slot, length, deadline int64) int64 {
	c, ok := holder(client, slot)
	if !ok || length < 0 {
		return -statusInvalidHandle
	}
	offset, err := c.Reserve(int(slot), int(length), sliced(deadline))
	if err != nil {
		return pendingOr(err, deadline)
	}
	return offset
}

// Call submits the request at offset, or, if that is 0, the one on the stage, and waits for the reply. It returns the reply's place; or copiedReply with the length in the
// lower bits, for one that is on the stage now; or a status. If within is not 0 it waits for so many ns at most, and returns -statusPending, as Exchange does.
func Call(client, slot, method, offset, length, deadline, within int64) int64 {
	c, ok := holder(client, slot)
	if !ok {
		return -statusInvalidHandle
	}
	if _, refused := c.submit(int(slot), method, offset, length, deadline); refused != 0 {
		return refused
	}
	if within != 0 && !c.awaitSoon(slot, within, false) {
		return -statusPending
	}
	return await(c, int(slot), deadline)
}

// awaitSoon waits for a reply for so many ns, and reports whether it is there; but not for one from this process, whose method wants the interpreter's lock, which the caller has.
func (c *client) awaitSoon(slot, within int64, insist bool) bool {
	return !c.own && c.AwaitSoon(int(slot), link.Moment{Within: time.Duration(within), Insist: insist})
}

// submit submits a request that lies where Call says, and reports whether that has woken the server. If it cannot, it returns the status: also when the connection has
// ended, which the holder of a slot may not have noticed.
func (c *client) submit(slot int, method, offset, length, deadline int64) (woke bool, refused int64) {
	if !c.request(slot, offset, length) {
		return false, -statusInvalidHandle
	}
	return c.publish(slot, method, length, deadline)
}

// publish is submit for a request that lies in its place.
func (c *client) publish(slot int, method, length, deadline int64) (woke bool, refused int64) {
	if refused := c.over(); refused != 0 {
		return false, refused
	}
	return c.Submit(slot, link.Submission{Method: uint64(method), Length: int(length), Deadline: deadline}), 0
}

// over returns 0, or the status of a connection that has ended, for calls that have not been submitted.
func (c *client) over() int64 {
	err := c.Err()
	switch {
	case err == nil:
		return 0
	case errors.Is(err, link.ErrGone):
		return -statusUnsent
	}
	return status(err)
}

// ClientOver returns 0, or the status of a client whose connection has ended.
func ClientOver(client int64) int64 {
	c, ok := clients.get(client)
	if !ok {
		return -statusInvalidHandle
	}
	return c.over()
}

// Await waits on for the reply of a call that returned -statusPending, for a slice, or if within is not 0 for so many ns.
func Await(client, slot, deadline, within int64) int64 {
	c, ok := holder(client, slot)
	if !ok {
		return -statusInvalidHandle
	}
	if within != 0 && !c.awaitSoon(slot, within, true) {
		return -statusPending
	}
	return await(c, int(slot), deadline)
}

// Reply returns the place of a complete reply, whatever its status: there lies the text of an error.
func Reply(client, slot int64) int64 {
	c, ok := holder(client, slot)
	if !ok {
		return -statusInvalidHandle
	}
	reply, err := c.Await(int(slot), link.Wait{Deadline: 1})
	if err != nil {
		return status(err)
	}
	return place(reply.Offset, reply.Length)
}

// Recycle frees what the slot's last call used, for its holder's next call.
func Recycle(client, slot int64) int64 {
	c, ok := holder(client, slot)
	if !ok {
		return -statusInvalidHandle
	}
	c.Recycle(int(slot))
	return 0
}

// Drop gives a slot back, and gives its call up if that has been submitted and not been answered. A slot that the ticket does not hold any more stays as it is.
func Drop(client, slot, ticket int64) int64 {
	c, ok := holder(client, slot)
	if !ok || ticket == 0 {
		return -statusInvalidHandle
	}
	c.drop(int(slot), ticket)
	return 0
}

// DropAll is Drop for all slots of a ticket. An exception may end a function of Python's between any two of its steps: a holder that knows no slot, because it has not come to
// store the number, and one that does not know whether it has given all back, ask for this, once or more.
func DropAll(client, ticket int64) int64 {
	c, ok := clients.get(client)
	if !ok || ticket == 0 {
		return -statusInvalidHandle
	}
	for slot := range c.tickets {
		c.drop(slot, ticket)
	}
	return 0
}

func (c *client) drop(slot int, ticket int64) {
	if !c.tickets[slot].CompareAndSwap(ticket, 0) {
		return
	}
	if collector := c.collector.Load(); collector != nil {
		c.telling.Lock()
		defer c.telling.Unlock()
		collector.Forget(slot)
	}
	c.Client.Drop(slot)
}

func holder(client, slot int64) (*client, bool) {
	c, ok := clients.get(client)
	if !ok || slot < 0 || slot >= wire.Slots {
		return nil, false
	}
	return c, true
}

// fits reports whether a request lies where Reserve would have put it: Python's mistakes must not become the server's.
func fits(c *client, slot int, offset, length int64) bool {
	return length >= 0 && length <= c.Layout().MaxPayload && c.Owns(slot, offset, length)
}

func await(c *client, slot int, deadline int64) int64 {
	return awaitInto(c, slot, lazily(deadline), deadline, c.staged(slot))
}

// awaitInto waits for a reply, and copies it to memory of Python's, of InlineCapacity at least, if it is short.
func awaitInto(c *client, slot int, w link.Wait, deadline int64, short []byte) int64 {
	reply, err := c.Await(slot, w)
	switch {
	case err != nil:
		return pendingOr(err, deadline)
	case reply.Status != wire.StatusOK:
		return replyStatus(reply.Status)
	}
	if reply.Length <= wire.InlineCapacity {
		copy(short, c.Bytes(reply.Offset, reply.Length))
		return copiedReply | int64(reply.Length)
	}
	return place(reply.Offset, reply.Length)
}

// copiedReply, with the length in the lower bits, is the place of a reply that has been copied to memory of Python's.
const copiedReply = 1 << 32

// sliced returns a wait that ends at the deadline, or after a slice.
func sliced(deadline int64) link.Wait {
	end := futex.Now() + int64(slice)
	if deadline != 0 {
		end = min(end, deadline)
	}
	return link.Wait{Deadline: end}
}

// lazily is sliced, for Await alone, which reads the clock only if it has to wait for some time.
func lazily(deadline int64) link.Wait { return link.Wait{Deadline: deadline, Slice: int64(slice)} }

// pendingOr returns the status of a wait's error: pending if only the slice has ended.
func pendingOr(err error, deadline int64) int64 {
	if errors.Is(err, link.ErrDeadline) && (deadline == 0 || futex.Now() < deadline) {
		return -statusPending
	}
	return status(err)
}
