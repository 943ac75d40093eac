package arena

import (
	"math/rand/v2"
	"testing"
)

const start = 36864 // not itself a multiple of large blocks: alignment is relative to it

func TestBlocksNeverOverlapAndAllComesBack(t *testing.T) {
	for _, blocks := range []int64{1, 2, 3, 7, 64, 1000, 4096} {
		rng := rand.New(rand.NewPCG(1, uint64(blocks)))
		size := blocks * BlockSize
		a := grown(blocks)
		whole := a.wholeBlocks()
		type block struct{ offset, size int64 }
		var held []block
		owner := make([]int, blocks) // by smallest block: 1 if handed out
		for range 20_000 {
			if len(held) > 0 && rng.IntN(2) == 0 {
				i := rng.IntN(len(held))
				b := held[i]
				held[i] = held[len(held)-1]
				held = held[:len(held)-1]
				for at := b.offset; at < b.offset+b.size; at += BlockSize {
					owner[(at-start)/BlockSize] = 0
				}
				a.Free(b.offset)
				continue
			}
			want := rng.Int64N(size) >> rng.IntN(12)
			offset, ok := a.Alloc(want)
			if !ok {
				continue
			}
			if offset < start || offset+want > start+size {
				t.Fatalf("%d blocks: %d bytes at %d lie outside the arena", blocks, want, offset)
			}
			for at := offset; at < offset+want; at += BlockSize {
				i := (at - start) / BlockSize
				if owner[i] != 0 {
					t.Fatalf("%d blocks: block %d handed out twice", blocks, i)
				}
				owner[i] = 1
			}
			held = append(held, block{offset, want})
		}
		for _, b := range held {
			a.Free(b.offset)
		}
		a.settle()
		if got := a.wholeBlocks(); got != whole {
			t.Errorf("%d blocks: %d free lists entries after all came back, %d at first: buddies were not joined", blocks, got, whole)
		}
	}
}

// wholeBlocks counts the free blocks of all orders.
func (a *Arena) wholeBlocks() int {
	n := 0
	for _, first := range a.free {
		for b := first; b != none; b = a.next[b] {
			n++
		}
	}
	return n
}

func TestSizes(t *testing.T) {
	for _, c := range []struct {
		size int64
		fits bool
	}{{-1, false}, {0, false}, {1, true}, {BlockSize, true}, {8 * BlockSize, true}, {8*BlockSize + 1, false}, {1 << 62, false}} {
		if _, ok := grown(8).Alloc(c.size); ok != c.fits {
			t.Errorf("Alloc(%d): %v", c.size, ok)
		}
		if _, _, ok := New(start, 8*BlockSize).Growth(c.size); ok != c.fits {
			t.Errorf("Growth(%d): %v", c.size, ok)
		}
	}
	if _, ok := grown(3).Alloc(3 * BlockSize); ok {
		t.Error("an arena of three blocks has a block of four")
	}
}

// grown returns an arena that has grown to its limit.
func grown(blocks int64) *Arena {
	a := New(start, blocks*BlockSize)
	a.Grow(blocks * BlockSize)
	return a
}

// TestGrowAndTrim lets an arena grow when it has to and trims it at random times. No block may lie in memory that has been taken away.
func TestGrowAndTrim(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 3))
	const limit = 2048 * BlockSize
	a := New(start, limit)
	type block struct{ offset, size int64 }
	var held []block
	for range 100_000 {
		switch n := rng.IntN(100); {
		case n < 3:
			keep := rng.Int64N(limit / 4)
			before := a.Size()
			offset, length := a.Trim(keep)
			end := offset - start
			if length < 0 || end+length != before || end != a.Size() || length > 0 && end < keep {
				t.Fatalf("Trim(%d) of %d bytes took %d at %d", keep, before, length, offset)
			}
			for _, b := range held {
				if b.offset+b.size > offset {
					t.Fatalf("Trim(%d) took a block in use", keep)
				}
			}
		case n < 50 && len(held) > 0:
			i := rng.IntN(len(held))
			a.Free(held[i].offset)
			held[i] = held[len(held)-1]
			held = held[:len(held)-1]
		default:
			size := 1 + rng.Int64N(limit/4)>>rng.IntN(12)
			offset, ok := a.Alloc(size)
			if !ok {
				from, length, ok := a.Growth(size)
				if !ok {
					continue
				}
				if from != start+a.Size() || length <= 0 || a.Size()+length > limit {
					t.Fatalf("Growth(%d) of %d bytes: %d at %d", size, a.Size(), length, from)
				}
				a.Grow(length)
				if offset, ok = a.Alloc(size); !ok {
					t.Fatalf("no room for %d bytes after the growth for it", size)
				}
			}
			if offset+size > start+a.Size() {
				t.Fatalf("%d bytes at %d, beyond the end", size, offset)
			}
			for _, b := range held {
				if offset < b.offset+b.size && b.offset < offset+size {
					t.Fatalf("%d bytes at %d overlap %+v", size, offset, b)
				}
			}
			held = append(held, block{offset, size})
		}
	}
	for _, b := range held {
		a.Free(b.offset)
	}
	if a.Trim(0); a.Size() != 0 {
		t.Errorf("%d bytes stay when nothing is in use", a.Size())
	}
}

// What is free, however little the arena has grown to, is part of the largest block: there is room for it as long as nothing is in use.
func TestLargestBlockAfterSmallOnes(t *testing.T) {
	const limit = 1024 * BlockSize
	for _, small := range []int64{BlockSize, 16 * BlockSize, 17 * BlockSize, 100 * BlockSize, 512 * BlockSize} {
		a := New(start, limit)
		_, length, _ := a.Growth(small)
		a.Grow(length)
		offset, ok := a.Alloc(small)
		if !ok {
			t.Fatalf("no room for %d bytes", small)
		}
		if _, _, ok := a.Growth(limit); ok {
			t.Errorf("the arena would grow for a block of its size while %d bytes are in use", small)
		}
		a.Free(offset)
		_, length, ok = a.Growth(limit)
		if !ok {
			t.Fatalf("the arena does not grow for a block of its size after %d bytes have been in use", small)
		}
		a.Grow(length)
		if _, ok := a.Alloc(limit); !ok {
			t.Errorf("no room for a block of the arena's size after %d bytes have been in use", small)
		}
	}
}

func TestFreeOfAnythingElsePanics(t *testing.T) {
	a := grown(8)
	two, _ := a.Alloc(2 * BlockSize)
	for _, offset := range []int64{0, start - BlockSize, two + 1, two + BlockSize, start + 8*BlockSize} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Free(%d) did not panic", offset)
				}
			}()
			a.Free(offset)
		}()
	}
	a.Free(two)
	defer func() {
		if recover() == nil {
			t.Error("the second Free of a block did not panic")
		}
	}()
	a.Free(two)
}

// The block freed last is handed out again; where it is in the way of a larger one it is joined for that.
func TestBlockFreedLast(t *testing.T) {
	a := grown(4)
	first, _ := a.Alloc(BlockSize)
	second, _ := a.Alloc(BlockSize)
	a.Free(first)
	if used := a.Used(); used != BlockSize {
		t.Errorf("%d bytes in use", used)
	}
	if again, ok := a.Alloc(BlockSize); !ok || again != first {
		t.Errorf("the block at %d, %v, not %d", again, ok, first)
	}
	a.Free(first)
	a.Free(second)
	if _, ok := a.Alloc(4 * BlockSize); !ok {
		t.Error("no room for all when nothing is in use")
	}
}
