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
	"time"

	"nanorpc/go/internal/cli"
	"nanorpc/go/nanorpc"
)

const usage = `Usage: client [flags] METHOD [FILE]
       client [flags] list

Calls a method with the contents of FILE, of standard input if FILE is -, or of
-data, and prints the reply. "list" prints the running services and their
methods.

Examples:
  client sha256 /etc/os-release       the same digest as sha256sum
  client echo - < picture.png         any bytes there and back
  client -data 250 sleep              text from the command line
  client -n 10000 -data hi echo       repeat, and print percentiles

Flags:
`

const after = `
Exit status: 0 if every call was answered, 1 if not, 2 for wrong flags, 130 when
interrupted.
`

// options are the command line's.
type options struct {
	service   string
	directory string
	timeout   time.Duration
	repeat    int
	json      bool
	data      *string
	method    string
	file      string
}

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
	if ctx.Err() != nil {
		fmt.Fprintln(os.Stderr, "client: interrupted")
		os.Exit(exitInterrupted)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "client:", explain(err, o))
		os.Exit(1)
	}
}

// parse reads the command line. With -h it prints the help on out and returns flag.ErrHelp.
func parse(args []string, out io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("client", flag.ContinueOnError)
	flags.StringVar(&o.service, "service", "demo", "`name` of the service")
	flags.StringVar(&o.directory, "dir", "", cli.DirectoryUsage)
	flags.DurationVar(&o.timeout, "timeout", 10*time.Second, "how long a call may take, as in 500ms or 1m; 0: for ever")
	flags.IntVar(&o.repeat, "n", 1, "`number` of calls; with more than one, prints p50 and p99")
	flags.BoolVar(&o.json, "json", false, "with -n: print the percentiles, and no reply, as a JSON object")
	flags.Func("data", "`text` to send instead of a file", func(text string) error {
		o.data = &text
		return nil
	})
	fail := func(format string, a ...any) (options, error) { return o, fmt.Errorf(format, a...) }
	// Flags may also follow the method and the file.
	var words []string
	for rest := args; ; {
		if err := cli.Parse(flags, rest, out, usage, after); err != nil {
			return o, err
		}
		if flags.NArg() == 0 {
			break
		}
		words, rest = append(words, flags.Arg(0)), flags.Args()[1:]
	}
	switch {
	case len(words) == 0:
		return fail("name a method, or \"list\"")
	case len(words) > 2:
		return fail("unexpected argument %q", words[2])
	case o.repeat < 1:
		return fail("-n %d: use at least 1", o.repeat)
	case o.timeout < 0:
		return fail("-timeout %v: use a positive time, or 0 for none", o.timeout)
	}
	o.method = words[0]
	if len(words) == 2 {
		o.file = words[1]
	}
	switch listing := o.method == "list"; {
	case listing && (o.file != "" || o.data != nil):
		return fail("list takes no payload")
	case !listing && o.file == "" && o.data == nil:
		return fail("name a file, - for standard input, or use -data")
	case o.file != "" && o.data != nil:
		return fail("use either a file or -data")
	}
	return o, nil
}

func run(ctx context.Context, o options) error {
	if o.method == "list" {
		return list(ctx, o)
	}
	client, err := nanorpc.Dial(ctx, o.service, nanorpc.WithDirectory(o.directory))
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
