package pycore

import "sync"

// tickets numbers the calls that Python works on. Numbers are small and used again, so that they pack with others.
// The zero value is ready to use.
type tickets struct {
	mu    sync.Mutex
	calls []*pythonCall
	free  []int64
}

func (t *tickets) add(c *pythonCall) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.free); n > 0 {
		ticket := t.free[n-1]
		t.free = t.free[:n-1]
		t.calls[ticket] = c
		return ticket
	}
	t.calls = append(t.calls, c)
	return int64(len(t.calls) - 1)
}

func (t *tickets) get(ticket int64) (*pythonCall, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ticket < 0 || ticket >= int64(len(t.calls)) || t.calls[ticket] == nil {
		return nil, false
	}
	return t.calls[ticket], true
}

func (t *tickets) remove(ticket int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls[ticket] = nil
	t.free = append(t.free, ticket)
}
