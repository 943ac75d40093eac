package shm

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Mapping is a shared mapping of a whole object, readable and writable.
// Its methods are safe for concurrent use, except Close: no pointer or slice taken from the mapping may be used after it.
type Mapping struct {
	bytes []byte // immutable until Close
}

// Map maps the first size bytes of f. The mapping stays when f is closed.
// It is an error if f is smaller: touching pages beyond its end would raise SIGBUS. Errors: ErrNoSpace, of addresses.
func Map(f *os.File, size int64) (*Mapping, error) {
	var stat unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &stat); err != nil {
		return nil, fmt.Errorf("map shared memory: %w", err)
	}
	if size <= 0 || stat.Size < size {
		return nil, fmt.Errorf("map shared memory: object has %d bytes, want %d", stat.Size, size)
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if errors.Is(err, unix.ENOMEM) {
		return nil, fmt.Errorf("map %d bytes: %w: this process may have no more address space or mappings (ulimit -v, vm.max_map_count): let it have more, or connections smaller arenas", size, ErrNoSpace)
	}
	if err != nil {
		return nil, fmt.Errorf("map %d bytes of shared memory: %w", size, err)
	}
	return &Mapping{bytes: b}, nil
}

// Bytes returns the mapped memory. The other process may change it at any time.
func (m *Mapping) Bytes() []byte { return m.bytes }

// Size returns the length of the mapping in bytes.
func (m *Mapping) Size() int { return len(m.bytes) }

// Uint32 returns the 32-bit word at offset off, for use with sync/atomic. It panics if off is out of range or not a multiple of 4.
func (m *Mapping) Uint32(off int) *uint32 { return (*uint32)(m.Pointer(off, 4, 4)) }

// Uint64 returns the 64-bit word at offset off, for use with sync/atomic. It panics if off is out of range or not a multiple of 8.
func (m *Mapping) Uint64(off int) *uint64 { return (*uint64)(m.Pointer(off, 8, 8)) }

// Pointer returns the address of size bytes at offset off, aligned to align. It panics if they do not lie within the mapping
// or are not aligned: offsets are computed by this program, never taken from a peer unchecked.
func (m *Mapping) Pointer(off, size, align int) unsafe.Pointer {
	if off < 0 || size < 0 || off > len(m.bytes)-size || off%align != 0 {
		panic(fmt.Sprintf("shm: %d bytes at offset %d, alignment %d, in a mapping of %d bytes", size, off, align, len(m.bytes)))
	}
	return unsafe.Pointer(&m.bytes[off])
}

// Close unmaps the memory. Calling it twice is an error.
func (m *Mapping) Close() error {
	m.unguard()
	b := m.bytes
	m.bytes = nil
	if err := unix.Munmap(b); err != nil {
		return fmt.Errorf("unmap shared memory: %w", err)
	}
	return nil
}
