// Command peers is the command benchmark with transports that are other people's: what programs on one machine call each other with. It is a
// module of its own, so that NanoRPC depends on none of them.
//
// Each transport is used as its documentation recommends where latency counts, with limits raised for long payloads. What could be tuned
// further is said beside it.
package main

import (
	"nanorpc/go/bench"
	"nanorpc/go/bench/command"
)

func main() { command.Main(transports()...) }

func transports() []bench.Transport { return []bench.Transport{grpcTransport{}, natsTransport{}} }
