package endpoint

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"nanorpc/go/internal/link"
	"nanorpc/go/internal/wire"
)

// A handler that has turned out to be slow, so that another goroutine leads its connection, is in flight like any other: Shutdown waits for its reply.
func TestShutdownWaitsForAHandlerThatHasLostTheLeadership(t *testing.T) {
	dir := privateDirectory(t)
	s := NewServer(service, Options{Directory: dir, Layout: layout, Logger: slog.New(slog.DiscardHandler)})
	slow := make(chan chan struct{}, 1)
	if err := s.Handle("trap", func(c *Call) {
		select {
		case release := <-slow:
			<-release
		default:
		}
		c.Reply([]byte("done"))
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	client, err := Dial(t.Context(), dir, service, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for range 2 * quickCalls {
		if _, err := call(client, "trap"); err != nil {
			t.Fatal(err)
		}
	}
	release := make(chan struct{})
	slow <- release
	replied := make(chan error, 1)
	go func() {
		reply, err := call(client, "trap")
		if err == nil && reply.Status != wire.StatusOK {
			err = errors.New("another status")
		}
		replied <- err
	}()
	c := s.live()[0]
	eventually(t, "another goroutine leads", func() bool { return len(slow) == 0 && !c.present().runs() && c.open.Load() == 1 })
	ended := make(chan error, 1)
	go func() { ended <- s.Shutdown(t.Context()) }()
	select {
	case err := <-replied:
		t.Errorf("the call has ended before its handler: %v", err)
	case <-time.After(50 * time.Millisecond): // for a server that does not wait to end the connection
	}
	close(release)
	if err := <-replied; err != nil {
		t.Error(err)
	}
	if err := errors.Join(<-ended, <-served); err != nil {
		t.Error(err)
	}
	if err := client.Err(); err != nil && !errors.Is(err, link.ErrGone) {
		t.Error(err)
	}
}
