package endpoint

import "sync/atomic"

// A worker's thread may take calls ahead, without Next, where it can do that in less time than it takes to get into Go and back: those that follow, at once, the one that Next has
// returned, in the same slot and of the same method, short, and not given up. For each of them it
//
//   - sees it in the request's word, while the bell says that the slot is watched and no bit of the ready mask is set;
//   - begins the turn that comes 2 after its last one and names the call, turn.ahead, by comparing and swapping. If that fails somebody else leads the connection, and it has taken
//     nothing;
//   - runs and answers it.
//
// The turn stays odd between two such calls, so the leader may be relieved there as well. What has been taken is told to Advance, by the thread, or read in the turn, by who relieves it.
// docs/model/ahead.pml is a model of this.

// Ahead returns where the turn of the connection lies and what it is, if the worker's thread may take the calls ahead that follow the one that Next has returned; else nil. It stays
// there until that one has been answered and Next been called.
func (w *Worker) Ahead() (at *atomic.Uint64, turn uint64) {
	l := &w.leader
	if !w.busy || w.other != nil || !l.leads || l.timed || l.slow || !w.follows {
		return nil, 0
	}
	return &l.conn.turn, uint64(l.turn)
}

// Advance is what a thread has to tell of the calls that it has taken ahead.
type Advance struct {
	Turn                     uint64 // the last that it has begun
	Calls                    uint64
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
	l.call.Follow(a.Generation, a.Length, a.Deadline)
}

// follow finds out whether calls that follow the leader's may be taken ahead. It comes before the turn begins, as from then on others may lead.
func (w *Worker) follow() {
	l := &w.leader
	c := l.conn
	w.follows = c.link.Follows(&l.call.Call)
	if w.follows && !c.pinned { // until the connection has ended: C may have the address of Go's memory only then (the rules of cgo)
		c.pinned = true
		c.pinner.Pin(&c.turn)
	}
}

// noteAhead is note for the calls that have been taken ahead of the last one. From then on calls are taken otherwise.
func (l *leader) noteAhead() {
	c := l.conn
	c.link.Took(l.call.Generation(), l.ahead.calls)
	c.pending.add(l.ahead)
	c.untimed += l.ahead.calls
	l.ahead = count{}
}

// tellAhead is tell for them, where somebody else leads.
func (l *leader) tellAhead() {
	l.conn.tally.add(l.ahead)
	l.call.method.tally.add(l.ahead)
	l.ahead = count{}
}
