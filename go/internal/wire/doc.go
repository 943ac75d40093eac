// Package wire is the layout of a segment: which words lie where, who writes them, and what their bits mean. docs/protocol.md
// describes it for other languages.
//
// A segment holds a header, a doorbell, call slots, the request arena and the reply arena. Every cache line has one writer on the fast
// path, and lines of different writers lie at least 128 bytes apart, because processors fetch lines in adjacent pairs.
package wire
