// Command benchmark measures NanoRPC beside Unix sockets and beside the least that two processes can take. See benchmark -h.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"nanorpc/go/bench"
)

// Exit statuses.
const (
	exitOK          = 0
	exitErrors      = 1 // a call failed, or the run did
	exitUsage       = 2
	exitInterrupted = 130 // as shells report it
)

// peerCommand is the subcommand that runs the server's side of a run in a process of its own.
const peerCommand = "peer"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// A second signal kills: the peers notice and clean up by themselves.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the command. It returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 2 && args[0] == peerCommand {
		if err := bench.RunPeer(ctx, args[1], stdin, stdout); err != nil {
			fmt.Fprintln(stderr, err)
			return exitErrors
		}
		return exitOK
	}
	options, err := parse(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "benchmark: %v\nRun benchmark -h for help.\n", err)
		return exitUsage
	}
	return measure(ctx, options, stdout, stderr)
}

// measure runs the benchmark and prints what it has measured, also when it is interrupted or fails.
func measure(ctx context.Context, o options, stdout, stderr io.Writer) int {
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintf(stderr, "benchmark: %v\n", err)
		return exitErrors
	}
	o.config.PeerCommand = []string{self, peerCommand}
	var out report = &tableReport{out: stdout, config: o.config}
	if o.json {
		out = &lineReport{out: stdout}
	}
	if o.output != "" {
		f, err := os.Create(o.output)
		if err != nil {
			fmt.Fprintf(stderr, "benchmark: %v\n", err)
			return exitUsage
		}
		defer f.Close() // nothing is buffered: the writes have told of errors
		out = reports{out, &lineReport{out: f}}
	}
	progress := newProgressLine(stderr)
	o.config.Finished = func(r bench.Result) {
		progress.clear()
		out.finished(r)
	}
	benchmark, err := bench.Start(ctx, o.config)
	if err != nil {
		fmt.Fprintf(stderr, "benchmark: %v\nRun benchmark -h for help.\n", err)
		return exitUsage
	}
	progress.follow(benchmark)
	failed := benchmark.Wait()
	progress.clear()

	results := benchmark.Results()
	if err := out.end(results); err != nil {
		fmt.Fprintf(stderr, "benchmark: %v\n", err)
		return exitErrors
	}
	status := exitOK
	for _, r := range results {
		if r.Errors > 0 {
			fmt.Fprintf(stderr, "benchmark: %s, %d bytes: %d errors, the first: %s\n", r.Transport, r.SizeBytes, r.Errors, r.FirstError)
			status = exitErrors
		}
	}
	if benchmark.Progress().State == bench.Stopped {
		fmt.Fprintf(stderr, "benchmark: interrupted (%v); what is printed comes from the rounds that were finished\n", failed)
		return exitInterrupted
	}
	if failed != nil {
		fmt.Fprintf(stderr, "benchmark: %v\n", failed)
		return exitErrors
	}
	return status
}
