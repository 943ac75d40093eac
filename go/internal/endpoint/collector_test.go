package endpoint

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/link"
	"nanorpc/go/internal/wire"
)

// collecting returns a client with a collector, and the eventfd that it writes to.
func collecting(t *testing.T, s *pulledServer) (*Client, *Collector, int) {
	t.Helper()
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	c := s.dial(t)
	k, err := c.Collect(fd)
	if err != nil {
		t.Fatal(err)
	}
	return c, k, fd
}

// await blocks until the eventfd has been written to.
func await(t *testing.T, fd int) {
	t.Helper()
	if _, err := unix.Read(fd, make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
}

// Every reply that is expected after its call has been submitted is told of exactly once, unless it was there already.
func TestCollectorTellsOnce(t *testing.T) {
	s := startPulled(t, 1)
	c, k, fd := collecting(t, s)
	const calls = 3000
	open := map[int]bool{}
	told := 0
	slots := make([]int64, 7) // fewer than there may be
	for begun := 0; told < calls; {
		for ; begun < calls && len(open) < 200; begun++ {
			slot, err := c.Acquire(link.Wait{})
			if err != nil {
				t.Fatal(err)
			}
			woke := c.Submit(slot, link.Submission{Method: wire.MethodID("echo")})
			if k.Expect(slot, woke) {
				told++
				c.Release(slot)
				continue
			}
			open[slot] = true
		}
		if len(open) == 0 {
			continue
		}
		await(t, fd)
		for n := 1; n > 0; {
			var err error
			if n, err = k.Take(slots); err != nil {
				t.Fatal(err)
			}
			for _, slot := range slots[:n] {
				if !open[int(slot)] || !c.Finished(int(slot)) {
					t.Fatalf("slot %d is told of: open %v, finished %v", slot, open[int(slot)], c.Finished(int(slot)))
				}
				delete(open, int(slot))
				c.Release(int(slot))
				told++
			}
		}
	}
}

// When the connection ends that is told, whether a call was submitted before or after; and a call that has been forgotten is not told of.
func TestCollectorTellsOfTheEnd(t *testing.T) {
	s := startPulled(t, 1)
	c, k, fd := collecting(t, s)
	defer close(s.release)
	submit := func(method string) (slot int, finished bool) {
		slot, err := c.Acquire(link.Wait{})
		if err != nil {
			t.Fatal(err)
		}
		return slot, k.Expect(slot, c.Submit(slot, link.Submission{Method: wire.MethodID(method)}))
	}
	stuck, finished := submit("block")
	if finished {
		t.Fatal("a call that blocks is finished")
	}
	forgotten, _ := submit("block")
	if !k.Forget(forgotten) || k.Forget(forgotten) {
		t.Error("a call is forgotten not once")
	}
	c.Abandon(forgotten)
	late, err := c.Acquire(link.Wait{})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	await(t, fd)
	if n, err := k.Take(make([]int64, 10)); n != 0 || !errors.Is(err, link.ErrClosed) {
		t.Errorf("%d replies, %v", n, err)
	}
	if !k.Expect(late, c.Submit(late, link.Submission{Method: wire.MethodID("echo")})) {
		t.Error("a reply is expected of a connection that has ended")
	}
	c.Release(stuck)
	c.Release(late)
}

// A brief wait is left out where it has been in vain, and tried again now and then.
func TestAwaitBriefly(t *testing.T) {
	s := startPulled(t, 1)
	c := s.dial(t)
	defer close(s.release)
	slot, err := c.Acquire(link.Wait{})
	if err != nil {
		t.Fatal(err)
	}
	c.Submit(slot, link.Submission{Method: wire.MethodID("block")})
	const limit = 20_000 // ns
	var waited []int
	for i := range 300 {
		before := futex.Now()
		if c.AwaitBriefly(slot, limit, false) {
			t.Fatal("a call that blocks has a reply")
		}
		if futex.Now()-before >= limit {
			waited = append(waited, i)
		}
	}
	// Who loses the CPU meanwhile seems to have waited.
	if len(waited) > 100 || !slices.Contains(waited, 0) {
		t.Errorf("of 300 waits in vain, %d were made: %v", len(waited), waited)
	}
	<-s.blocked
}
