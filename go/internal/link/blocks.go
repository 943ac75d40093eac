package link

import "time"

// allocate takes a block of the request arena, and waits until there is one. Callers who wait try again whenever one is freed.
func (c *Client) allocate(size int64, w Wait) (int64, error) {
	c.blocks.Lock()
	offset, ok := c.arena.Alloc(size)
	c.blocks.Unlock()
	if ok {
		return offset, nil
	}
	ticker := time.NewTicker(reapInterval)
	defer ticker.Stop()
	for {
		c.blocks.Lock()
		offset, ok := c.arena.Alloc(size)
		if ok {
			c.blocks.Unlock()
			return offset, nil
		}
		room := c.room
		c.waiting++
		c.blocks.Unlock()
		select {
		case <-room:
		case <-ticker.C:
			c.reap()
		case <-w.done():
		case <-c.ended:
		}
		c.blocks.Lock()
		c.waiting--
		c.blocks.Unlock()
		if err := c.Err(); err != nil {
			return 0, err
		}
		if err := w.over(); err != nil {
			return 0, err
		}
	}
}

// freeBlock gives back the block of a slot's request, if it has one, and tells those who wait for room.
func (c *Client) freeBlock(slot int) {
	offset := c.calls[slot].block
	if offset == 0 {
		return
	}
	c.calls[slot].block = 0
	c.blocks.Lock()
	defer c.blocks.Unlock()
	c.arena.Free(offset)
	if c.waiting > 0 {
		close(c.room)
		c.room = make(chan struct{})
	}
}
