// Client calls methods of the demonstration service from the command line.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"nanorpc/go/nanorpc"
)

// Exit statuses besides 0 and 1.
const (
	exitUsage       = 2
	exitInterrupted = 130
)

func main() {
	o, err := parse(os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintf(os.Stderr, "client: %v\nRun client -h for help.\n", err)
		os.Exit(exitUsage)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	err = run(ctx, o)
	if ctx.Err() != nil && o.watch {
		return // there is no other end of a watch than this
	}
	if ctx.Err() != nil {
		fmt.Fprintln(os.Stderr, "client: interrupted")
		os.Exit(exitInterrupted)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "client:", explain(err, o))
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	switch o.method {
	case listWord:
		return list(ctx, o)
	case statsWord:
		return stats(ctx, o)
	}
	client, err := nanorpc.Dial(ctx, o.service, o.dialOptions()...)
	if err != nil {
		return err
	}
	defer client.Close()
	payload, err := read(o, client.MaxPayload())
	if err != nil {
		return err
	}
	return call(ctx, client, o, payload)
}

// read returns the payload, of which no more than one byte above the limit is read.
func read(o options, limit int) ([]byte, error) {
	if o.data != nil {
		return []byte(*o.data), nil
	}
	input := os.Stdin
	if o.file != "-" {
		f, err := os.Open(o.file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		input = f
	}
	payload, err := io.ReadAll(io.LimitReader(input, int64(limit)+1))
	if err != nil {
		return nil, err
	}
	if len(payload) > limit {
		return nil, fmt.Errorf("%w: %s has more than the %d bytes that the server accepts", nanorpc.ErrPayloadTooLarge, o.file, limit)
	}
	return payload, nil
}

// explain says what went wrong and what to do about it.
func explain(err error, o options) string {
	text := strings.TrimPrefix(err.Error(), "nanorpc: ")
	if o.method == statsWord {
		if more := explainStats(err, o); more != "" {
			return more
		}
	}
	switch {
	case errors.Is(err, nanorpc.ErrServerNotFound):
		return fmt.Sprintf("no server for service %q; start it with: ./server -service %s", o.service, o.service)
	case errors.Is(err, nanorpc.ErrPayloadTooLarge):
		return text + "; start the server with a larger -max-payload and -arena"
	case errors.Is(err, nanorpc.ErrUnknownMethod):
		return text + "; \"client list\" shows the methods"
	case errors.Is(err, nanorpc.ErrDeadlineExceeded):
		return fmt.Sprintf("no reply to %s within %v; -timeout sets another limit", o.method, o.timeout)
	}
	return text
}
