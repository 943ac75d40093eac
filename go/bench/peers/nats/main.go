// Command nats is the command benchmark with NATS as another transport.
package main

import "nanorpc/go/bench/command"

func main() { command.Main(natsTransport{}) }
