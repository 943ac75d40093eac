package pycore

import "sync"

// table numbers values, from 1 on. Numbers are not used again. The zero value is ready to use.
//
// The package's tables are its only variables that change: a C interface can only pass numbers, and they have to be looked up somewhere.
type table[T any] struct {
	mu     sync.RWMutex
	values map[int64]T
	last   int64
}

func (t *table[T]) add(value T) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.values == nil {
		t.values = map[int64]T{}
	}
	t.last++
	t.values[t.last] = value
	return t.last
}

func (t *table[T]) get(id int64) (T, bool) {
	t.mu.RLock()
	value, ok := t.values[id]
	t.mu.RUnlock()
	return value, ok
}

// take removes the value and returns it.
func (t *table[T]) take(id int64) (T, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	value, ok := t.values[id]
	delete(t.values, id)
	return value, ok
}
