package pycore

import (
	"context"
	"encoding/json"
	"os"

	"nanorpc/go/bench"
)

// runs are the benchmarks that Python has started.
var runs table[*bench.Run]

// BenchStart starts a benchmark, which a JSON object describes (bench.Config), and returns its number, or a failure with a text.
func BenchStart(config string) int64 {
	c, err := bench.ParseConfig(config)
	if err != nil {
		return -statusInvalidOption - texts.add(err.Error())<<statusBits
	}
	r, err := bench.Start(context.Background(), c)
	if err != nil {
		return failure(err)
	}
	return runs.add(r)
}

// BenchPoll returns a benchmark's state and figures as JSON (bench.Snapshot), or an empty string for a number that is none.
func BenchPoll(run int64) string {
	r, ok := runs.get(run)
	if !ok {
		return ""
	}
	b, err := json.Marshal(r.Snapshot())
	if err != nil {
		return "" // not reached: the snapshot is numbers and text
	}
	return string(b)
}

// BenchStop asks a benchmark to stop, and returns at once.
func BenchStop(run int64) int64 {
	r, ok := runs.get(run)
	if !ok {
		return -statusInvalidHandle
	}
	r.Stop()
	return 0
}

// BenchForget stops a benchmark, waits until its peers have ended, and drops its number.
func BenchForget(run int64) int64 {
	r, ok := runs.take(run)
	if !ok {
		return -statusInvalidHandle
	}
	r.Stop()
	_ = r.Wait() // the snapshot has told
	return 0
}

// BenchPeer is the server's side of a benchmark in a process of its own (bench.RunPeer). It blocks until standard input ends, and
// returns 0 or a failure with a text.
func BenchPeer(argument string) int64 {
	if err := bench.RunPeer(context.Background(), argument, os.Stdin, os.Stdout); err != nil {
		return failure(err)
	}
	return 0
}
