"""The command line: ``nanorpc``, or ``python -m nanorpc``."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence

from nanorpc.bench import MAX_SIZE
from nanorpc.commands.options import count, names, positive
from nanorpc.errors import NanoRPCError, ServerNotFound
from nanorpc.services import services
from nanorpc.units import parse_sizes, size_text, time_text

STAT_COLUMNS = """\
CONNS      connections
CALLS      calls that have been answered
CALLS/S    with --watch: of those, how many in a second since the last print
ERRORS     of the calls, those answered with anything but a reply
INFLIGHT   calls that have been taken and not been answered
IN, OUT    bytes of requests and of replies
P50, P99   in what time the server has answered half of the calls, and 99 of
           100, from when it took one; too long by up to a quarter. With
           --watch: of the calls since the last print
PROCESS    the server's process id; of a connection, the client's
MEMORY     shared memory that the connection takes
REPLIES    of that, what holds replies
SPUN       the server's waits for this client's next call that a spin ended
SLEPT      the server's waits for which it has gone to sleep

Connections are those that have called, 20 at most, most calls first. A client
that calls all the time has made up to 63 calls more than are counted. This
command is a client as well, and is counted with the rest."""

CALL = """\
Each argument is JSON: numbers, "text", [lists], {"objects": 1}, true, null. For
text the quotes may be left out; bytes are base64 in quotes, text without, or
@FILE; lists do for NumPy arrays. In results bytes are text if they are that,
else base64, and of arrays there are the first elements; with --json bytes are
base64, and arrays whole. The exit status is 1 if the call fails.

  nanorpc call calc add 2 3
  nanorpc call calc add a=2 b=3
  nanorpc call calc add --named '{"a": 2, "b": 3}'
  nanorpc call greeter hello world
  nanorpc call images width @photo.jpg
  nanorpc call demo sha256 photo.jpg          (bytes: a file)"""

SPINS = ("adaptive", "busy", "none")

LOGS = ("debug", "info", "warning", "error")

BENCH = """\
Measure round trips of a Python client that calls a Go server through NanoRPC,
beside Python at both ends of a Unix stream socket, and the floor: two
processes that spin on shared memory. For Go clients, use ./benchmark. With
--python, measure Python clients and servers beside other ways to call."""

BENCH_CASES = """\
cases of --python, with their contenders:
  echo   bytes there and back, one call at a time: limit, which is the floor,
         nanorpc, whose server is in Go, nanorpc-python, nanorpc-aio, uds,
         multiprocessing, pyzmq, grpcio, grpc.aio
  typed  add(2, 3): nanorpc-python, Pyro5, rpyc
  batch  64 calls of one client at once: nanorpc-batch. A call's time is its
         share of the batch's
  aio    64 asyncio tasks that call: nanorpc-aio, grpc.aio
  array  halve an array of float32, without copies: nanorpc-python, and numpy
         in one process

Payloads have 64 bytes, an array 64 MiB, unless --size says otherwise. Each
contender has a server and a client in processes of their own; cases are
measured one after the other, and in each round of a case its contenders take
turns. Ctrl-C prints what has been measured.

--json prints case, contender, size_bytes (0: not of bytes), inflight, calls,
mean_ns, p50_ns, p99_ns, p999_ns, calls_per_s, errors (wrong replies), rounds,
p50_low_ns and p50_high_ns (of the rounds), ratio and ratio_to: how many times
as long as this NanoRPC contender's the p50 is, null where it was not measured."""

DEFAULT_SIZES = (64, 4096, 65536)
"""What ``bench`` measures without ``--size`` and ``--python``, in bytes."""

INTERRUPTED = 130
"""The exit status after Ctrl-C."""

_OPTION = re.compile("-[^0-9.]")

