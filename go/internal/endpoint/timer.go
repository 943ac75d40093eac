package endpoint

import (
	"context"
	"sync"
	"time"
)

// timerOnce is a context with a deadline, made when first needed.
type timerOnce struct {
	once    sync.Once
	context context.Context
}

func (t *timerOnce) get(parent context.Context, deadline time.Time) context.Context {
	t.once.Do(func() {
		ctx, cancel := context.WithDeadline(parent, deadline)
		context.AfterFunc(ctx, cancel) // the deadline ends it; nobody else does
		t.context = ctx
	})
	return t.context
}
