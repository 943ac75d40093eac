package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func create(t *testing.T, l Layout) (*Segment, *os.File) {
	t.Helper()
	s, file, err := Create(l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), file.Close()); err != nil {
			t.Error(err)
		}
	})
	return s, file
}

func TestCreateOpen(t *testing.T) {
	l, err := NewLayout(100_000, 60_000)
	if err != nil {
		t.Fatal(err)
	}
	_, file := create(t, l)
	s, err := Open(file, l.Size())
	if err != nil || s.Layout() != l {
		t.Fatalf("%+v, %v; made with %+v", s.Layout(), err, l)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A new segment takes two pages, whatever it may grow to.
func TestCommitted(t *testing.T) {
	l, err := NewLayout(1<<30, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	s, file := create(t, l)
	used := func() int64 {
		var stat unix.Stat_t
		if err := unix.Fstat(int(file.Fd()), &stat); err != nil {
			t.Fatal(err)
		}
		return stat.Blocks * 512
	}
	if got := used(); got != Committed {
		t.Errorf("a new segment takes %d bytes", got)
	}
	if committed, err := s.CommitSlot(20); err != nil || committed != 24 || used() != headerSize+3*pageSize {
		t.Errorf("%d slots, %d bytes, %v", committed, used(), err)
	}
	before := used()
	if err := s.Commit(l.ReplyStart(), 1<<20); err != nil || used() != before+1<<20 {
		t.Errorf("%d bytes, %v", used(), err)
	}
	if err := s.Decommit(l.ReplyStart(), 1<<20); err != nil || used() != before {
		t.Errorf("%d bytes, %v", used(), err)
	}
}

// Whatever a server writes in the header, the client opens the segment only if every arena lies within it.
func TestOpenRefusesImpossibleHeaders(t *testing.T) {
	l, err := NewLayout(1<<16, 1<<15)
	if err != nil {
		t.Fatal(err)
	}
	segment, file := create(t, l)
	fields := map[string]struct{ offset, size int }{
		"magic":         {0, 8},
		"version":       {8, 4},
		"slots":         {12, 4},
		"request arena": {16, 8},
		"reply arena":   {24, 8},
		"max payload":   {32, 8},
	}
	for name, field := range fields {
		b := segment.Bytes(int64(field.offset), int64(field.size))
		original := slices.Clone(b)
		right := binary.LittleEndian.Uint32(b)
		for _, low := range []uint32{0, 1, right - 1, right + 1, 2 * right, 1 << 31, math.MaxUint32} {
			for _, high := range []uint32{0, 1, 1 << 31, math.MaxUint32} {
				binary.LittleEndian.PutUint32(b, low)
				if field.size == 8 {
					binary.LittleEndian.PutUint32(b[4:], high)
				}
				s, err := Open(file, l.Size())
				if err == nil {
					defer s.Close()
				}
				switch {
				case bytes.Equal(b, original):
				case err == nil && name == "max payload" && s.Layout().MaxPayload > 0 && s.Layout().MaxPayload <= l.RequestArena:
					// The limit is the server's to choose.
				case !errors.Is(err, ErrLayout):
					t.Errorf("%s %#x %#x: %v", name, high, low, err)
				}
			}
		}
		copy(b, original)
	}
}

func TestPayloadStaysInItsArena(t *testing.T) {
	l, err := NewLayout(1<<16, 1<<15)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := create(t, l)
	start := uint64(l.RequestStart())
	for _, test := range []struct {
		offset uint64
		length uint32
		want   bool
	}{
		{start, 1 << 15, true},
		{start + 1<<15, 1 << 15, true},
		{start + 1<<15 + 1, 1 << 15, false},
		{start, 1<<15 + 1, false}, // more than the limit
		{start - 1, 1000, false},
		{0, 1000, false},
		{uint64(l.ReplyStart()), 1000, false},        // the other arena
		{uint64(l.ReplyStart()) - 1000, 1000, false}, // between them
		{start + 1<<16 - 1000, 1000, true},
		{start + 1<<16 - 999, 1000, false},
		{math.MaxUint64, 1000, false},
		{math.MaxUint64 - 999, 1000, false}, // the sum overflows
		{start, math.MaxUint32, false},
	} {
		offset, ok := s.RequestPayload(5, test.offset, test.length)
		if ok != test.want || ok && uint64(offset) != test.offset {
			t.Errorf("%d bytes at %d: %d, %v", test.length, test.offset, offset, ok)
		}
	}
	// A payload that fits lies in its slot, whatever the offset says.
	for _, offset := range []uint64{0, start, math.MaxUint64} {
		if got, ok := s.RequestPayload(5, offset, InlineCapacity); !ok || got != s.RequestInline(5) {
			t.Errorf("inline with offset %d: %d, %v", offset, got, ok)
		}
	}
}

// Lines counts the lines of a slot's half that the bytes of a payload are in.
func TestLines(t *testing.T) {
	var r Request
	for length := range InlineCapacity + 1 {
		end := int(unsafe.Offsetof(r.Inline)) + length // the word's line is one of them in any case
		if got, want := Lines(length), max(end-1, 0)/lineSize+1; got != want {
			t.Errorf("%d lines for %d bytes, not %d", got, length, want)
		}
	}
	if got := Lines(InlineCapacity + 1); got != 1 {
		t.Errorf("%d lines for what does not fit", got)
	}
}
