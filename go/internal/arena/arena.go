// Package arena hands out blocks of a range of shared memory. Its books are private memory of the side that allocates: nothing that a peer
// writes can spoil them.
package arena

import (
	"fmt"
	"math/bits"
)

// BlockSize is the smallest block, in bytes; every block is a power of two of them.
const BlockSize = 4096

// minGrowth is the least by which an arena grows, in blocks: growing takes a system call.
const minGrowth = 16

// Arena is a buddy allocator (Knuth, The Art of Computer Programming, vol. 1, 2.5): blocks of a power of two, split and joined with
// their buddies, in at most one step for each of the (at most 23) orders, whatever the number of blocks. The block freed last is handed out
// first, while its pages are in the caches. It is joined with its buddy only when another one is freed, or there is no room (deferred coalescing: Wilson et al., Dynamic Storage
// Allocation, 1995): a lone caller's calls take the same block again and again, and to join and to split it each time takes longer than the rest of them.
//
// A payload wastes less than half of its block. As blocks are aligned to their size, much small memory in use can leave no place for a large
// block; the arena grows for a block exactly when every aligned place of that size has something in use in it.
//
// An arena begins empty, and is told of memory by Grow. It is not safe for concurrent use.
type Arena struct {
	start int64   // offset of the first block; immutable
	limit int32   // number of smallest blocks that it may grow to; immutable
	free  []int32 // by order: the first free block, or none
	// By block, as many as the arena has grown to:
	next  []int32 // its neighbours in the list of its order
	prev  []int32
	state []int8 // what begins there

	used int32 // blocks in use
	kept int32 // the block freed last, if it has not been joined; or none
}

// none ends a list.
const none = -1

// What begins at a block: nothing, a free block of order n (n), the one that is kept (keeping+n), or one in use (inUse+n).
const (
	inside  = -1
	keeping = 32
	inUse   = 64
)

// New returns an empty arena that may grow to the size bytes at offset start, rounded down to a multiple of BlockSize.
func New(start, size int64) *Arena {
	n := int32(size / BlockSize)
	a := &Arena{start: start, limit: n, free: make([]int32, bits.Len32(uint32(n))), kept: none}
	for i := range a.free {
		a.free[i] = none
	}
	return a
}

// Size returns how many bytes the arena has grown to.
func (a *Arena) Size() int64 { return int64(len(a.state)) * BlockSize }

// Used returns how many bytes are in use.
func (a *Arena) Used() int64 { return int64(a.used) * BlockSize }

// Alloc returns the offset of a free block of at least size bytes, and whether there was one.
func (a *Arena) Alloc(size int64) (int64, bool) {
	order, ok := a.order(size)
	if !ok {
		return 0, false
	}
	if block := a.kept; block != none && a.state[block] == int8(keeping+order) {
		a.kept = none
		return a.take(block, order), true
	}
	block, ok := a.split(order)
	if !ok {
		a.settle()
		if block, ok = a.split(order); !ok {
			return 0, false
		}
	}
	return a.take(block, order), true
}

// take makes a block of an order one in use, and returns its offset.
func (a *Arena) take(block int32, order int) int64 {
	a.state[block] = int8(inUse + order)
	a.used += 1 << order
	return a.start + int64(block)*BlockSize
}

// split takes a block of an order off the lists, or the first part of the next larger one.
func (a *Arena) split(order int) (int32, bool) {
	for have := order; have < len(a.free); have++ {
		block := a.free[have]
		if block == none {
			continue
		}
		a.remove(block, have)
		for ; have > order; have-- {
			a.insert(block+1<<(have-1), have-1)
		}
		return block, true
	}
	return none, false
}

// settle joins the block that is kept, if there is one.
func (a *Arena) settle() {
	if block := a.kept; block != none {
		order := int(a.state[block] - keeping)
		a.state[block] = inside
		a.kept = none
		a.join(block, order)
	}
}

