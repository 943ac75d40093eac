package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"time"

	"nanorpc/go/internal/cli"
	"nanorpc/go/nanorpc"
)

const usage = `Usage: client [flags] METHOD [FILE]
       client [flags] list
       client [flags] stats [SERVICE]

Calls a method with the contents of FILE, of standard input if FILE is -, or of
-data, and prints the reply. "list" prints the running services and their
methods, "stats" what the server of a service has counted.

Examples:
  client sha256 /etc/os-release       the same digest as sha256sum
  client echo - < picture.png         any bytes there and back
  client -data 250 sleep              text from the command line
  client -n 10000 -data hi echo       repeat, and print percentiles
  client list -json                   what runs, for programs
  client stats -watch                 what the server does, every second

Flags:
`

const after = `
What stats prints, counted since the server's start:
  CALLS      calls that have been answered
  CALLS/S    with -watch: of those, how many in a second since the last print
  ERRORS     of the calls, those answered with anything but a reply
  INFLIGHT   calls that have been taken and not been answered
  IN, OUT    bytes of requests and of replies
  P50, P99   in what time the server has answered half of the calls, and 99 of
             100, from when it took one; too long by up to a quarter. With
             -watch: of the calls since the last print
  PROCESS    the client's process id
  MEMORY     shared memory that the connection takes
  REPLIES    of that, what holds replies
  SPUN       the server's waits for this client's next call that a spin ended
  SLEPT      the server's waits for which it has gone to sleep
Connections are those that have called, 20 at most, most calls first. A client
that calls all the time has made up to 63 calls more than are counted. stats is
a client of the server as well, calls nanorpc.stats, and is shown with the rest.

A watch ends with Ctrl-C, or with an error when the server ends. To go on with
the next server:
  until client stats -watch; do sleep 1; done

With -json, stats prints all that the server says: the keys of nanorpc.stats in
docs/protocol.md, section 7, and interval_ns, calls_per_s, p50_ns, p99_ns, which
are null where they are not known, and own, which marks its own connection.

Exit status: 0 if every call was answered, 1 if not, 2 for wrong flags, 130 when
interrupted; 0 when a watch is interrupted.
`

// options are the command line's.
type options struct {
	service   string
	directory string
	serverUID *int // nil: this user's
	timeout   time.Duration
	repeat    int
	json      bool
	data      *string
	method    string
	file      string
	watch     bool
	interval  time.Duration // of the prints of a watch
}

// Words that stand where a method does, and are none.
const (
	listWord  = "list"
	statsWord = "stats"
)

// limit returns a context that ends with -timeout.
func (o options) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if o.timeout == 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, o.timeout)
}

// dialOptions say which server is wanted.
func (o options) dialOptions(more ...nanorpc.DialOption) []nanorpc.DialOption {
	all := append(more, nanorpc.WithDirectory(o.directory))
	if o.serverUID != nil {
		all = append(all, nanorpc.WithServerUID(*o.serverUID))
	}
	return all
}

// parse reads the command line. With -h it prints the help on out and returns flag.ErrHelp.
func parse(args []string, out io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("client", flag.ContinueOnError)
	flags.StringVar(&o.service, "service", "demo", "`name` of the service")
	flags.StringVar(&o.directory, "dir", "", cli.DirectoryUsage)
	flags.Func("server-uid", "`number` of the user as whom the server runs, if that is another; not for\nlist", func(text string) error {
		uid, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return errors.New("use a user's number, as in id -u")
		}
		o.serverUID = new(int(uid))
		return nil
	})
	flags.DurationVar(&o.timeout, "timeout", 10*time.Second, "how long a call may take, as in 500ms or 1m; 0: for ever")
	flags.IntVar(&o.repeat, "n", 1, "`number` of calls; with more than one, prints p50 and p99")
	flags.BoolVar(&o.json, "json", false, "print JSON: with -n the percentiles, and no reply; with list an object for\neach service, one a line; with stats an object for each print, one a line")
	flags.BoolVar(&o.watch, "watch", false, "with stats: print until Ctrl-C, on a terminal in place")
	flags.DurationVar(&o.interval, "interval", time.Second, "with -watch: `time` from one print to the next")
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
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if len(words) == 0 {
		return fail("name a method, \"list\" or \"stats\"")
	}
	o.method = words[0]
	command := o.method == listWord || o.method == statsWord
	switch {
	case len(words) > 2:
		return fail("unexpected argument %q", words[2])
	case o.repeat < 1:
		return fail("-n %d: use at least 1", o.repeat)
	case command && given["n"]:
		return fail("-n goes with a method")
	case o.timeout < 0:
		return fail("-timeout %v: use a positive time, or 0 for none", o.timeout)
	case given["watch"] && o.method != statsWord:
		return fail("-watch goes with stats")
	case given["interval"] && !o.watch:
		return fail("-interval goes with stats -watch")
	case o.interval <= 0:
		return fail("-interval %v: use a positive time", o.interval)
	case command && o.data != nil:
		return fail("%s takes no payload", o.method)
	}
	argument := ""
	if len(words) == 2 {
		argument = words[1]
	}
	switch {
	case o.method == statsWord && argument == "":
	case o.method == statsWord && given["service"] && o.service != argument:
		return fail("two services: %q and %q", o.service, argument)
	case o.method == statsWord:
		o.service = argument
	case o.method == listWord && argument != "":
		return fail("list takes no payload")
	case o.method == listWord:
	case argument == "" && o.data == nil:
		return fail("name a file, - for standard input, or use -data")
	case argument != "" && o.data != nil:
		return fail("use either a file or -data")
	default:
		o.file = argument
	}
	return o, nil
}
