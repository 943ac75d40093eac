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

func (s *slotSet) add(slot int)    { s[uint(slot)/64].Or(1 << (uint(slot) % 64)) }
func (s *slotSet) remove(slot int) { s[uint(slot)/64].And(^(1 << (uint(slot) % 64))) }

// empty reports whether there is none in any of its words, each looked at once.
func (s *slotSet) empty() bool {
	for i := range s {
		if s[i].Load() != 0 {
			return false
		}
	}
	return true
}

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

// takeSome removes as many slots, from the lowest on, as there are places in slots, or in the set, and returns how many they are: one atomic operation
// for each 64.
func (s *slotSet) takeSome(slots []int) int {
	n := 0
	for i := range s {
		for n < len(slots) {
			word := s[i].Load()
			if word == 0 {
				break
			}
			rest := word
			taken := n
			for ; rest != 0 && taken < len(slots); rest &= rest - 1 {
				slots[taken] = i*64 + bits.TrailingZeros64(rest)
				taken++
			}
			if s[i].CompareAndSwap(word, rest) {
				n = taken
				break
			}
		}
	}
	return n
}

// addAll adds slots.
func (s *slotSet) addAll(slots []int) {
	var words [len(s)]uint64
	for _, slot := range slots {
		words[slot/64] |= 1 << (slot % 64)
	}
	for i, word := range words {
		if word != 0 {
			s[i].Or(word)
		}
	}
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
