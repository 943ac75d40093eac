// Package futex waits for 32-bit words that other processes change: first by spinning, then in the kernel.
//
// A word lies in memory shared between processes, so every operation uses the shared form of futex(2), never FUTEX_PRIVATE_FLAG.
package futex
