"""A call of a service."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from statistics import median

from nanorpc.client import Client, connect
from nanorpc.doctor.finding import Finding, ok, problem
from nanorpc.errors import NanoRPCError, ServerNotFound
from nanorpc.units import size_text, time_text

CHECK = "round trip"

CALLS = 500
WARM_UP = 50

PAYLOADS = (b"\xa5" * 64, bytes(range(256)) * (1 << 12))
"""One that fits in a call's slot, which is timed, and one that does not."""

_SERVICE = "doctor"
_START = 20.0  # s: how long the server may take to start
_CALL = 5.0  # s: how long a call may take
_END = 15.0  # s: how long the server may take to end
_POLL = 0.02  # s

_REMEDY = "mend the other problems first; if there are none, report this with what doctor --json prints"


def round_trip() -> Finding:
    """Start a server in Python, in a process and a service directory of its own, call it from here, and measure."""
    with tempfile.TemporaryDirectory(prefix="nanorpc-doctor-") as directory:
        server = subprocess.Popen(
            [sys.executable, "-m", "nanorpc.doctor._peer", directory, _SERVICE],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            with _connect(directory, server) as client:
                finding = _measured(client)
        except (NanoRPCError, OSError) as error:
            finding = problem(CHECK, f"a call of a service failed: {error}", _REMEDY)
        finally:
            said = _ended(server)
    return replace(finding, found=f"{finding.found}; the server said: {said}") if said else finding


def _connect(directory: str, server: subprocess.Popen[bytes]) -> Client:
    """Connect as soon as the server serves."""
    end = time.monotonic() + _START
    while True:
        try:
            return connect(_SERVICE, directory=directory, timeout=_CALL)
        except ServerNotFound:
            if server.poll() is not None or time.monotonic() > end:
                raise
        time.sleep(_POLL)


def _ended(server: subprocess.Popen[bytes]) -> str:
    """End the server, and return the last line of what it had to say."""
    try:
        _, errors = server.communicate(timeout=_END)
    except subprocess.TimeoutExpired:
        server.kill()
        _, errors = server.communicate()
    return errors.decode(errors="replace").strip().rpartition("\n")[2]


def _measured(client: Client) -> Finding:
    small, large = PAYLOADS
    for payload in PAYLOADS:
        if client.call("echo", payload, timeout=_CALL) != payload:
            return problem(CHECK, f"a reply of {size_text(len(payload))} differs from its request", _REMEDY)
    times = []
    for _ in range(WARM_UP + CALLS):
        start = time.perf_counter_ns()
        client.call("echo", small, timeout=_CALL)
        times.append(time.perf_counter_ns() - start)
    middle = time_text(median(times[WARM_UP:]))
    return ok(CHECK, f"{middle} with {len(small)} bytes (median of {CALLS}, server in Python); {size_text(len(large))} came back whole")
