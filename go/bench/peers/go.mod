module nanorpc/go/bench/peers

go 1.26.0

require (
	github.com/nats-io/nats-server/v2 v2.15.2
	github.com/nats-io/nats.go v1.55.0
	google.golang.org/grpc v1.85.0
	nanorpc v0.0.0
)

replace nanorpc => ../../..
