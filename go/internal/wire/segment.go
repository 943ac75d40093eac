package wire

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"nanorpc/go/internal/shm"
)

// header begins a segment. The server writes it before it sends the segment; nobody writes it after.
type header struct {
	magic        uint64
	version      uint32
	slots        uint32
	requestArena int64
	replyArena   int64
	maxPayload   int64
}

// Doorbell is where one end tells the other which slots to look at. Its words share a line: who needs one needs the others.
type Doorbell struct {
	Ready uint64 // bit per group of slots; the ringing end sets bits, the other takes them all at once
	Bell  uint32 // see the Bell constants; written by the end that waits
	Used  uint32 // of the server's doorbell: slots that have pages, from the first on; written by the client
}

// Request is the client's half of a slot. Its first two lines, fetched together, hold the word, the header, and 96 bytes of payload.
type Request struct {
	Word     uint32 // published last
	Length   uint32 // of the payload
	Method   uint64 // MethodID of its name
	Deadline int64  // CLOCK_MONOTONIC in ns; 0: none
	Offset   uint64 // of the payload in the segment, when it does not fit in Inline
	Inline   [InlineCapacity]byte
}

// Reply is the server's half of a slot.
type Reply struct {
	Word   uint32 // published last
	Status uint32
	Length uint32
	_      uint32
	Offset uint64
	_      uint64
	Inline [InlineCapacity]byte
}

// slot is a request and its reply, each 256 bytes, aligned to 256.
type slot struct {
	request Request
	reply   Reply
}

// The sizes are part of the protocol.
var (
	_ [slotSize - unsafe.Sizeof(slot{})]struct{}
	_ [unsafe.Sizeof(slot{}) - slotSize]struct{}
)

// Offsets within the header page.
const (
	doorbellOffset = 1024
	noticesOffset  = 1280
	replyInSlot    = slotSize / 2
	inlineOffset   = 32
)

// Segment is a mapped segment. The pointers that it hands out are valid until the mapping is closed.
type Segment struct {
	mapping *shm.Mapping
	file    *os.File // of the mapping; whoever opened it closes it
	layout  Layout
	slots   *[Slots]slot
}

// Committed is how many bytes of a segment have pages when it is made: the header and the first page of slots. Whoever uses more commits it.
const Committed = headerSize + pageSize

// Create makes and maps a segment. The caller owns the file, and closes both. Errors: ErrLayout, shm.ErrNoSpace.
func Create(l Layout) (*Segment, *os.File, error) { return makeSegment(l, shm.Create) }

// CreateSealed is Create for a segment that the peer cannot make shorter. See shm.CreateSealed.
func CreateSealed(l Layout) (*Segment, *os.File, error) { return makeSegment(l, shm.CreateSealed) }

func makeSegment(l Layout, makeObject func(size, committed int64) (*os.File, error)) (*Segment, *os.File, error) {
	if err := l.Validate(); err != nil {
		return nil, nil, err
	}
	file, err := makeObject(l.Size(), Committed)
	if err != nil {
		return nil, nil, err
	}
	mapping, err := shm.Map(file, l.Size())
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	s, err := format(mapping, file, l)
	if err != nil {
		_ = mapping.Close()
		file.Close()
	}
	return s, file, err
}

// format writes the header of a fresh, zero segment and returns it. The zero state of everything else is valid.
func format(m *shm.Mapping, file *os.File, l Layout) (*Segment, error) {
	if int64(m.Size()) < l.Size() {
		return nil, fmt.Errorf("%w: %d bytes for a layout of %d", ErrLayout, m.Size(), l.Size())
	}
	h := (*header)(m.Pointer(0, int(unsafe.Sizeof(header{})), 8))
	*h = header{magic: Magic, version: Version, slots: Slots, requestArena: l.RequestArena, replyArena: l.ReplyArena, maxPayload: l.MaxPayload}
	s := newSegment(m, file, l)
	s.Doorbell().Used = slotsPage
	return s, nil
}

// Open maps a segment of size bytes made by the peer, and checks its header, of which each field is loaded once. The file stays the caller's. Errors: ErrLayout, shm.ErrNoSpace.
func Open(file *os.File, size int64) (*Segment, error) {
	if !shm.Shared(file) {
		return nil, fmt.Errorf("%w: the peer has sent something else than shared memory", ErrLayout)
	}
	mapping, err := shm.Map(file, size)
	if errors.Is(err, shm.ErrNoSpace) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLayout, err)
	}
	var s *Segment
	mapping.Guard(func() {})
	if !shm.Try(func() { s, err = open(mapping, file) }) {
		err = fmt.Errorf("%w: the peer has taken the memory away", ErrLayout)
	}
	if err != nil {
		_ = mapping.Close()
		return nil, err
	}
	return s, nil
}

