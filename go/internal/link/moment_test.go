package link

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"nanorpc/go/internal/wire"
)

var moments = []Moment{{Within: 5 * time.Microsecond}, {Within: 5 * time.Microsecond, Insist: true}}

// Both ends find what is there within a moment, and go on where nothing is.
func TestMoment(t *testing.T) {
	e := newEnds(t)
	slot, err := e.client.Acquire(Wait{})
	if err != nil {
		t.Fatal(err)
	}
	var call Call
	for _, m := range moments {
		if err := e.server.NextSoon(&call, m); !errors.Is(err, ErrPending) {
			t.Fatalf("%+v: %v without a call", m, err)
		}
		e.client.Submit(slot, Submission{Method: 7})
		if e.client.AwaitSoon(slot, m) {
			t.Fatalf("%+v: a reply to a call that has not been taken", m)
		}
		if err := e.server.NextSoon(&call, m); err != nil || call.Method != 7 {
			t.Fatalf("%+v: %+v, %v", m, call, err)
		}
		e.server.Publish(&call, wire.StatusOK, e.server.ReplyInline(&call), 0)
		if !e.client.AwaitSoon(slot, m) {
			t.Fatalf("%+v: no reply", m)
		}
		if _, err := e.client.Await(slot, Wait{}); err != nil {
			t.Fatal(err)
		}
		e.client.Recycle(slot)
	}
	e.server.Close(ErrGone)
	if err := e.server.NextSoon(&call, moments[0]); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
}

// A client that changes the word that its server spins on, and does not call, keeps nobody waiting.
func TestMomentOfRestlessClient(t *testing.T) {
	e := newEnds(t)
	word := &e.client.segment.Request(0).Word
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := uint32(0); !stop.Load(); i++ {
			atomic.StoreUint32(word, wire.Word(i&wire.GenerationMask, wire.StateReleased))
		}
	}()
	var call Call
	for i := range 2000 {
		if err := e.server.NextSoon(&call, moments[i%len(moments)]); !errors.Is(err, ErrPending) {
			t.Errorf("%v without a call", err)
			break
		}
	}
	stop.Store(true)
	<-done
}
