package bulk

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// content returns bytes of which no two pages are alike.
func content(length int) []byte {
	b := make([]byte, length)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b) // never fails
	return b
}

func TestCopy(t *testing.T) {
	from := content(3*step + Long + 200)
	to := make([]byte, len(from))
	for _, length := range []int{0, 1, line, Long - 1, Long, Long + 1, Long + group - 1, Long + group + line + 3, step + Long, 3*step + Long} {
		for _, offsets := range [][2]int{{0, 0}, {1, 0}, {63, 1}, {33, 70}, {64, 64}} {
			clear(to)
			place, source := to[offsets[0]:offsets[0]+length], from[offsets[1]:offsets[1]+length]
			if n := Copy(place, source); n != length || !bytes.Equal(place, source) {
				t.Errorf("%d bytes from %d to %d: %d copied", length, offsets[1], offsets[0], n)
			}
			before, after := to[:offsets[0]], to[offsets[0]+length:]
			if !zero(before) || !zero(after) {
				t.Errorf("%d bytes from %d to %d: something beside them was written", length, offsets[1], offsets[0])
			}
		}
	}
}

func zero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }

func TestCopyOfDifferentLengths(t *testing.T) {
	from, to := content(Long+1000), make([]byte, Long+500)
	if n := Copy(to, from); n != len(to) || !bytes.Equal(to, from[:n]) {
		t.Errorf("%d bytes to a shorter place", n)
	}
	clear(from)
	if n := Copy(from, to); n != len(to) || !bytes.Equal(from[:n], to) || !zero(from[n:]) {
		t.Errorf("%d bytes to a longer place", n)
	}
}

func TestCopyWithin(t *testing.T) {
	for _, offsets := range [][2]int{{100, 0}, {0, 100}, {50, 50}, {Long, 0}, {0, Long - 1}} {
		b, want := content(2*Long), content(2*Long)
		copy(want[offsets[0]:][:Long], want[offsets[1]:])
		if Copy(b[offsets[0]:][:Long], b[offsets[1]:]); !bytes.Equal(b, want) {
			t.Errorf("from %d to %d", offsets[1], offsets[0])
		}
	}
}

func TestAppend(t *testing.T) {
	from := content(Long + 100)
	for _, to := range [][]byte{nil, []byte("before"), append(make([]byte, 0, Long+200), "before"...)} {
		first := append([]byte(nil), to...)
		if got := Append(to, from); !bytes.Equal(got, append(first, from...)) {
			t.Errorf("to %d of %d bytes", len(to), cap(to))
		}
	}
	if allocated := testing.AllocsPerRun(10, func() { from = Append(from[:0], from[:Long]) }); allocated != 0 {
		t.Errorf("%v allocations where there is room", allocated)
	}
}

func BenchmarkCopy(b *testing.B) {
	const length = 16 << 20
	from, to := content(length), make([]byte, length)
	b.Run("bulk", func(b *testing.B) {
		b.SetBytes(length)
		for b.Loop() {
			Copy(to, from)
		}
	})
	b.Run("runtime", func(b *testing.B) {
		b.SetBytes(length)
		for b.Loop() {
			copy(to, from)
		}
	})
}

func TestShare(t *testing.T) {
	from := content(2 * shared)
	to := make([]byte, len(from)+line)
	for _, length := range []int{0, 1, line, slotted, slotted + 1, piece - 1, piece, piece + 1, 3*piece + 7, shared, shared + 1} {
		for _, offset := range []int{0, 1, 63} {
			clear(to)
			if n := Share(to[offset:], from[:length]); n != length || !bytes.Equal(to[offset:offset+length], from[:length]) {
				t.Errorf("%d bytes to %d: %d copied", length, offset, n)
			}
			if !zero(to[:offset]) || !zero(to[offset+length:]) {
				t.Errorf("%d bytes to %d: something beside them was written", length, offset)
			}
		}
	}
	if n := Share(to[:piece+1], from[:shared]); n != piece+1 || !bytes.Equal(to[:n], from[:n]) {
		t.Errorf("%d bytes to a shorter place", n)
	}
	for _, offsets := range [][2]int{{100, 0}, {0, 100}, {piece, 0}, {50, 50}} {
		b, want := content(2*shared), content(2*shared)
		copy(want[offsets[0]:][:shared], want[offsets[1]:])
		if Share(b[offsets[0]:][:shared], b[offsets[1]:][:shared]); !bytes.Equal(b, want) {
			t.Errorf("within one slice, from %d to %d", offsets[1], offsets[0])
		}
	}
}