// Growth returns the range that would make room for a block of size bytes, and whether the arena may grow so far. Grow takes its end.
func (a *Arena) Growth(size int64) (offset, length int64, ok bool) {
	order, ok := a.order(size)
	if !ok {
		return 0, 0, false
	}
	a.settle()
	have := int64(len(a.state))
	block := int64(1) << order
	need := (have+block-1)/block*block + block // the block, aligned
	// What is free at the end may be the first part of it.
	if first := have / block * block; a.isFree(int32(first)) {
		need = first + block
	}
	if need > int64(a.limit) {
		return 0, 0, false
	}
	grown := min(max(need, have+minGrowth), int64(a.limit))
	return a.start + have*BlockSize, (grown - have) * BlockSize, true
}

// isFree reports whether all blocks from one on, which is aligned as a block that Alloc has not found, are free.
func (a *Arena) isFree(from int32) bool {
	for end := int32(len(a.state)); from < end; {
		order := a.state[from]
		if order == inside || order >= keeping {
			return false
		}
		from += 1 << order
	}
	return true
}

// Grow adds length bytes to the end: a range that Growth returned, which now has memory.
func (a *Arena) Grow(length int64) {
	have := int32(len(a.state))
	end := have + int32(length/BlockSize)
	for range end - have {
		a.next, a.prev, a.state = append(a.next, none), append(a.prev, none), append(a.state, inside)
	}
	a.add(have, end)
}

// add makes the blocks of a range free, as the largest aligned powers of two, each joined with what is free beside it.
func (a *Arena) add(from, end int32) {
	for from < end {
		order := bits.Len32(uint32(end-from)) - 1
		if from != 0 {
			order = min(order, bits.TrailingZeros32(uint32(from)))
		}
		a.join(from, order)
		from += 1 << order
	}
}

// Trim takes free memory off the end, down to keep bytes at the least, and returns the range, whose memory may go. The length may be 0.
func (a *Arena) Trim(keep int64) (offset, length int64) {
	a.settle()
	have := int32(len(a.state))
	end := have
	least := min(int32((keep+BlockSize-1)/BlockSize), have)
	for end > least {
		block, order, ok := a.last(end)
		if !ok {
			break
		}
		a.remove(block, order)
		end = block
	}
	if end < least { // the last block taken off reached below what is to stay
		a.shorten(least)
		a.add(end, least)
		end = least
	}
	a.shorten(end)
	return a.start + int64(end)*BlockSize, int64(have-end) * BlockSize
}

// last returns the free block that ends at end, if there is one.
func (a *Arena) last(end int32) (block int32, order int, ok bool) {
	for order := range a.free {
		if block := end - 1<<order; block >= 0 && block%(1<<order) == 0 && a.state[block] == int8(order) {
			return block, order, true
		}
	}
	return 0, 0, false
}

func (a *Arena) shorten(blocks int32) {
	a.next, a.prev, a.state = a.next[:blocks], a.prev[:blocks], a.state[:blocks]
}

// Free takes back the block at offset, which Alloc returned. It panics if no block in use begins there.
func (a *Arena) Free(offset int64) {
	within := offset - a.start
	block := int32(within / BlockSize)
	if within < 0 || within%BlockSize != 0 || within/BlockSize >= int64(len(a.state)) || a.state[block] < inUse {
		panic(fmt.Sprintf("arena: free of offset %d, where no block in use begins", offset))
	}
	order := int(a.state[block] - inUse)
	a.used -= 1 << order
	a.settle()
	a.state[block] = int8(keeping + order)
	a.kept = block
}

// join makes a block free, together with its buddy if that is free, and so on.
func (a *Arena) join(block int32, order int) {
	for order+1 < len(a.free) {
		buddy := block ^ 1<<order
		if int(buddy) >= len(a.state) || a.state[buddy] != int8(order) {
			break
		}
		a.remove(buddy, order)
		block &^= 1 << order
		order++
	}
	a.insert(block, order)
}

// order returns the order of a block of size bytes, and whether the arena may have such a block.
func (a *Arena) order(size int64) (int, bool) {
	if size <= 0 || size > int64(a.limit)*BlockSize {
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
