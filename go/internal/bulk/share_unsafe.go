package bulk

import (
	"unsafe"

	"nanorpc/go/internal/futex"
)

const (
	// shared is up to how many bytes Share asks for the lines that it writes. Of more the processor fetches most ahead itself: from 64 KiB on there was nothing to gain.
	shared = 16 << 10
	// So few go to a slot, whose lines are asked for as soon as it is free.
	slotted = 3 * line
	// piece is for how many bytes at a time it does. To ask for 16 KiB at once was no better than not to ask, and to ask for more was worse.
	piece = 16 * line
)

// Share is Copy to memory that another process has read before: the lines are in its CPU's caches, and a store waits until they are in this one's. Each line is asked for before, so that several
// come at the same time.
func Share(to, from []byte) int {
	if len(from) > shared || len(from) <= slotted { // inlined
		return Copy(to, from)
	}
	return share(to, from)
}

func share(to, from []byte) int {
	n := min(len(to), len(from))
	if n == 0 || overlap(to[:n], from[:n]) {
		return copy(to, from)
	}
	ask(to[:min(piece, n)])
	for done := 0; done < n; done += piece {
		end := min(done+piece, n)
		if end < n {
			ask(to[end:min(end+piece, n)])
		}
		copy(to[done:end], from[done:end])
	}
	return n
}

// ask asks for the lines of some bytes that begin with one, and are not none.
func ask(b []byte) {
	futex.PrefetchWrite((*uint32)(unsafe.Pointer(unsafe.SliceData(b))), (len(b)+line-1)/line)
}
