package link

import (
	"testing"

	"nanorpc/go/internal/futex"
)

// Who asks for relief in vain waits longer before it asks again, up to a limit; and no longer than at first once a reply has taken long in spite of it.
func TestReliefIsAskedForLaterWhereItIsInVain(t *testing.T) {
	var r relief
	if r.wait(false) != reliefWait || r.wait(true) != rousedReliefWait {
		t.Fatalf("at first it waits for %d and %d ns", r.wait(false), r.wait(true))
	}
	before := r.wait(false)
	for range 20 {
		r.answered(futex.Now())
		if now := r.wait(false); now < before || now > maxReliefWait {
			t.Fatalf("after %d ns it waits for %d", before, now)
		}
		before = r.wait(false)
	}
	if before != maxReliefWait || r.wait(true) != maxReliefWait {
		t.Errorf("at last it waits for %d and %d ns", before, r.wait(true))
	}
	r.answered(futex.Now() - 2*maxReliefWait)
	if r.wait(false) != reliefWait {
		t.Errorf("after a reply that took long it waits for %d ns", r.wait(false))
	}
}
