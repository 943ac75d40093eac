package link

import (
	"sync/atomic"
	"time"

	"nanorpc/go/internal/futex"
)

// How long, in ns, a waiter waits before it asks for relief from a handler that holds up its call. A sleep takes longer: a CPU that has nothing else to do meanwhile has to be
// woken.
const (
	reliefWait = int64(30 * time.Microsecond)
	// A server that was asleep has to be woken as well, and can have no handler that holds up calls before.
	rousedReliefWait = int64(200 * time.Microsecond)
	// maxReliefWait is for clients whose server is slow because others have its CPU. Its monitor looks at handlers as often.
	maxReliefWait = int64(time.Millisecond)
)

// relief learns how long to wait before asking for it. Where there are more who want the CPUs than CPUs, replies take long with no handler in their way: each ring over the socket
// would cost both ends more than the call. It is safe for concurrent use, and loses a change now and then. The zero value is ready to use.
type relief struct{ longer atomic.Int64 }

// wait returns for how many ns to wait for a reply before asking. roused says that the server had to be woken for the call.
func (r *relief) wait(roused bool) int64 {
	least := reliefWait
	if roused {
		least = rousedReliefWait
	}
	return max(least, r.longer.Load())
}

// answered notes that a reply has come after relief was asked for, at a time of futex.Now. One that comes soon would have come without it, or hardly later.
func (r *relief) answered(asked int64) {
	if futex.Now()-asked > maxReliefWait {
		r.longer.Store(0)
		return
	}
	r.longer.Store(min(2*max(r.longer.Load(), reliefWait), maxReliefWait))
}
