package bench_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"nanorpc/go/bench"
)

func ExampleStart() {
	self, err := os.Executable()
	if err != nil {
		log.Fatal(err)
	}
	c := bench.DefaultConfig()
	c.Transports = []string{"nanorpc", "uds"}
	c.Sizes = []int{64}
	c.Calls, c.Rounds = 100, 3
	c.PeerCommand = []string{self, "peer"} // main calls bench.RunPeer when its first argument is "peer"

	run, err := bench.Start(context.Background(), c)
	if err != nil {
		log.Fatal(err)
	}
	if err := run.Wait(); err != nil {
		log.Fatal(err)
	}
	for _, r := range run.Results() {
		fmt.Println(r.Transport, r.SizeBytes, "bytes:", r.Calls, "calls,", r.Errors, "errors, timed:", r.P50NS > 0)
	}
	// Output:
	// nanorpc 64 bytes: 300 calls, 0 errors, timed: true
	// uds 64 bytes: 300 calls, 0 errors, timed: true
}
