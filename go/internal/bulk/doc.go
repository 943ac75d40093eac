// Package bulk copies payloads.
//
// To memory that another process has just read they are copied by Share, which asks for its lines before it stores to them, as each store waits for its line: futex.PrefetchWrite.
//
// Of what is longer than a core's own cache the first bytes are gone from it when the last are copied. To have each line fetched before it is written over is in vain then, and takes a third
// of the memory's time. So from Long bytes on whole lines are stored past the caches, in four pages in turn, so that they go to several banks of memory and what is fetched ahead has time to
// come (glibc's large_memcpy_4x does the same).
//
// The runtime's copy stores past the caches as well, from 1 MiB on, half a line at a time: where it was measured, that gains nothing. memcpy of glibc does so only beyond three quarters of the last
// cache, as the processor says it is; but that belongs to many cores, and on a virtual machine to others as well. Figures are in docs/benchmarks.md.
package bulk
