"""The command line: ``python -m nanorpc``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from nanorpc.bench import MAX_SIZE
from nanorpc.client import connect
from nanorpc.errors import NanoRPCError, ServerNotFound
from nanorpc.services import describe, services
from nanorpc.units import parse_sizes, size_text, time_text

INTERRUPTED = 130
"""The exit status after Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except ServerNotFound as error:
        print(f"nanorpc: {error}. Running services: {', '.join(services(options.directory)) or 'none'}", file=sys.stderr)
        return 1
    except (NanoRPCError, OSError) as error:
        print(f"nanorpc: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nanorpc", description="Call services on this machine, list them, measure how fast calls are.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    call = commands.add_parser("call", help="call a method and print the reply")
    call.add_argument("service")
    call.add_argument("method")
    call.add_argument("file", nargs="?", help="file with the payload; - is standard input")
    call.add_argument("--data", help="text to send instead of a file")
    call.add_argument("--timeout", type=float, default=10.0, metavar="SECONDS", help="how long the call may take (default: 10)")
    call.set_defaults(run=_call)

    listing = commands.add_parser("list", help="list the running services and their methods")
    listing.set_defaults(run=_list)
    for command in (call, listing):
        command.add_argument(
            "--directory", help="where services are found (default: $NANORPC_DIR, else $XDG_RUNTIME_DIR/nanorpc, else /tmp/nanorpc-<uid>)"
        )

    bench = commands.add_parser(
        "bench",
        help="measure round trips of Python clients",
        description="Measure round trips of a Python client that calls a Go server through NanoRPC, beside Python at both ends of a Unix "
        "stream socket, and the floor: two processes that spin on shared memory. For Go clients, use ./benchmark.",
    )
    bench.add_argument(
        "--size", type=_sizes, default=[64, 4096, 65536], metavar="A,B", help="payload sizes, as in 64,4KiB,1M (default: 64,4096,65536)"
    )
    bench.add_argument("--duration", type=_positive, default=0.3, metavar="SECONDS", help="for each case and round (default: 0.3)")
    bench.add_argument("--rounds", type=_count, default=5, metavar="N", help="rounds; figures are their medians (default: 5)")
    bench.add_argument("--json", action="store_true", help="print one JSON object for each case")
    bench.set_defaults(run=_bench, directory=None)
    return parser


def _call(options: argparse.Namespace) -> int:
    if (options.file is None) == (options.data is None):
        print("nanorpc: name a file, - for standard input, or use --data", file=sys.stderr)
        return 2
    if options.data is not None:
        payload = options.data.encode()
    elif options.file == "-":
        payload = sys.stdin.buffer.read()
    else:
        payload = Path(options.file).read_bytes()
    with connect(options.service, directory=options.directory) as client:
        reply = client.call(options.method, payload, timeout=options.timeout)
    sys.stdout.buffer.write(reply)
    if sys.stdout.isatty() and not reply.endswith(b"\n"):
        print()
    return 0


def _list(options: argparse.Namespace) -> int:
    names = services(options.directory)
    if not names:
        print("no service is running", file=sys.stderr)
    for name in names:
        try:
            info = describe(name, directory=options.directory)
            print(f"{name}  process {info.pid}  {' '.join(info.methods)}")
        except NanoRPCError as error:
            print(f"{name}  {error}")
    return 0


def _bench(options: argparse.Namespace) -> int:
    from nanorpc.latency import measure

    terminal = sys.stderr.isatty()

    def progress(text: str) -> None:
        if terminal:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)

    cases = measure(options.size, options.duration, options.rounds, progress)
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


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value <= 600:
        raise argparse.ArgumentTypeError("use more than 0 and up to 600 seconds")
    return value


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 1000:
        raise argparse.ArgumentTypeError("use 1 to 1000")
    return value