func open(m *shm.Mapping, file *os.File) (*Segment, error) {
	if m.Size() < arenaStart {
		return nil, fmt.Errorf("%w: %d bytes", ErrLayout, m.Size())
	}
	h := (*header)(m.Pointer(0, int(unsafe.Sizeof(header{})), 8))
	if magic, version, slots := atomic.LoadUint64(&h.magic), atomic.LoadUint32(&h.version), atomic.LoadUint32(&h.slots); magic != Magic || version != Version || slots != Slots {
		return nil, fmt.Errorf("%w: magic %#x, version %d, %d slots", ErrLayout, magic, version, slots)
	}
	l := Layout{
		RequestArena: atomic.LoadInt64(&h.requestArena),
		ReplyArena:   atomic.LoadInt64(&h.replyArena),
		MaxPayload:   atomic.LoadInt64(&h.maxPayload),
	}
	if err := l.Validate(); err != nil {
		return nil, err
	}
	if int64(m.Size()) != l.Size() {
		return nil, fmt.Errorf("%w: %d bytes for a layout of %d", ErrLayout, m.Size(), l.Size())
	}
	return newSegment(m, file, l), nil
}

func newSegment(m *shm.Mapping, file *os.File, l Layout) *Segment {
	return &Segment{
		mapping: m,
		file:    file,
		layout:  l,
		slots:   (*[Slots]slot)(m.Pointer(headerSize, slotsSize, 8)),
	}
}

// Layout returns what the header says, checked.
func (s *Segment) Layout() Layout { return s.layout }

// Doorbell returns the doorbell at which a client announces calls.
func (s *Segment) Doorbell() *Doorbell { return s.doorbell(doorbellOffset) }

// Notices returns the doorbell at which the server announces those replies of which clients want notice.
func (s *Segment) Notices() *Doorbell { return s.doorbell(noticesOffset) }

func (s *Segment) doorbell(offset int) *Doorbell {
	return (*Doorbell)(s.mapping.Pointer(offset, int(unsafe.Sizeof(Doorbell{})), 8))
}

// CommitSlot gives pages to all slots up to the given one, and returns how many have them now. Errors: shm.ErrNoSpace.
func (s *Segment) CommitSlot(slot int) (int, error) {
	used := (slot/slotsPage + 1) * slotsPage
	return used, shm.Commit(s.file, headerSize, int64(used)*slotSize)
}

// Memory returns how many bytes of shared memory the segment takes now.
func (s *Segment) Memory() (int64, error) { return shm.Memory(s.file) }

// Commit gives pages to a range of an arena. See shm.Commit.
func (s *Segment) Commit(offset, length int64) error { return shm.Commit(s.file, offset, length) }

// Decommit takes the pages of a range of an arena away. See shm.Decommit.
func (s *Segment) Decommit(offset, length int64) error { return shm.Decommit(s.file, offset, length) }

// Request returns the client's half of a slot below Slots.
func (s *Segment) Request(i int) *Request { return &s.slots[i].request }

// Reply returns the server's half of a slot below Slots.
func (s *Segment) Reply(i int) *Reply { return &s.slots[i].reply }

// RequestInline returns the offset in the segment of a slot's inline request payload.
func (s *Segment) RequestInline(i int) int64 { return headerSize + int64(i)*slotSize + inlineOffset }

// ReplyInline returns the offset in the segment of a slot's inline reply payload.
func (s *Segment) ReplyInline(i int) int64 { return s.RequestInline(i) + replyInSlot }

// Bytes returns length bytes at offset, with no room to append. The range must have been checked.
func (s *Segment) Bytes(offset, length int64) []byte {
	return s.mapping.Bytes()[offset : offset+length : offset+length]
}

// RequestPayload checks where a peer says that the payload of a request in slot i lies, and returns it.
func (s *Segment) RequestPayload(i int, offset uint64, length uint32) (int64, bool) {
	return s.payload(s.RequestInline(i), s.layout.RequestStart(), s.layout.RequestArena, offset, length)
}

// ReplyPayload is the same for a reply.
func (s *Segment) ReplyPayload(i int, offset uint64, length uint32) (int64, bool) {
	return s.payload(s.ReplyInline(i), s.layout.ReplyStart(), s.layout.ReplyArena, offset, length)
}

// payload returns the offset of a payload: inline where it fits, else offset, if all of it lies within its arena.
func (s *Segment) payload(inline, start, arena int64, offset uint64, length uint32) (int64, bool) {
	if length <= InlineCapacity {
		return inline, true
	}
	if int64(length) > s.layout.MaxPayload || offset < uint64(start) {
		return 0, false
	}
	within := offset - uint64(start)
	if within > uint64(arena) || uint64(length) > uint64(arena)-within {
		return 0, false
	}
	return int64(offset), true
}

// Guard has lost called when the peer has taken the segment's memory away. See shm.Mapping.Guard.
func (s *Segment) Guard(lost func()) { s.mapping.Guard(lost) }

// Close unmaps the segment.
func (s *Segment) Close() error { return s.mapping.Close() }
