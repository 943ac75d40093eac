package torture

import (
	"sync/atomic"
	"unsafe"

	"nanorpc/go/internal/wire"
)

// placeOf returns the offset in a segment of what it has handed out.
func placeOf[T any](s *wire.Segment, p *T) int64 {
	return int64(uintptr(unsafe.Pointer(p)) - uintptr(unsafe.Pointer(&s.Bytes(0, 1)[0])))
}

// word32 returns the word at an offset, which is a multiple of its size.
func word32(s *wire.Segment, offset int64) *uint32 {
	return (*uint32)(unsafe.Pointer(&s.Bytes(offset, 4)[0]))
}

func word64(s *wire.Segment, offset int64) *uint64 {
	return (*uint64)(unsafe.Pointer(&s.Bytes(offset, 8)[0]))
}

// get returns what a field holds: of a longer one the beginning.
func (f field) get(s *wire.Segment) uint64 {
	if f.size == 8 {
		return atomic.LoadUint64(word64(s, f.offset))
	}
	return uint64(atomic.LoadUint32(word32(s, f.offset)))
}

// put writes a value to a field, in one step; to a longer one over and over.
func (f field) put(s *wire.Segment, value uint64) {
	if f.size == 8 {
		atomic.StoreUint64(word64(s, f.offset), value)
		return
	}
	for at := int64(0); at < f.size; at += 4 {
		atomic.StoreUint32(word32(s, f.offset+at), uint32(value>>(at%8*8)))
	}
}
