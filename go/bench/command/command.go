// Package command is the command benchmark, for programs that are the same with further transports.
package command

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

// Subcommands, which take one argument.
const (
	peerCommand   = "peer"   // a process of a run
	callerCommand = "caller" // a client that other programs command
)

// Main is the command: it measures the transports of package bench, and the extra ones, as the command line says, and ends the process. It is
// also the processes that it starts, see bench.RunPeer, and bench.RunCaller.
func Main(extra ...bench.Transport) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// A second signal kills: the peers notice and clean up by themselves.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, extra))
}

// run is the command. It returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, extra []bench.Transport) int {
	if len(args) > 0 {
		switch args[0] {
		case peerCommand:
			return serve(ctx, bench.RunPeer, args, stdin, stdout, stderr, extra)
		case callerCommand:
			return serve(ctx, bench.RunCaller, args, stdin, stdout, stderr, extra)
		}
	}
	options, err := parse(args, stdout, extra)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "benchmark: %v\nRun benchmark -h for help.\n", err)
		return exitUsage
	}
	return measure(ctx, options, stdout, stderr, extra)
}

// serve runs a subcommand.
func serve(ctx context.Context, subcommand func(context.Context, string, io.Reader, io.Writer, ...bench.Transport) error,
	args []string, stdin io.Reader, stdout, stderr io.Writer, extra []bench.Transport) int {
	if len(args) != 2 {
		fmt.Fprintf(stderr, "benchmark %s takes one argument, a JSON object: see package bench\n", args[0])
		return exitUsage
	}
	if err := subcommand(ctx, args[1], stdin, stdout, extra...); err != nil {
		fmt.Fprintln(stderr, err)
		return exitErrors
	}
	return exitOK
}

// measure runs the benchmark and prints what it has measured, also when it is interrupted or fails.
func measure(ctx context.Context, o options, stdout, stderr io.Writer, extra []bench.Transport) int {
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
	benchmark, err := bench.Start(ctx, o.config, extra...)
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
