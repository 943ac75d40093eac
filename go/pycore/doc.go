// Package pycore is what the Python package gets of the core, through gopy: plain functions of integers and short strings.
// The Python package wraps every one of them; they are no public API.
//
// Objects are numbers, which each function checks. Failures are negative numbers: see the statuses. Payloads never cross: a function
// returns a place, an offset and a length packed in one integer, and Python reads and writes there through a mapping of its own. Short ones are copied from and to memory whose
// address Python has given. Short calls that need nothing of the core, as the other end is looking at their slot, or sleeps and is to be woken, functions in C make and answer
// themselves: python/packaging/slot.h, ahead.h and rare.h.
//
// Functions that block return within a slice of 50 ms, so that Python can handle signals, and are called again.
package pycore
