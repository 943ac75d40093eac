package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"nanorpc/go/nanorpc"
)

// The histogram covers 1 ns to 10 minutes with three significant digits.
const (
	longest = int64(10 * time.Minute)
	digits  = 3
)

// call calls the method as often as asked, and prints the last reply and the times.
func call(ctx context.Context, client *nanorpc.Client, o options, payload []byte) error {
	times := hdrhistogram.New(1, longest, digits)
	var reply []byte
	for range o.repeat {
		start := time.Now()
		var err error
		if reply, err = callOnce(ctx, client, o, reply[:0], payload); err != nil {
			return err
		}
		if err := times.RecordValue(min(int64(time.Since(start)), longest)); err != nil {
			return err
		}
	}
	if o.json {
		return json.NewEncoder(os.Stdout).Encode(map[string]any{
			"method": o.method, "size_bytes": len(payload), "calls": o.repeat, "mean_ns": times.Mean(),
			"p50_ns": times.ValueAtPercentile(50), "p99_ns": times.ValueAtPercentile(99),
		})
	}
	if _, err := os.Stdout.Write(present(o.method, reply, o.repeat > 1)); err != nil {
		return err
	}
	if o.repeat > 1 {
		fmt.Printf("%d calls of %d bytes: p50 %v, p99 %v\n", o.repeat, len(payload),
			time.Duration(times.ValueAtPercentile(50)), time.Duration(times.ValueAtPercentile(99)))
	}
	return nil
}

func callOnce(ctx context.Context, client *nanorpc.Client, o options, buffer, payload []byte) ([]byte, error) {
	ctx, cancel := o.limit(ctx)
	defer cancel()
	return client.AppendCall(ctx, buffer, o.method, payload)
}

// present returns what to print for a reply: numbers and digests as lines, other bytes as they are, with a line's end only if text follows.
func present(method string, reply []byte, textFollows bool) []byte {
	switch {
	case method == "sum" && len(reply) == 8:
		return fmt.Appendln(nil, math.Float64frombits(binary.LittleEndian.Uint64(reply)))
	case method == "sha256", textFollows && len(reply) > 0 && reply[len(reply)-1] != '\n':
		return append(reply, '\n')
	}
	return reply
}
