package endpoint

import "nanorpc/go/internal/wire"

// turn is a connection's turn: its number, and, if the call that is run in it was taken ahead, which call that is. It is odd, by its number, while the leader runs a handler. Whoever makes
// it even leads: the leader, when the handler returns, or who relieves it. All is in one word, so that who relieves a leader learns from the word that he takes away what that one has
// taken; were it written in another word, before, a leader relieved long ago could still write there.
type turn uint64

// Numbers have 39 bits: at two million turns a second they come back after three days, and that would harm only a thread that has been held up, between two steps, until that very turn.
const (
	turnShift = 25
	turnAhead = 1 << 24 // the lower bits are the generation of the call
)

func (t turn) number() uint64 { return uint64(t >> turnShift) }

// runs reports whether the leader runs a handler.
func (t turn) runs() bool { return t.number()%2 == 1 }

// next returns the turn after this one.
func (t turn) next() turn { return turn(t.number()+1) << turnShift }

// ahead returns the turn in which the leader of this one runs the call of a generation, having taken it ahead.
func (t turn) ahead(generation uint32) turn { return t.next().next() | turnAhead | turn(generation) }

// taken returns the generation of the call, if that has been taken ahead.
func (t turn) taken() (generation uint32, ok bool) {
	return uint32(t & wire.GenerationMask), t&turnAhead != 0
}
