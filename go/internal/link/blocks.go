package link

import (
	"errors"
	"fmt"

	"nanorpc/go/internal/shm"
)

// allocate takes a block of the request arena, and waits until there is one. Callers who wait try again whenever one is freed.
// Errors: ErrExhausted when /dev/shm is full, or none was freed until the wait's end, and those of Acquire.
func (c *Client) allocate(size int64, w Wait) (int64, error) {
	if offset, ok := c.pool.tryAlloc(size); ok { // nearly always
		return offset, nil
	}
	c.reaping.want(c)
	defer c.reaping.unwant()
	alarm := w.alarm()
	defer alarm.stop()
	for {
		// Registered before the arena is looked at: a block that is freed after that wakes us.
		c.blocks.Lock()
		room := c.room
		c.waiting.Add(1)
		c.blocks.Unlock()
		offset, err := c.pool.alloc(size)
		if errors.Is(err, errFull) {
			select {
			case <-room:
			case <-alarm.C:
			case <-w.done():
			case <-c.ended:
			}
		}
		c.waiting.Add(-1)
		if err == nil {
			return offset, nil
		}
		if cause := c.Err(); cause != nil {
			return 0, cause
		}
		if errors.Is(err, shm.ErrNoSpace) {
			return 0, fmt.Errorf("%w: %w", ErrExhausted, err)
		}
		if !errors.Is(err, errFull) {
			return 0, err
		}
		if err := w.over(); err != nil {
			return 0, fmt.Errorf("%w: the request arena was full: %w", ErrExhausted, err)
		}
	}
}

// freeBlock gives back the block of a slot's request, if it has one, and tells those who wait for room.
func (c *Client) freeBlock(slot int) {
	if call := &c.calls[slot]; call.block != 0 { // inlined
		c.giveBack(call.block)
		call.block = 0
	}
}

func (c *Client) giveBack(block int64) {
	c.pool.free(block)
	// Who waits has counted himself before he looked into the pool: either he has found this block, or, as the pool's lock went from him to us, he is seen here.
	if c.waiting.Load() != 0 {
		c.blocks.Lock()
		defer c.blocks.Unlock()
		close(c.room)
		c.room = make(chan struct{})
	}
}
