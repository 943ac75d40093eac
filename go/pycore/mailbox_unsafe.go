package pycore

import (
	"sync/atomic"
	"unsafe"
)

// numbers returns the n integers at an address that Python has given: of an array that it keeps, and does not touch, until the call with it has returned.
func numbers(address, n int64) []int64 {
	// The address is of C's memory, not Go's, so it is no pointer that Go's collector moves or frees: the conversion of unsafe.Pointer's rule 1, which vet
	// cannot know to be one.
	return unsafe.Slice((*int64)(*(*unsafe.Pointer)(unsafe.Pointer(&address))), n)
}

// octets returns the n bytes at an address that Python has given, as numbers does.
func octets(address, n int64) []byte {
	return unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&address))), n)
}

// location returns where a number lies, 0 for nil: one of Go's is to be pinned before anybody else uses that.
func location[T uint32 | atomic.Uint64 | atomic.Bool](number *T) int64 {
	return int64(uintptr(unsafe.Pointer(number)))
}

// address returns where memory lies that is not Go's, so that it stays there: of a segment.
func address(memory []byte) int64 { return int64(uintptr(unsafe.Pointer(unsafe.SliceData(memory)))) }
