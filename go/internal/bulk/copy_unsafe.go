package bulk

import "unsafe"

// Long is from how many bytes on a copy is made otherwise than by the runtime.
const Long = 4 << 20

const (
	line  = 64
	group = 4 * 4096 // bytes that storePages copies in one of its rounds
	// step is for how many bytes at a time no goroutine can be preempted: some hundred microseconds.
	step = 64 * group
)

// Copy is the builtin copy of bytes.
func Copy(to, from []byte) int {
	if len(from) < Long { // inlined
		return copy(to, from)
	}
	return copyLong(to, from)
}

// Append is the builtin append of bytes.
func Append(to, from []byte) []byte {
	if len(from) < Long {
		return append(to, from...)
	}
	return appendLong(to, from)
}

func copyLong(to, from []byte) int {
	n := min(len(to), len(from))
	if n < Long || !pastCaches || overlap(to[:n], from[:n]) {
		return copy(to, from)
	}
	head := int(-uintptr(unsafe.Pointer(unsafe.SliceData(to))) % line)
	done := copy(to[:head], from[:head])
	for end := head + (n-head)/group*group; done < end; {
		length := min(step, end-done)
		storePages(to[done:done+length], from[done:done+length])
		done += length
	}
	copy(to[done:n], from[done:n])
	return n
}

func appendLong(to, from []byte) []byte {
	end := len(to) + len(from)
	if end > cap(to) {
		return append(to, from...) // to memory that is new, and is not cleared before
	}
	copyLong(to[len(to):end], from)
	return to[:end]
}

// overlap reports whether two slices of the same length, which is not 0, have bytes in common.
func overlap(a, b []byte) bool {
	first, second := uintptr(unsafe.Pointer(&a[0])), uintptr(unsafe.Pointer(&b[0]))
	return first < second+uintptr(len(b)) && second < first+uintptr(len(a))
}
