package link

import (
	"testing"

	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/wire"
)

// BenchmarkOneThread is both ends of a call in one goroutine: what the instructions cost without transfers between CPUs.
func BenchmarkOneThread(b *testing.B) {
	l, err := wire.NewLayout(1<<20, 1<<20)
	if err != nil {
		b.Fatal(err)
	}
	segment, file, err := wire.Create(l)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	client, server := NewClient(segment, futex.Adaptive, func() {}), NewServer(segment, futex.Adaptive, futex.NewPermits(1))
	request, reply := make([]byte, 64), make([]byte, 0, 64)
	server.setBell(wire.BellPolling(0))
	var call Call
	for b.Loop() {
		slot, err := client.Acquire(Wait{})
		if err != nil {
			b.Fatal(err)
		}
		offset, _ := client.Reserve(slot, len(request), Wait{})
		copy(client.Bytes(offset, len(request)), request)
		client.Submit(slot, Submission{Method: 1, Length: len(request)})
		if err := server.Next(&call); err != nil {
			b.Fatal(err)
		}
		offset, _ = server.Allocate(&call, call.Length)
		copy(server.Bytes(offset, call.Length), server.Bytes(call.Offset, call.Length))
		server.Publish(&call, wire.StatusOK, offset, call.Length)
		answer, err := client.Await(slot, Wait{})
		if err != nil {
			b.Fatal(err)
		}
		reply = append(reply[:0], client.Bytes(answer.Offset, answer.Length)...)
		client.Release(slot)
	}
}
