package pycore

import (
	"context"
	"time"

	"nanorpc/go/internal/endpoint"
	"nanorpc/go/internal/futex"
)

// dials are the attempts to connect that have not been asked to their end.
var dials table[*dial]

// dial is an attempt to connect.
type dial struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when the rest is set
	client *endpoint.Client
	err    error
}

// Dial begins to connect to a service, and returns the number of the attempt, or a failure with a text. It does not block. The timeout is in ns.
func Dial(service, directory, spin string, timeout int64) int64 {
	policy, err := futex.ParsePolicy(spin)
	if err != nil {
		return failure(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(timeout))
	d := &dial{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(d.done)
		d.client, d.err = endpoint.Dial(ctx, directory, service, policy)
	}()
	return dials.add(d)
}

// DialWait waits for an attempt, and returns the client's number, a failure with a text, or -statusPending.
func DialWait(attempt int64) int64 {
	d, ok := dials.get(attempt)
	if !ok {
		return -statusInvalidHandle
	}
	select {
	case <-d.done:
	case <-time.After(slice):
		return -statusPending
	}
	dials.take(attempt)
	d.cancel()
	if d.err != nil {
		return failure(d.err)
	}
	return clients.add(&client{Client: d.client})
}

// DialCancel gives an attempt up.
func DialCancel(attempt int64) int64 {
	d, ok := dials.take(attempt)
	if !ok {
		return -statusInvalidHandle
	}
	d.cancel()
	go func() {
		<-d.done
		if d.err == nil {
			d.client.Close()
		}
	}()
	return 0
}
