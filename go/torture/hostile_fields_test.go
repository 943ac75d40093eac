package torture

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"nanorpc/go/internal/wire"
)

// What a segment has in front of its arenas: the header's page, and the slots.
const (
	headerPage = 4096
	slotSize   = 512
)

// field is a part of the segment that is written as a whole.
type field struct {
	name   string
	offset int64
	size   int64
}

// headerFields are those that the server writes before it sends the segment.
var headerFields = []field{
	{"header: magic", 0, 8}, {"header: version", 8, 4}, {"header: slots", 12, 4},
	{"header: request arena", 16, 8}, {"header: reply arena", 24, 8}, {"header: max payload", 32, 8},
}

// fieldsOf returns all fields of a segment that lie outside of slots, and those of one slot, and the bytes between them, of which nobody makes use.
func fieldsOf(s *wire.Segment, slot int) (fields, between []field) {
	fields = slices.Concat(headerFields, structFields(s, "doorbell", s.Doorbell()), structFields(s, "notices", s.Notices()))
	between = gaps(fields, 0, headerPage)
	ofSlot := slices.Concat(structFields(s, "request", s.Request(slot)), structFields(s, "reply", s.Reply(slot)))
	start := int64(headerPage + slot*slotSize)
	return append(fields, ofSlot...), append(between, gaps(ofSlot, start, start+slotSize)...)
}

// structFields returns the fields of a struct in the segment, as its type has them.
func structFields[T any](s *wire.Segment, name string, p *T) []field {
	var fields []field
	for f := range reflect.TypeFor[T]().Fields() {
		if f.Name != "_" {
			fields = append(fields, field{name + ": " + strings.ToLower(f.Name), placeOf(s, p) + int64(f.Offset), int64(f.Type.Size())})
		}
	}
	return fields
}

// gaps returns what lies between fields in a range.
func gaps(fields []field, from, to int64) []field {
	start := from
	var between []field
	fields = slices.SortedFunc(slices.Values(fields), func(a, b field) int { return cmp.Compare(a.offset, b.offset) })
	for _, f := range append(fields, field{offset: to}) {
		if f.offset > from {
			between = append(between, field{fmt.Sprintf("nothing, at %d of %d", from-start, to-start), from, f.offset - from})
		}
		from = f.offset + f.size
	}
	return between
}

// TestEveryFieldIsKnown: a field that the segment gets is swept by the tests of hostile peers, or this test fails.
func TestEveryFieldIsKnown(t *testing.T) {
	layout := wire.Layout{RequestArena: 1 << 20, ReplyArena: 1 << 21, MaxPayload: 1 << 19}
	segment, file, err := wire.Create(layout)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	defer segment.Close()
	const slot = 3
	fields, between := fieldsOf(segment, slot)
	if want := []string{"nothing, at 40 of 4096", "nothing, at 1040 of 4096", "nothing, at 1296 of 4096", "nothing, at 268 of 512", "nothing, at 280 of 512"}; !slices.EqualFunc(between, want, func(f field, name string) bool { return f.name == name }) {
		t.Errorf("between the fields there is %v, and not %v", between, want)
	}
	// All together are all bytes, once.
	covered := map[int64]string{}
	for _, f := range append(slices.Clone(fields), between...) {
		for at := f.offset; at < f.offset+f.size; at++ {
			if other, ok := covered[at]; ok {
				t.Fatalf("byte %d is of %q and %q", at, other, f.name)
			}
			covered[at] = f.name
		}
	}
	if len(covered) != headerPage+slotSize {
		t.Errorf("%d bytes belong to a field or lie between fields", len(covered))
	}
	// A fresh segment has nothing but the header, in which all of the layout is, and how many slots have pages.
	written := map[uint64]bool{}
	for _, f := range headerFields {
		written[f.get(segment)] = true
	}
	for f, v := range reflect.ValueOf(layout).Fields() {
		if !written[uint64(v.Int())] {
			t.Errorf("no field of the header has %s", f.Name)
		}
	}
	for at, b := range segment.Bytes(0, headerPage) {
		if b != 0 && !strings.HasPrefix(covered[int64(at)], "header: ") && covered[int64(at)] != "doorbell: used" {
			t.Errorf("%q is %#x at first", covered[int64(at)], b)
		}
	}
	// Segments hand out no other parts.
	parts := 0
	for m := range reflect.TypeFor[*wire.Segment]().Methods() {
		for out := range m.Type.Outs() {
			if out.Kind() == reflect.Pointer && out.Elem().Kind() == reflect.Struct && strings.HasSuffix(out.Elem().PkgPath(), "internal/wire") {
				parts++
			}
		}
	}
	if parts != 4 {
		t.Errorf("a segment hands out %d parts: those of its fields that are swept are of 4", parts)
	}
}
