// Command grpc is the command benchmark with gRPC over a Unix socket as another transport.
package main

import "nanorpc/go/bench/command"

func main() { command.Main(grpcTransport{}) }
