package link

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"nanorpc/go/internal/arena"
	"nanorpc/go/internal/failpoint"
	"nanorpc/go/internal/wire"
)

const (
	// A pool keeps so many bytes when it is idle.
	retained = 1 << 20
	// A pool is idle when nothing has been allocated for so long.
	idleTime = time.Second
)

// errFull is a pool that has grown to its limit.
var errFull = errors.New("arena full")

// pool hands out blocks of one arena of the segment, whose memory grows and shrinks with its use. It is safe for concurrent use.
type pool struct {
	segment *wire.Segment
	growing sync.Mutex // serialises changes of the arena's size, which take system calls; taken before mu

	mu       sync.Mutex // guards what follows
	arena    *arena.Arena
	count    uint64 // blocks handed out, ever
	trimming bool   // a timer will trim
	closed   bool
}

func newPool(s *wire.Segment, start, size int64) *pool {
	return &pool{segment: s, arena: arena.New(start, size)}
}

// tryAlloc returns the offset of a block of at least size bytes, and whether there is one in the memory that the arena has.
func (p *pool) tryAlloc(size int64) (int64, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.take(size)
}

// take needs the lock.
func (p *pool) take(size int64) (int64, bool) {
	offset, ok := p.arena.Alloc(size)
	if ok {
		p.count++
	}
	return offset, ok
}

// alloc is tryAlloc, and grows the arena if need be. Errors: errFull, shm.ErrNoSpace.
func (p *pool) alloc(size int64) (int64, error) {
	if offset, ok := p.tryAlloc(size); ok {
		return offset, nil
	}
	p.growing.Lock()
	defer p.growing.Unlock()
	p.mu.Lock()
	offset, ok := p.take(size) // somebody else may have grown it
	from, length, growable := p.arena.Growth(size)
	p.mu.Unlock()
	switch {
	case ok:
		return offset, nil
	case !growable:
		return 0, errFull
	}
	// Without the lock, as it takes a quarter of a millisecond per MiB: blocks come and go meanwhile.
	failpoint.Hit(failpoint.GrowBefore)
	if err := p.segment.Commit(from, length); err != nil {
		return 0, err
	}
	failpoint.Hit(failpoint.GrowTaken)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.arena.Grow(length)
	if offset, ok = p.take(size); !ok {
		return 0, fmt.Errorf("%w: others were faster", errFull)
	}
	return offset, nil
}

// free takes a block back.
func (p *pool) free(offset int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.arena.Free(offset)
	if p.arena.Size() > retained && !p.trimming && !p.closed {
		p.trimming = true
		p.trimLater(p.count)
	}
}

// trimLater trims the arena when it has been idle: count is how many blocks had been handed out.
func (p *pool) trimLater(count uint64) {
	time.AfterFunc(idleTime, func() { p.trim(count) })
}

// trim gives back the memory of an arena that has handed out nothing since count, or tries again later.
func (p *pool) trim(count uint64) {
	p.growing.Lock()
	defer p.growing.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	if p.count == count {
		if offset, length := p.arena.Trim(retained); length > 0 {
			failpoint.Hit(failpoint.TrimBefore)
			// On an error the memory stays until the connection ends; it is still there if the arena grows again.
			_ = p.segment.Decommit(offset, length)
			failpoint.Hit(failpoint.TrimTaken)
		}
	}
	if p.trimming = p.arena.Size() > retained; p.trimming {
		p.trimLater(p.count)
	}
}

// usage returns how many bytes are in use, and how many the arena has grown to.
func (p *pool) usage() (used, size int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.arena.Used(), p.arena.Size()
}

// close stops trimming. The segment may be closed after it.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
}
