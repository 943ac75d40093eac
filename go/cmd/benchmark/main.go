// Command benchmark measures NanoRPC beside Unix sockets and beside the least that two processes can take. See benchmark -h.
package main

import "nanorpc/go/bench/command"

func main() { command.Main() }
