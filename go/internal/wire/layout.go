package wire

import (
	"errors"
	"fmt"
	"math/bits"
)

// Version is the version of the protocol. Peers of different versions do not talk to each other.
const Version = 1

// Magic is the first word of a segment: "NanoRPC\x01", little-endian.
const Magic = 0x01_43_50_52_6f_6e_61_4e

// Slots is the number of call slots.
const Slots = 256

// Groups is the number of bits in a mask of slots. Bit g stands for the slots g, g+Groups, g+2*Groups and so on: one atomic operation announces any
// number of slots, and as clients use low slots first, a bit usually stands for one.
const Groups = 64

// Sizes in bytes.
const (
	lineSize   = 64 // of a CPU's caches
	pageSize   = 4096
	slotsPage  = pageSize / slotSize // slots in a page
	slotSize   = 512
	headerSize = pageSize
	slotsSize  = Slots * slotSize
	arenaStart = headerSize + slotsSize

	// arenaGap lies between the arenas, without pages. Arenas have sizes, and payloads places, that are powers of two, so that a reply would often lie at a multiple
	// of 256 MiB from its request. AMD's processors tell lines apart by a hash of the bits below (the way predictor: Lipp et al., Take A Way, 2020): whoever reads one
	// while he writes the other, as handlers do, then takes a quarter longer.
	arenaGap = 1<<20 + 1<<16

	// CommittedSlots is how many slots have pages when a segment is made.
	CommittedSlots = slotsPage

	// InlineCapacity is the longest payload that travels in its slot.
	InlineCapacity = 224

	// MaxArena bounds an arena, so that offsets and sizes never overflow.
	MaxArena = 1 << 34

	// MaxPayloadLimit is what the 32-bit length of a payload can say.
	MaxPayloadLimit = 1<<32 - 1
)

// Lines returns in how many lines of its half of a slot, from the word's on, a payload lies: 1 to 4, and for one that lies elsewhere the word's alone.
func Lines(length int) int {
	if length > InlineCapacity {
		return 1
	}
	return (inlineOffset + length + lineSize - 1) / lineSize
}

// ErrLayout reports a segment whose description contradicts itself or its size.
var ErrLayout = errors.New("invalid segment")

// Layout is what varies between segments.
type Layout struct {
	RequestArena int64 // bytes that it may grow to, a multiple of the page size
	ReplyArena   int64 // the same
	MaxPayload   int64 // the longest payload of a request or a reply; at most either arena
}

// NewLayout returns the layout of segments with arenas of the given size, rounded up to pages, and the given payload limit, both in bytes.
// It returns ErrLayout, with what to do, if that cannot be.
func NewLayout(arena, maxPayload int64) (Layout, error) {
	if arena <= 0 || arena > MaxArena {
		return Layout{}, fmt.Errorf("%w: an arena of %d bytes: use 1 to %d", ErrLayout, arena, int64(MaxArena))
	}
	arena = (arena + pageSize - 1) / pageSize * pageSize
	if maxPayload <= 0 || maxPayload > MaxPayloadLimit {
		return Layout{}, fmt.Errorf("%w: a payload limit of %d bytes: use 1 to %d", ErrLayout, maxPayload, int64(MaxPayloadLimit))
	}
	// The arena hands out powers of two (package arena).
	if block := int64(pageSize) << bits.Len64(uint64((maxPayload-1)/pageSize)); block > arena {
		return Layout{}, fmt.Errorf("%w: a payload of %d bytes takes a block of %d, and the arena has %d bytes: raise the arena or lower the payload limit",
			ErrLayout, maxPayload, block, arena)
	}
	return Layout{RequestArena: arena, ReplyArena: arena, MaxPayload: maxPayload}, nil
}

// Validate returns ErrLayout with the reason if the layout is impossible.
func (l Layout) Validate() error {
	for _, arena := range []int64{l.RequestArena, l.ReplyArena} {
		if arena <= 0 || arena > MaxArena || arena%pageSize != 0 {
			return fmt.Errorf("%w: an arena of %d bytes (want a multiple of %d up to %d)", ErrLayout, arena, pageSize, int64(MaxArena))
		}
	}
	if l.MaxPayload <= 0 || l.MaxPayload > min(l.RequestArena, l.ReplyArena, MaxPayloadLimit) {
		return fmt.Errorf("%w: a payload limit of %d bytes with arenas of %d and %d bytes", ErrLayout, l.MaxPayload, l.RequestArena, l.ReplyArena)
	}
	return nil
}

// Size returns the size of the whole segment in bytes.
func (l Layout) Size() int64 { return l.ReplyStart() + l.ReplyArena }

// RequestStart returns the offset at which the request arena begins.
func (l Layout) RequestStart() int64 { return arenaStart }

// ReplyStart returns the offset at which the reply arena begins.
func (l Layout) ReplyStart() int64 { return arenaStart + l.RequestArena + arenaGap }
