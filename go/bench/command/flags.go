package command

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"nanorpc/go/bench"
	"nanorpc/go/internal/cli"
)

// options are what the command line says.
type options struct {
	config bench.Config // without PeerCommand
	json   bool
	output string // file that gets what -json would print; "" for none
}

const usage = `Usage: benchmark [flags]

Measures round trips between two processes: this one calls a function of a peer
process, the server, that echoes the payload, in several ways (transports):
  limit          the least that two processes can do: both spin on two cache
                 lines of shared memory, and move no payload at all
  limit-copy     the same, with the payload copied in and out on both sides
  nanorpc        NanoRPC's ordinary calls
  nanorpc-busy   the same, spinning all the time; so compared with -spin's in
  nanorpc-none   one run; and never spinning
  nanorpc-loan   requests and replies that stay where they are: only their
                 ends are written and read
  nanorpc-batch  one caller, with all that is to be in flight in one batch
  uds            a Unix stream socket
  uds-batch      one caller, which sends all that is to be in flight at once
  tcp            TCP on the loopback interface
%s
Examples:
  benchmark
  benchmark -transport nanorpc,uds -size 64,4k,1MiB -rounds 11
  benchmark -transport nanorpc -size 64 -inflight 16 -duration 2s
  benchmark -transport nanorpc-batch,uds-batch -size 64 -inflight 64
  benchmark -transport nanorpc,uds -size 64 -clients 8
  benchmark -transport nanorpc,uds -size 64 -rate 20000 -duration 2s
  benchmark -n 100000 -json > results.jsonl
  benchmark -output results.jsonl && python -m nanorpc.plot results.jsonl p.png

Flags:
`

const method = `
What is measured: the time from just before a call to just after it, with one
reading of the clock in it (here %v, not subtracted). Each reply is compared
with its request, outside of that time. The loop is closed: a caller makes its
next call when the last is answered, so these are round-trip times, not response
times under a given load. Those are measured with -rate: calls are then due at
even intervals, and each is timed from when it was due, also if it could begin
only later because those before it took long (no coordinated omission). Where
calls/s stays below the rate the transport does not keep up.

In each round all cases, a transport with a size, are measured in turn, after
connecting anew and warming up. Figures are medians over the rounds; beside the
p50 stand its lowest and highest round. With -inflight 1, calls/s is what a
caller reaches that does nothing but call; with more, calls over elapsed time.
With -inflight above 1, uds and tcp have a connection for each caller, nanorpc
one client for all; a call of a batch takes as long as the batch.

With -clients above 1 so many other processes call the one server at once, each
with -inflight callers, while this one waits. They begin to count at the same
moment, share the calls of -n, and stop calling when the last has measured.
calls/s is that of all; "fair" replaces the mean: the slowest client's rate
divided by the mean rate of the clients, 1.00 if all are equally fast. With -n
neither says much, as a client may make its calls while the others wait.

-json prints, and -output writes, an object for each case, one a line, with the
keys transport, size_bytes, clients, inflight, calls, mean_ns, p50_ns, p99_ns,
p999_ns, calls_per_s, errors, client_cpu_ns, server_cpu_ns, fair_share_low
(which the table calls fair), rounds, p50_low_ns, p50_high_ns, and with -rate
also rate. The CPU times are per call: of the process that calls, or of all
-clients together, but not of waiting for a call to be due; and of the server.

"benchmark peer JSON" and "benchmark caller JSON" are a server and a client for
programs that measure by themselves: see package bench, RunPeer and RunCaller.

Exit status: 0 if every call was answered rightly, 1 if not, 2 for wrong flags,
130 when interrupted (finished rounds are still printed).
`

