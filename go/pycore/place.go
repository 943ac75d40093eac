package pycore

// placeUnit divides every offset at which a payload begins.
const placeUnit = 32

// place packs an offset in the segment, in units of 32 bytes, and a length: both fit in 31 and 32 bits, as segments have less than 64 GiB
// (wire.MaxArena) and payloads less than 4 GiB.
func place(offset int64, length int) int64 { return offset/placeUnit<<32 | int64(length) }

// lengthMask are the bits of a place that are its length.
const lengthMask = 1<<32 - 1