PIPE_CLOSED = 141
"""The exit status when nobody reads what is printed any more, as of a program that SIGPIPE ends."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    options = _parsed(arguments)
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter fails again when it flushes at its end
        return PIPE_CLOSED
    except ServerNotFound as error:
        print(f"nanorpc: {error}. Running services: {', '.join(services(options.directory)) or 'none'}", file=sys.stderr)
        return 1
    except (NanoRPCError, OSError) as error:
        print(f"nanorpc: {error}", file=sys.stderr)
        return 1


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if rest:
        if not hasattr(options, "arguments") or any(_OPTION.match(word) for word in rest):
            parser.error(f"unrecognized arguments: {' '.join(rest)}")
        options.arguments += rest  # those that follow an option, for which argparse has no place
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nanorpc", description="List the services on this machine, watch and call them, see what is wrong.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    call = commands.add_parser(
        "call",
        help="call a method and print its result",
        description="Call a method and print its result as JSON, or, of a method that\ntakes and returns bytes, as it is.",
        epilog=CALL,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    call.add_argument("service")
    call.add_argument("method")
    call.add_argument(
        "arguments", nargs="*", metavar="ARGUMENT", help="JSON, or NAME=JSON; of a method that takes bytes, a file; - is standard input"
    )
    call.add_argument("--named", metavar="JSON", help="an object with arguments by name")
    call.add_argument("--data", metavar="TEXT", help="text to send as it is, as bytes")
    call.add_argument("--file", help="a file to send as it is; - is standard input")
    call.add_argument("--timeout", type=positive, default=10.0, metavar="SECONDS", help="how long the call may take (default: 10)")
    call.set_defaults(run=_call)

    serving = commands.add_parser(
        "serve",
        help="serve the service of a Python module",
        description="Import a module, from the current directory if it is there, and serve its nanorpc.Service until Ctrl-C or SIGTERM.",
    )
    serving.add_argument("target", metavar="MODULE:SERVICE", help="as in app:service or src/app.py:service; MODULE will do if it has one service")
    serving.add_argument("--workers", type=count, default=4, metavar="N", help="threads that run methods (default: 4)")
    serving.add_argument("--traceback", action="store_true", help="send callers the tracebacks of exceptions, which tell of files and code")
    serving.add_argument("--pickle", action="store_true", help="accept and send pickled objects: only for clients that you trust")
    sealing = "clients can make the memory shorter that they share with the server, which would end it"
    serving.add_argument("--no-seals", dest="seals", action="store_false", help=sealing)
    serving.add_argument("--spin", choices=SPINS, default="adaptive", help="how to wait for calls (default: adaptive)")
    serving.add_argument("--arena", type=_size, default=1 << 30, metavar="SIZE", help="shared memory of a connection, each way (default: 1G)")
    serving.add_argument("--max-payload", type=_size, default=256 << 20, metavar="SIZE", help="the longest request and reply (default: 256M)")
    serving.add_argument("--log", choices=LOGS, default="warning", help="what to log; debug has the exceptions of methods (default: warning)")
    serving.add_argument("--until-eof", action="store_true", help="also end when standard input does: for programs that start this one")
    serving.add_argument("--quiet", action="store_true", help="print nothing when clients can connect")
    serving.set_defaults(run=_serve)

    listing = commands.add_parser("ls", aliases=["list"], help="list the running services and their methods")
    listing.set_defaults(run=_ls)

    description = commands.add_parser("describe", help="show a service's methods and limits")
    description.add_argument("service")
    description.set_defaults(run=_describe)

    stat = commands.add_parser(
        "stat",
        help="show what servers have counted: calls, errors, times, memory",
        description="Show what the server of a service has counted since its start, or all servers in a line each.",
        epilog=STAT_COLUMNS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    stat.add_argument("service", nargs="?", help="the service (default: all that run)")
    stat.add_argument("--watch", action="store_true", help="print until Ctrl-C, on a terminal in place")
    stat.add_argument("--interval", type=positive, metavar="SECONDS", help="from one print of a watch to the next (default: 1)")
    stat.set_defaults(run=_stat)

    doctor = commands.add_parser(
        "doctor",
        help="check whether NanoRPC works here, and how to mend what does not",
        description="Check the machine, the service directory and this installation, and call a service. The exit status is 1 if there is a problem.",
    )
    doctor.set_defaults(run=_doctor)

    gui = commands.add_parser("gui", help="open the dashboard")
    gui.add_argument("--screen", help="the screen to open with")
    gui.set_defaults(run=_gui)

    for command in (call, serving, listing, description, stat, doctor, gui):
        command.add_argument(
            "--directory", help="where services are found (default: $NANORPC_DIR, else $XDG_RUNTIME_DIR/nanorpc, else /tmp/nanorpc-<uid>)"
        )
    for command in (listing, description, stat):
        command.add_argument("--json", action="store_true", help="print one JSON object for each service, a line each")
    call.add_argument("--json", action="store_true", help="print one JSON object, with the result or the error, and how long the call has taken")
    serving.add_argument("--json", action="store_true", help="print one JSON object when clients can connect")
    doctor.add_argument("--json", action="store_true", help="print a JSON array with an object for each check")

    bench = commands.add_parser(
        "bench",
        help="measure round trips of Python clients",
        description=BENCH,
        epilog=BENCH_CASES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    bench.add_argument("--python", action="store_true", help="beside multiprocessing, pyzmq, grpcio, Pyro5 and rpyc: pip install 'nanorpc[compare]'")
    bench.add_argument("--cases", type=names, metavar="A,B", help="with --python, of the cases below (default: all)")
    bench.add_argument("--contenders", type=names, metavar="A,B", help="with --python, of the contenders below (default: all)")
    bench.add_argument(
        "--size", type=_sizes, metavar="A,B", help="payload sizes, as in 64,4KiB,1M (default: 64,4096,65536; with --python, see below)"
    )
    bench.add_argument("--duration", type=positive, default=0.3, metavar="SECONDS", help="for each case and round (default: 0.3)")
    bench.add_argument("--rounds", type=count, default=5, metavar="N", help="rounds; figures are their medians (default: 5)")
    bench.add_argument("--json", action="store_true", help="print one JSON object for each case")
    bench.set_defaults(run=_bench, directory=None)
    return parser


def _call(options: argparse.Namespace) -> int:
    from nanorpc.commands import call

    request = call.Request(options.service, options.method, options.arguments, options.named, options.data, options.file, options.timeout)
    return call.run(request, options.directory, options.json)


def _serve(options: argparse.Namespace) -> int:
    from nanorpc.commands import serve

    how = serve.Options(options.workers, options.arena, options.max_payload, options.spin, options.traceback, options.pickle, options.seals)
    return serve.run(options.target, options.directory, how, options.log, options.until_eof, options.quiet, options.json)


def _ls(options: argparse.Namespace) -> int:
    from nanorpc.commands import ls

    return ls.run(options.directory, options.json)


def _describe(options: argparse.Namespace) -> int:
    from nanorpc.commands import describe

    return describe.run(options.service, options.directory, options.json)


def _stat(options: argparse.Namespace) -> int:
    from nanorpc.commands import stat

    if options.interval is not None and not options.watch:
        print("nanorpc: --interval goes with --watch", file=sys.stderr)
        return 2
    return stat.run(options.service, options.directory, options.watch, options.interval or 1.0, options.json)


def _doctor(options: argparse.Namespace) -> int:
    from nanorpc.commands import doctor

    return doctor.run(options.directory, options.json)


def _gui(options: argparse.Namespace) -> int:
    from nanorpc.gui.main import main as open_dashboard

    given = {"--directory": options.directory, "--screen": options.screen}
    return open_dashboard([f"{option}={value}" for option, value in given.items() if value is not None])


def _bench(options: argparse.Namespace) -> int:
    if options.python:
        from nanorpc.commands import bench_python

        return bench_python.run(options.cases or [], options.contenders or [], options.size or [], options.duration, options.rounds, options.json)
    if options.cases is not None or options.contenders is not None:
        print("nanorpc: --cases and --contenders go with --python", file=sys.stderr)
        return 2
    from nanorpc.latency import measure

    terminal = sys.stderr.isatty()

    def progress(text: str) -> None:
        if terminal:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)

    cases = measure(options.size or list(DEFAULT_SIZES), options.duration, options.rounds, progress)
    if terminal:
        print("\r\033[K", end="", file=sys.stderr)
    if options.json:
        for case in cases:
            print(case.as_json())
        return 0 if not any(case.errors for case in cases) else 1
    widths = (8, 9, 17, 9, 9, 8)
    _row("transport", ("size", "p50", "p50 of rounds", "p99", "calls/s", "vs uds"), widths)
    uds = {case.size_bytes: case.p50_ns for case in cases if case.transport == "uds"}
    for case in cases:
        p50, low, high, p99 = map(time_text, (case.p50_ns, case.p50_low_ns, case.p50_high_ns, case.p99_ns))
        faster = f"{uds[case.size_bytes] / case.p50_ns:.1f}×"
        _row(case.transport, (size_text(case.size_bytes), p50, f"{low}–{high}", p99, f"{case.calls_per_s:.0f}", faster), widths)
    failed = sum(case.errors for case in cases)
    if failed:
        print(f"{failed} replies differed from their requests", file=sys.stderr)
    return 1 if failed else 0


def _row(name: str, values: Sequence[str], widths: Sequence[int]) -> None:
    print(f"{name:<9}", *(f"{value:>{width}}" for value, width in zip(values, widths, strict=True)))


def _sizes(text: str) -> list[int]:
    try:
        return parse_sizes(text, MAX_SIZE)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _size(text: str) -> int:
    try:
        (size,) = parse_sizes(text, 1 << 32)
    except ValueError:
        raise argparse.ArgumentTypeError(f"“{text}” is no size up to 4 GiB: write it as in 65536, 64KiB, 1G") from None
    return size
