// Server serves the demonstration service: echo, sum, sha256 and sleep.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/docker/go-units"

	"nanorpc/go/internal/cli"
	"nanorpc/go/nanorpc"
)

const usage = `Usage: server [flags]

Serves a demonstration service until SIGINT or SIGTERM; then lets calls in
flight end, and leaves nothing behind.

Methods:
  echo     any bytes                          the same bytes
  sum      float64 numbers, little-endian     their sum, a float64
  sha256   any bytes                          their SHA-256 digest in hex
  sleep    milliseconds in ASCII digits       the same, after that time

Flags (sizes take suffixes: 64k, 16MiB):
`

const after = `
Exit status: 0 after SIGINT or SIGTERM, 1 when it cannot serve or calls had to
be cut off, 2 for wrong flags.
`

// Exit statuses besides 0.
const (
	exitFailed = 1
	exitUsage  = 2
)

// options are the command line's.
type options struct {
	service    string
	directory  string
	arena      int64
	maxPayload int64
	spin       nanorpc.SpinPolicy
	level      slog.Level
	drain      time.Duration
	uids, gids []int

	handlers, each, connections int // see the flags
}

func main() {
	o, err := parse(os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintf(os.Stderr, "server: %v\nRun server -h for help.\n", err)
		os.Exit(exitUsage)
	}
	// A second signal ends the program at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "server:", strings.TrimPrefix(err.Error(), "nanorpc: "))
		os.Exit(exitFailed)
	}
}

// parse reads the command line. With -h it prints the help on out and returns flag.ErrHelp.
func parse(args []string, out io.Writer) (options, error) {
	o := options{arena: nanorpc.DefaultArena, maxPayload: nanorpc.DefaultMaxPayload}
	flags := flag.NewFlagSet("server", flag.ContinueOnError)
	flags.StringVar(&o.service, "service", "demo", "`name` of the service: letters, digits, '.', '_', '-'")
	flags.StringVar(&o.directory, "dir", "", cli.DirectoryUsage)
	flags.Func("arena", "`size` up to which the shared memory of each client grows for requests, and\nagain for replies, that do not fit in a slot (default 1GiB)", sizeInto(&o.arena))
	flags.Func("max-payload", "longest request and reply: a `size` up to the arena (default 256MiB)", sizeInto(&o.maxPayload))
	flags.Func("spin", "`policy` while waiting for calls: adaptive spins up to 50 µs, then sleeps;\nbusy never sleeps and takes a CPU per client; none always sleeps\n(default adaptive)", func(text string) (err error) {
		o.spin, err = nanorpc.ParseSpinPolicy(text)
		return err
	})
	flags.Func("log-level", "least `level` of the messages on stderr: debug, info, warn, error\n(default info)", func(text string) error {
		if err := o.level.UnmarshalText([]byte(text)); err != nil {
			return errors.New("use debug, info, warn or error")
		}
		return nil
	})
	flags.Func("max-concurrency", "`number` of handlers that run at once, over all clients; further calls wait\n(default 0: no limit)", numberInto(&o.handlers, "no limit"))
	flags.Func("max-concurrency-each", "`number` of handlers that run at once for one client; further calls wait\n(default 0: no limit)", numberInto(&o.each, "no limit"))
	flags.Func("max-connections", fmt.Sprintf("`number` of connections that each user may have at once\n(default 0: %d for other users, no limit for this one)", nanorpc.DefaultMaxConnectionsPerUser), numberInto(&o.connections, "the default"))
	flags.Func("allow-uid", "`users` who may connect besides this one: names or numbers, with commas;\nneeds a directory (-dir) that they can enter and only this user can write", idsInto(&o.uids, lookupUser))
	flags.Func("allow-gid", "`groups` whose members may connect: as -allow-uid", idsInto(&o.gids, lookupGroup))
	flags.DurationVar(&o.drain, "drain", nanorpc.DefaultDrainTimeout, "how long calls in flight may take to end after SIGINT or SIGTERM")
	if err := cli.Parse(flags, args, out, usage, after); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q: everything is said with flags", flags.Arg(0))
	}
	return o, nil
}

func numberInto(n *int, zero string) func(string) error {
	return func(text string) (err error) {
		if *n, err = strconv.Atoi(text); err != nil || *n < 0 {
			return fmt.Errorf("use a positive number, or 0 for %s", zero)
		}
		return nil
	}
}

func sizeInto(size *int64) func(string) error {
	return func(text string) (err error) {
		if *size, err = units.RAMInBytes(text); err != nil {
			return errors.New("use a number with an optional suffix, as in 4096, 64k or 16MiB")
		}
		return nil
	}
}

func run(ctx context.Context, o options) error {
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: o.level}))
	srv := nanorpc.NewServer(o.service,
		nanorpc.WithDirectory(o.directory),
		nanorpc.WithArena(int(o.arena)),
		nanorpc.WithMaxPayload(int(o.maxPayload)),
		nanorpc.WithSpin(o.spin),
		nanorpc.WithDrainTimeout(o.drain),
		nanorpc.WithMaxConcurrency(o.handlers),
		nanorpc.WithMaxConcurrencyPerConnection(o.each),
		nanorpc.WithMaxConnectionsPerUser(o.connections),
		nanorpc.AllowUID(o.uids...),
		nanorpc.AllowGID(o.gids...),
		nanorpc.WithLogger(logger),
	)
	for name, handler := range methods() {
		if err := srv.Handle(name, handler); err != nil {
			return err
		}
	}
	if err := srv.Listen(); err != nil {
		return err
	}
	fmt.Printf("server: ready, service %s, process %d\n", o.service, os.Getpid())
	err := srv.Serve(ctx)
	if errors.Is(err, nanorpc.ErrDeadlineExceeded) {
		return fmt.Errorf("calls were still running %v after the signal", o.drain)
	}
	return err
}
