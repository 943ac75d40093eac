// Package peers is a module of its own, so that NanoRPC depends on nothing that it is compared with: what programs on one machine call each other with. Each is used as its
// documentation recommends where latency counts, with limits raised for long payloads; what could be tuned further is said beside it.
//
// Each is a program of its own, the command benchmark with one more transport. A library may do something by itself, as that of the NATS server does, which reads its CPU time every
// second: that must not count as anybody else's.
package peers
