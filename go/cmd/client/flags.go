package main

import (
	"flag"
	"fmt"
	"io"
	"time"

	"nanorpc/go/internal/cli"
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

// parse reads the command line. With -h it prints the help on out and returns flag.ErrHelp.
func parse(args []string, out io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("client", flag.ContinueOnError)
	flags.StringVar(&o.service, "service", "demo", "`name` of the service")
	flags.StringVar(&o.directory, "dir", "", cli.DirectoryUsage)
	flags.DurationVar(&o.timeout, "timeout", 10*time.Second, "how long a call may take, as in 500ms or 1m; 0: for ever")
	flags.IntVar(&o.repeat, "n", 1, "`number` of calls; with more than one, prints p50 and p99")
	flags.BoolVar(&o.json, "json", false, "print JSON: with -n the percentiles, and no reply; with list an object for\neach service, one a line")
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