// parse reads the command line. With -h it prints the help on out and returns flag.ErrHelp.
func parse(args []string, out io.Writer, extra []bench.Transport) (options, error) {
	o := options{config: bench.DefaultConfig()}
	c := &o.config
	f := flag.NewFlagSet("benchmark", flag.ContinueOnError)
	f.Var((*nameList)(&c.Transports), "transport", "what to measure, a comma-separated `list` of those above")
	f.Var((*sizeList)(&c.Sizes), "size", "payload lengths in bytes, a comma-separated `list`; also 4k, 64KiB, 1MiB")
	f.IntVar(&c.Clients, "clients", c.Clients, "`number` of client processes at once")
	f.IntVar(&c.Inflight, "inflight", c.Inflight, "`number` of concurrent callers in each client")
	f.IntVar(&c.Idle, "idle", 0, "`number` of further connections to nanorpc's server, which do not call")
	f.Int64Var(&c.Calls, "n", 0, "`number` of calls for each case and round, instead of -duration")
	duration := f.Duration("duration", time.Duration(c.DurationMS)*time.Millisecond, "how `long` to measure each case in each round, such as 300ms or 2s")
	f.Float64Var(&c.Rate, "rate", 0, "`number` of calls a second of all callers; 0: a closed loop")
	warmUp := f.Duration("warmup", time.Duration(c.WarmUpMS)*time.Millisecond, "how `long` to call before measuring, -duration at most")
	f.IntVar(&c.Rounds, "rounds", c.Rounds, "`number` of rounds")
	f.StringVar(&c.Spin, "spin", c.Spin, "how both ends of nanorpc wait, a `policy`: adaptive, busy or none")
	f.BoolVar(&c.Pin, "pin", false, "keep this process and the clients on one CPU, the servers on another")
	f.BoolVar(&o.json, "json", false, "print JSON, one object a line for each case")
	f.StringVar(&o.output, "output", "", "`file` that gets, beside what is printed, the lines of -json")
	if err := cli.Parse(f, args, out, fmt.Sprintf(usage, also(extra)), fmt.Sprintf(method, bench.ClockCost())); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q: everything is said with flags", f.Arg(0))
	}
	given := make(map[string]bool)
	f.Visit(func(f *flag.Flag) { given[f.Name] = true })
	switch {
	case given["n"] && given["duration"]:
		return o, errors.New("use -n or -duration, not both")
	case given["n"] && c.Calls < 1:
		return o, fmt.Errorf("-n %d: use at least 1", c.Calls)
	}
	c.WarmUpMS = warmUp.Milliseconds()
	c.DurationMS = int64(math.Ceil(float64(*duration) / float64(time.Millisecond)))
	return o, nil
}

// also lists transports that the usage does not describe.
func also(extra []bench.Transport) string {
	if len(extra) == 0 {
		return ""
	}
	var names []string
	for _, t := range extra {
		names = append(names, t.Name())
	}
	return "and " + strings.Join(names, ", ") + "\n"
}

// nameList is a flag of comma-separated names.
type nameList []string

func (l *nameList) String() string { return strings.Join(*l, ",") }

func (l *nameList) Set(text string) error {
	*l = nil
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.TrimSpace(name); name == "" {
			return errors.New("an empty name in the list")
		}
		*l = append(*l, name)
	}
	return nil
}

// sizeList is a flag of comma-separated byte counts.
type sizeList []int

func (l *sizeList) String() string {
	var texts []string
	for _, size := range *l {
		texts = append(texts, sizeText(size))
	}
	return strings.Join(texts, ",")
}

func (l *sizeList) Set(text string) error {
	*l = nil
	for item := range strings.SplitSeq(text, ",") {
		size, err := parseSize(strings.TrimSpace(item))
		if err != nil {
			return err
		}
		*l = append(*l, size)
	}
	return nil
}

// parseSize returns the number of bytes that text says: 64, 4k, 4KiB, 1M, 1MiB. k and M are powers of 1024, in either case.
func parseSize(text string) (int, error) {
	number, unit := strings.ToLower(text), 1
	for _, suffix := range []struct {
		text  string
		bytes int
	}{{"kib", 1 << 10}, {"k", 1 << 10}, {"mib", 1 << 20}, {"m", 1 << 20}, {"b", 1}} {
		if rest, ok := strings.CutSuffix(number, suffix.text); ok {
			number, unit = strings.TrimSpace(rest), suffix.bytes
			break
		}
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n > math.MaxInt/unit {
		return 0, fmt.Errorf("%q is no size: use bytes such as 64 or 4096, or 4k, 64KiB, 1MiB", text)
	}
	return n * unit, nil
}
