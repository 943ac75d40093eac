package endpoint

import (
	"sync/atomic"
	"time"

	"nanorpc/go/internal/futex"
)

// A worker's thread may take calls ahead, without Next, where it can do that in less time than it takes to get into Go and back: those that follow the one that Next has returned, in the
// same slot and of the same method, short, and not given up. For each call that follows at once it
//
//   - sees it in the request's word, while the bell says that the slot is watched and no bit of the ready mask is set;
//   - begins the turn that comes 2 after its last one and names the call, turn.ahead, by comparing and swapping. If that fails somebody else leads the connection, and it has taken
//     nothing;
//   - runs and answers it.
//
// The turn stays odd between two such calls, so the leader may be relieved there as well. What has been taken is told to Advance, by the thread, or read in the turn, by who relieves it.
//
// Where calls are rare it may sleep between two of them, on the bell, as Next does. For that long it
//
//   - ends its turn, by comparing and swapping, so that it leads as who waits in Next does;
//   - sleeps, unless the server is interrupted;
//   - begins the next turn, turn.ahead, whether there is a call to be taken in it or not: without one, it names the last call.
//
// docs/model/ahead.pml is a model of this.

// Ahead is what the worker's thread needs to take calls ahead. All of it stays where it is until Next is called.
type Ahead struct {
	Turn  *atomic.Uint64
	Begun uint64 // the turn
	// Of a thread that may sleep for the next call, and not spin: what wakes it, and whether somebody sees to it that it is relieved; what is not watched Advance has to be told of, after
	// a turn has been begun. Else nil.
	Interrupted, Watched *atomic.Bool
}

// Ahead reports whether the worker's thread may take the calls ahead that follow the one that Next has returned. If it may sleep for them it is woken, until Next is called, for what is
// queued.
func (w *Worker) Ahead() (a Ahead, ok bool) {
	l := &w.leader
	if !w.busy || w.other != nil || !l.leads || l.slow || !w.follows && !w.rarely || w.follows && l.timed {
		return Ahead{}, false
	}
	c := l.conn
	a = Ahead{Turn: &c.turn, Begun: uint64(l.turn)}
	if w.rarely {
		a.Interrupted, a.Watched = c.link.Interrupted(), &c.watched
		w.server.pulled.doze(w)
	}
	return a, true
}

// Advance is what a thread has to tell of the calls that it has taken ahead.
type Advance struct {
	Turn                     uint64 // the last that it has begun
	Calls                    uint64
	Slept                    uint64 // how many of them it has slept for,
	Briefly                  bool   // and the last ones not for as long as a spin lasts
	Ended                    int64  // if it has slept: when the call that Next has returned had been answered, a time of CLOCK_MONOTONIC in ns; else 0
	RequestBytes, ReplyBytes uint64 // of the calls before the last, the one that Next has returned included
	// Of the last:
	Generation uint32
	Length     int
	Deadline   int64
}

// Advance makes the call that Next has returned the last one that the thread has taken ahead. Those before it have been answered.
func (w *Worker) Advance(a Advance) {
	l := &w.leader
	l.turn = turn(a.Turn)
	l.ahead = count{calls: a.Calls, requestBytes: a.RequestBytes, replyBytes: a.ReplyBytes}
	l.slept = futex.Slept{Waits: a.Slept, Briefly: a.Briefly}
	if l.timed && a.Ended != 0 {
		l.took = time.Duration(a.Ended - futex.Time(l.start))
	}
	l.call.Follow(a.Generation, a.Length, a.Deadline)
	l.seeWatched()
}

// follow finds out whether calls that follow the leader's may be taken ahead. It comes before the turn begins, as from then on others may lead.
func (w *Worker) follow() {
	l := &w.leader
	c := l.conn
	w.follows = c.link.Follows(&l.call.Call)
	w.rarely = !w.follows && !c.polls && c.link.FollowsRarely(&l.call.Call)
	if (w.follows || w.rarely) && !c.pinned { // until the connection has ended: C may have the addresses of Go's memory only then (the rules of cgo)
		c.pinned = true
		c.pinner.Pin(&c.turn)
		c.pinner.Pin(c.link)
	}
}

// noteAhead is note for the calls that have been taken ahead of the last one. From then on calls are taken otherwise.
func (l *leader) noteAhead() {
	c := l.conn
	c.link.Took(l.call.Generation(), l.ahead.calls, l.slept)
	c.pending.add(l.ahead)
	c.untimed += l.ahead.calls
	l.ahead, l.slept = count{}, futex.Slept{}
}

// tellAhead is tell for them, where somebody else leads.
func (l *leader) tellAhead() {
	l.conn.tally.add(l.ahead)
	l.call.method.tally.add(l.ahead)
	l.ahead, l.slept = count{}, futex.Slept{}
}
