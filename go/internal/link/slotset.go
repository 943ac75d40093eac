package link

import (
	"math"
	"math/bits"
	"sync/atomic"

	"nanorpc/go/internal/wire"
)

// slotSet is a set of call slots, a bit for each. Its methods are safe for concurrent use. The zero value is empty.
type slotSet [wire.Slots / 64]atomic.Uint64

func (s *slotSet) fill() {
	for i := range s {
		s[i].Store(math.MaxUint64)
	}
}

func (s *slotSet) add(slot int)    { s[slot/64].Or(1 << (slot % 64)) }
func (s *slotSet) remove(slot int) { s[slot/64].And(^(1 << (slot % 64))) }

// takeLowest removes the lowest slot and returns it, and whether there was one.
func (s *slotSet) takeLowest() (int, bool) {
	for i := range s {
		for {
			word := s[i].Load()
			if word == 0 {
				break
			}
			bit := bits.TrailingZeros64(word)
			if s[i].CompareAndSwap(word, word&^(1<<bit)) {
				return i*64 + bit, true
			}
		}
	}
	return 0, false
}

// takeAllBut empties the set if it holds every slot that others does not, and reports whether it has.
func (s *slotSet) takeAllBut(others *slotSet) bool {
	var taken [len(s)]uint64
	for i := range s {
		taken[i] = ^others[i].Load()
		if !s[i].CompareAndSwap(taken[i], 0) {
			for j := range i {
				s[j].Or(taken[j])
			}
			return false
		}
	}
	return true
}

// each calls f with every slot of the set.
func (s *slotSet) each(f func(slot int)) {
	for i := range s {
		for word := s[i].Load(); word != 0; word &= word - 1 {
			f(i*64 + bits.TrailingZeros64(word))
		}
	}
}
