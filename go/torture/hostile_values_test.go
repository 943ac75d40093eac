package torture

import (
	"math"
	"math/rand/v2"
	"slices"

	"nanorpc/go/internal/wire"
)

// valuesOfField is how many values each field gets in full size.
const valuesOfField = 64

// hostileValues returns what to write to a field of size bytes that holds now: first what may be a limit, then what chance decides.
func hostileValues(l wire.Layout, size int64, now uint64) []uint64 {
	mask := uint64(math.MaxUint64)
	if size == 4 {
		mask = math.MaxUint32
	}
	sign := mask ^ mask>>1
	named := []uint64{0, 1, 2, 3, math.MaxUint64, math.MaxUint64 - 1, sign, sign - 1, sign + 1, now ^ sign, now + 1, now - 1,
		now + uint64(wire.Word(1, 0)), now - uint64(wire.Word(1, 0)), ^now} // another generation
	for _, capacity := range []int64{wire.InlineCapacity, l.MaxPayload, l.RequestStart(), l.RequestStart() + l.RequestArena, l.ReplyStart(), l.Size(), wire.Slots} {
		named = append(named, uint64(capacity-1), uint64(capacity), uint64(capacity+1))
	}
	for _, length := range []int64{wire.InlineCapacity + 1, 5000, 100_000} { // the last place in each arena for requests and replies of the tests
		named = append(named, uint64(l.RequestStart()+l.RequestArena-length), uint64(l.Size()-length))
	}
	named = append(named, uint64(wire.BellPolling(wire.Slots-1)), uint64(wire.BellPolling(wire.Slots)), math.MaxUint32, math.MaxUint32+1, now^wire.FlagNotify, now^wire.StateReleased)
	var values []uint64
	add := func(v uint64) {
		if v &= mask; !slices.Contains(values, v) && len(values) < valuesOfField {
			values = append(values, v)
		}
	}
	for _, v := range named {
		add(v)
	}
	for len(values) < valuesOfField {
		add(rand.Uint64() >> rand.IntN(int(8*size))) // of any length
	}
	return values
}
