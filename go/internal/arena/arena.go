// Package arena hands out blocks of a range of shared memory. Its books are private memory of the side that allocates: nothing that a peer
// writes can spoil them.
package arena

import (
	"fmt"
	"math/bits"
)

// BlockSize is the smallest block, in bytes; every block is a power of two of them.
const BlockSize = 4096

// Arena is a buddy allocator (Knuth, The Art of Computer Programming, vol. 1, 2.5): blocks of a power of two, split and joined with
// their buddies, in O(log n). The block freed last is handed out first, while its pages are in the caches.
// It is not safe for concurrent use.
type Arena struct {
	start  int64   // offset of the first block; immutable
	blocks int32   // number of smallest blocks; immutable
	free   []int32 // by order: the first free block, or none
	next   []int32 // by block: its neighbours in the list of its order
	prev   []int32
	state  []int8 // by block: what begins there
}

// none ends a list.
const none = -1

// What begins at a block: nothing, a free block of order n (n), or one in use of order n (inUse+n).
const (
	inside = -1
	inUse  = 64
)

// New returns an arena of the size bytes at offset start, all of it free. Size is rounded down to a multiple of BlockSize.
func New(start, size int64) *Arena {
	n := int32(size / BlockSize)
	a := &Arena{
		start:  start,
		blocks: n,
		free:   make([]int32, bits.Len32(uint32(n))),
		next:   make([]int32, n),
		prev:   make([]int32, n),
		state:  make([]int8, n),
	}
	for i := range a.free {
		a.free[i] = none
	}
	for i := range a.state {
		a.state[i] = inside
	}
	// The whole is the sum of the largest aligned powers of two. Inserted from the end, so that the lowest come first.
	for end := n; end > 0; {
		order := bits.TrailingZeros32(uint32(end))
		end -= 1 << order
		a.insert(end, order)
	}
	return a
}

// Alloc returns the offset of a free block of at least size bytes, and whether there was one.
func (a *Arena) Alloc(size int64) (int64, bool) {
	order, ok := a.order(size)
	if !ok {
		return 0, false
	}
	for have := order; have < len(a.free); have++ {
		block := a.free[have]
		if block == none {
			continue
		}
		a.remove(block, have)
		for ; have > order; have-- {
			a.insert(block+1<<(have-1), have-1)
		}
		a.state[block] = int8(inUse + order)
		return a.start + int64(block)*BlockSize, true
	}
	return 0, false
}

// Fits reports whether a block of size bytes could be had if the whole arena were free.
func (a *Arena) Fits(size int64) bool {
	order, ok := a.order(size)
	return ok && 1<<order <= a.blocks
}

// Free takes back the block at offset, which Alloc returned. It panics if no block in use begins there.
func (a *Arena) Free(offset int64) {
	within := offset - a.start
	block := int32(within / BlockSize)
	if within < 0 || within%BlockSize != 0 || within/BlockSize >= int64(a.blocks) || a.state[block] < inUse {
		panic(fmt.Sprintf("arena: free of offset %d, where no block in use begins", offset))
	}
	order := int(a.state[block] - inUse)
	a.state[block] = inside
	for order+1 < len(a.free) {
		buddy := block ^ 1<<order
		if buddy >= a.blocks || a.state[buddy] != int8(order) {
			break
		}
		a.remove(buddy, order)
		block &^= 1 << order
		order++
	}
	a.insert(block, order)
}

// order returns the order of a block of size bytes, and whether the arena has such an order.
func (a *Arena) order(size int64) (int, bool) {
	if size <= 0 || size > int64(a.blocks)*BlockSize {
		return 0, false
	}
	order := bits.Len64(uint64((size - 1) / BlockSize))
	return order, order < len(a.free)
}

func (a *Arena) insert(block int32, order int) {
	first := a.free[order]
	a.state[block] = int8(order)
	a.prev[block], a.next[block] = none, first
	if first != none {
		a.prev[first] = block
	}
	a.free[order] = block
}

func (a *Arena) remove(block int32, order int) {
	if a.prev[block] == none {
		a.free[order] = a.next[block]
	} else {
		a.next[a.prev[block]] = a.next[block]
	}
	if a.next[block] != none {
		a.prev[a.next[block]] = a.prev[block]
	}
	a.state[block] = inside
}
