package nanorpc

import (
	"context"
	"testing"

	"nanorpc/go/internal/link"
)

// A batch whose last calls have been answered, and their slots given back, before the connection ends under the others touches no memory that has gone with them.
func TestBatchAfterTheEndOfItsConnection(t *testing.T) {
	where := WithDirectory(t.TempDir())
	srv := NewServer("ended", where)
	if err := srv.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()
	client, err := Dial(ctx, "ended", where)
	if err != nil {
		t.Fatal(err)
	}
	client.Close() // no slot is held: the segment is unmapped
	batch := client.NewBatch()
	batch.session = client.current.Load()
	batch.collect(link.Wait{}, make([]batchCall, 2*prefetchAhead))
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
