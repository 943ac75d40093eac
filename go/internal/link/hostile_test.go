package link

import (
	"errors"
	"math"
	"sync/atomic"
	"testing"
)

// A server that has closed its end, and goes on to give notice, does not keep the waiter from seeing the end; what it had given before is returned.
func TestNoticesAfterTheEnd(t *testing.T) {
	e := newEnds(t)
	if err := e.client.Hold(); err != nil {
		t.Fatal(err)
	}
	defer e.client.Unhold()
	notices := e.client.Notices()
	ready := &e.client.segment.Notices().Ready
	atomic.StoreUint64(ready, 1)
	e.client.Close(ErrGone)
	if groups, err := notices.Wait(); groups != 1 || err != nil {
		t.Errorf("the notices before the end are %#x, %v", groups, err)
	}
	atomic.StoreUint64(ready, math.MaxUint64)
	if groups, err := notices.Wait(); !errors.Is(err, ErrGone) {
		t.Errorf("after the end there are notices of %#x, %v", groups, err)
	}
}

// A client that has closed its end, and calls on, is not served any more.
func TestCallsAfterTheEnd(t *testing.T) {
	e := newEnds(t)
	e.submit(0)
	e.submit(0)
	if !e.take() {
		t.Fatal("there is no call")
	}
	e.server.Close(ErrGone)
	var call Call
	if err := e.server.Next(&call); !errors.Is(err, ErrGone) {
		t.Errorf("after the end there is a call in slot %d, %v", call.Slot, err)
	}
}
