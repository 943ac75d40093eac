package pycore

import (
	"context"
	"os"
	"sync"
	"time"

	"nanorpc/go/internal/endpoint"
	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/rendezvous"
)

// dials are the attempts to connect, and what has come of them, until DialEnd.
var dials table[*dial]

// dial is an attempt to connect.
type dial struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when the rest is set
	client *endpoint.Client
	err    error
	once   sync.Once // the client gets its number
	number int64
}

// Dial begins to connect to a service, and returns the number of the attempt, or a failure with a text. It does not block. The timeout is in ns; with
// seals other than 0, the connection's memory has to be sealed.
func Dial(service, directory, spin string, timeout, seals int64) int64 {
	policy, err := futex.ParsePolicy(spin)
	if err != nil {
		return failure(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(timeout))
	d := &dial{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(d.done)
		d.client, d.err = endpoint.DialTrusting(ctx, directory, service, policy, rendezvous.Trust{Seals: seals != 0})
	}()
	return dials.add(d)
}

// DialWait waits for an attempt, and returns the client's number, a failure with a text, or -statusPending. The client may be asked for again.
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
	if d.err != nil {
		return failure(d.err)
	}
	d.once.Do(func() { d.number = clients.add(&client{Client: d.client, own: d.client.PeerPID() == os.Getpid()}) })
	return d.number
}

// DialEnd gives an attempt up, and ends the connection that has come of it, whatever ClientClose and ClientForget have done. Its number means nothing any more.
func DialEnd(attempt int64) int64 {
	d, ok := dials.take(attempt)
	if !ok {
		return -statusInvalidHandle
	}
	d.cancel()
	select {
	case <-d.done:
		d.close()
	default:
		go func() {
			<-d.done
			d.close()
		}()
	}
	return 0
}

// close needs done.
func (d *dial) close() {
	if d.err != nil {
		return
	}
	d.once.Do(func() {}) // who asks DialWait just now gets no number
	d.client.Close()
	c, ok := clients.take(d.number)
	if !ok {
		return
	}
	for slot := range c.tickets { // which nobody can give back any more: they would keep the segment mapped
		if ticket := c.tickets[slot].Load(); ticket != 0 {
			c.drop(slot, ticket)
		}
	}
	c.pinned.Unpin()
}
