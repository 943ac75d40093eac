package bulk

import "golang.org/x/sys/cpu"

// pastCaches says whether storePages may be used, and pays: it has been measured on Intel's processors alone.
var pastCaches = cpu.X86.HasAVX512F && isIntel()

// isIntel reports whether the processor says that Intel has made it (CPUID, leaf 0).
func isIntel() bool

// storePages copies slices of the same length, a multiple of group, to one that begins with a line. Stores of the caller after it are seen after its own.
//
//go:noescape
func storePages(to, from []byte)
