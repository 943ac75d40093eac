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
		a := New(start, size)
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
	a := New(start, 8*BlockSize)
	for _, c := range []struct {
		size int64
		fits bool
	}{{-1, false}, {0, false}, {1, true}, {BlockSize, true}, {8 * BlockSize, true}, {8*BlockSize + 1, false}, {1 << 62, false}} {
		if got := a.Fits(c.size); got != c.fits {
			t.Errorf("Fits(%d) = %v", c.size, got)
		}
		if _, ok := New(start, 8*BlockSize).Alloc(c.size); ok != c.fits {
			t.Errorf("Alloc(%d): %v", c.size, ok)
		}
	}
	if three := New(start, 3*BlockSize); three.Fits(3 * BlockSize) {
		t.Error("an arena of three blocks says it has a block of four")
	}
}

func TestFreeOfAnythingElsePanics(t *testing.T) {
	a := New(start, 8*BlockSize)
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
