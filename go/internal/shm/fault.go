package shm

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A peer of the same user can make a plain object shorter, or take pages away that a full /dev/shm does not give back. Touching the memory is a SIGBUS then, which ends the
// process, but for goroutines that have asked for a panic (debug.SetPanicOnFault). Those recover here: the mapping, wherever else it is still used, becomes memory of this process, all
// zero, so that no further fault comes of it, and its owner is told. It costs nothing until then.

// guarded are the mappings whose loss is to be survived.
var guarded = struct {
	sync.Mutex
	mappings map[*Mapping]func() // what to call, once, when one is lost
}{mappings: map[*Mapping]func(){}}

// Guard has lost called, once, in a goroutine of its own, when a fault in the mapping has been recovered: Recovered, Try.
func (m *Mapping) Guard(lost func()) {
	guarded.Lock()
	defer guarded.Unlock()
	guarded.mappings[m] = lost
}

// PanicOnFault has faults of this goroutine panic. Who calls it recovers, and asks Recovered.
func PanicOnFault() { debug.SetPanicOnFault(true) }

// Recovered says of what recover has returned whether it was a fault in a guarded mapping, which has been dealt with. Anything else is to panic on.
func Recovered(panicked any) bool {
	fault, ok := panicked.(interface {
		runtime.Error
		Addr() uintptr
	})
	if !ok {
		return false
	}
	guarded.Lock()
	defer guarded.Unlock()
	for m, lost := range guarded.mappings {
		if !m.contains(fault.Addr()) {
			continue
		}
		if lost == nil {
			return true // another goroutine was faster
		}
		if err := m.replace(); err != nil {
			return false
		}
		guarded.mappings[m] = nil
		go lost()
		return true
	}
	return false
}

// Try calls f, which touches memory, and reports false if that was in vain: a fault in a guarded mapping, which has been dealt with.
func Try(f func()) (ok bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil && !Recovered(p) {
			panic(p)
		}
	}()
	f()
	return true
}

func (m *Mapping) contains(address uintptr) bool {
	if len(m.bytes) == 0 {
		return false
	}
	start := uintptr(unsafe.Pointer(&m.bytes[0]))
	return address >= start && address-start < uintptr(len(m.bytes))
}

// replace puts private memory where the object was.
func (m *Mapping) replace() error {
	const flags = unix.MAP_PRIVATE | unix.MAP_ANONYMOUS | unix.MAP_FIXED | unix.MAP_NORESERVE
	if _, err := unix.MmapPtr(-1, 0, unsafe.Pointer(&m.bytes[0]), uintptr(len(m.bytes)), unix.PROT_READ|unix.PROT_WRITE, flags); err != nil {
		return fmt.Errorf("replace lost shared memory: %w", err)
	}
	return nil
}

// unguard comes before the memory is unmapped.
func (m *Mapping) unguard() {
	guarded.Lock()
	defer guarded.Unlock()
	delete(guarded.mappings, m)
}
