package endpoint

import (
	"sync/atomic"

	"nanorpc/go/internal/wire"
)

// A worker's thread may take calls ahead, without Next, where it can do that in less time than it takes to get into Go and back: those that follow, at once, the one that Next has
// returned, in the same slot and of the same method, short, and not given up. For each of them it
//
//   - sees it in the request's word, while the bell says that the slot is watched and no bit of the ready mask is set;
//   - stores, in Taken, with which turn it takes a call of which generation;
//   - begins that turn, which comes 2 after the last: by comparing and swapping. If that fails somebody else leads the connection, and it has taken nothing;
//   - runs and answers it.
//
// The turn stays odd between two such calls, so the leader may be relieved there as well. What has been taken is told to Advance, by the thread, or read in Taken, by who relieves it.

// Turns says who leads a connection. It has no pointers, and stays where it is: threads that are not Go's use it as well.
type Turns struct {
	// turn is odd while the leader runs a handler. Whoever makes it even leads: the leader, when the handler returns, or who relieves it.
	turn  atomic.Uint64
	taken [2]atomic.Uint64 // by turn/2%2: what has been taken ahead in one of the last two turns: turn<<takenShift | generation
}

// takenShift leaves room for a generation.
const takenShift = 24

// Turn returns the address of the turn, with that of Taken after it: two numbers of 64 bits.
func (t *Turns) Turn() *atomic.Uint64 { return &t.turn }

// Taken returns what is stored at the address turn/2%2 behind before a turn in which the call of a generation is taken.
func Taken(turn uint64, generation uint32) uint64 { return turn<<takenShift | uint64(generation) }

// takenIn returns the generation of the call that has been taken ahead in a turn, and false if it has not been. Only who has ended the turn may ask.
func (t *Turns) takenIn(turn uint64) (generation uint32, ok bool) {
	taken := t.taken[turn/2%2].Load()
	generation = uint32(taken & wire.GenerationMask)
	return generation, taken == Taken(turn, generation)
}

// Ahead returns the turns of the connection and the present one, if the worker's thread may take the calls ahead that follow the one that Next has returned; else nil. They stay where
// they are, and mapped, until that one has been answered and Next been called.
func (w *Worker) Ahead() (turns *Turns, turn uint64) {
	l := &w.leader
	if !w.busy || w.other != nil || !l.leads || l.timed || l.slow || !w.follows {
		return nil, 0
	}
	return l.conn.turns, l.turn
}

// Advance is what a thread has to tell of the calls that it has taken ahead.
type Advance struct {
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
	l.turn += 2 * a.Calls
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
		c.pinner.Pin(c.turns)
	}
}

// takenAhead returns the calls that have been taken ahead of the last one, once.
func (l *leader) takenAhead() count {
	n := l.ahead
	l.ahead = count{}
	return n
}

// noteAhead is note for calls that the leader has taken ahead of one. From then on it takes calls otherwise.
func (c *conn) noteAhead(call *Call, n count) {
	if n.calls != 0 {
		c.link.Took(call.Generation())
		c.pending.add(n)
		c.untimed += n.calls
	}
}

// tellAhead is tell for such calls.
func (c *conn) tellAhead(m *method, n count) {
	if n.calls != 0 {
		c.tally.add(n)
		m.tally.add(n)
	}
}
