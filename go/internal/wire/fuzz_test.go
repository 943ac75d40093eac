package wire

import (
	"os"
	"testing"
	"unsafe"
)

// Whatever a peer writes in the header: it is refused, or the layout is one whose every part lies in the mapping.
func FuzzOpen(f *testing.F) {
	s, file := fuzzed(f)
	l := s.Layout()
	valid := s.mapping.Bytes()[:unsafe.Sizeof(header{})]
	f.Add(append([]byte{}, valid...), l.Size())
	f.Add(make([]byte, len(valid)), l.Size())
	f.Add(append([]byte{}, valid[:8]...), l.Size()-1)
	original := append([]byte{}, valid...)
	f.Fuzz(func(t *testing.T, head []byte, size int64) {
		copy(valid, original)
		copy(valid, head)
		opened, err := Open(file, size)
		if err != nil {
			return
		}
		defer opened.Close()
		got := opened.Layout()
		if err := got.Validate(); err != nil || got.Size() != size || size > l.Size() {
			t.Fatalf("%+v of %d bytes, with %d mapped: %v", got, size, l.Size(), err)
		}
		for _, offset := range []int64{got.RequestStart(), got.RequestStart() + got.RequestArena, got.ReplyStart(), got.Size()} {
			for _, length := range []uint32{InlineCapacity + 1, uint32(got.MaxPayload)} {
				inside(t, opened, uint64(offset)-uint64(length), length)
			}
		}
	})
}

// Whatever a peer says of a payload: it is refused, or lies in the arena of the one who wrote it.
func FuzzPayload(f *testing.F) {
	s, _ := fuzzed(f)
	l := s.Layout()
	for _, offset := range []int64{0, -1, l.RequestStart(), l.ReplyStart(), l.ReplyStart() - 1, l.Size(), 1 << 62} {
		for _, length := range []uint32{0, InlineCapacity, InlineCapacity + 1, 1 << 15, 1<<15 + 1, 1<<32 - 1} {
			f.Add(uint64(offset), length)
		}
	}
	f.Fuzz(func(t *testing.T, offset uint64, length uint32) { inside(t, s, offset, length) })
}

// fuzzed returns a small segment.
func fuzzed(f *testing.F) (*Segment, *os.File) {
	l, err := NewLayout(1<<16, 1<<15)
	if err != nil {
		f.Fatal(err)
	}
	s, file, err := Create(l)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close(); _ = file.Close() })
	return s, file
}

// inside checks what a segment makes of a payload.
func inside(t *testing.T, s *Segment, offset uint64, length uint32) {
	t.Helper()
	l := s.Layout()
	const slot = Slots - 1
	for _, end := range []struct {
		start, arena, inline int64
		payload              func(slot int, offset uint64, length uint32) (int64, bool)
	}{
		{l.RequestStart(), l.RequestArena, s.RequestInline(slot), s.RequestPayload},
		{l.ReplyStart(), l.ReplyArena, s.ReplyInline(slot), s.ReplyPayload},
	} {
		got, ok := end.payload(slot, offset, length)
		switch {
		case !ok:
		case length <= InlineCapacity && got == end.inline:
		case int64(length) > l.MaxPayload || got < end.start || got > end.start+end.arena-int64(length):
			t.Fatalf("%d bytes at %d lie at %d, outside of the arena of %d bytes at %d", length, offset, got, end.arena, end.start)
		}
		if ok && len(s.Bytes(got, int64(length))) != int(length) {
			t.Fatalf("%d bytes at %d are not mapped", length, got)
		}
	}
}
