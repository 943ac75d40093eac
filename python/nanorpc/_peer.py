"""A benchmark's process beside the one that was started: ``python -m nanorpc._peer ARGUMENT``.

The argument is JSON, made by the benchmark: of a server, or, with a ``role``, of what :mod:`nanorpc.compare.child` does. The process prints a
line when it is ready, and ends when its standard input does.
"""

from __future__ import annotations

import json
import sys
import threading
from contextlib import suppress
from pathlib import Path
from socket import AF_UNIX, SOCK_STREAM, socket

from nanorpc._loader import checked, core

PYTHON_UDS = "python-uds"
"""The transport that is served here, in Python: an echo over a Unix stream socket."""

UDS_NAME = "echo.sock"
"""The name of its socket in the directory."""

HEADER = 4
"""Bytes of the length, little-endian, that begins each message."""

_LONG = 1 << 16
"""Bytes from which on a copy takes longer than a system call."""


def main() -> int:
    """Serve until standard input ends. Returns the exit status."""
    if len(sys.argv) != 2:
        print("usage: python -m nanorpc._peer ARGUMENT (benchmarks start it)", file=sys.stderr)
        return 2
    argument = sys.argv[1]
    params = json.loads(argument)
    if "role" in params:
        from nanorpc.compare import child

        return child.main(params)
    if params.get("transport") == PYTHON_UDS:
        _serve_uds(Path(params["directory"]) / UDS_NAME)
        return 0
    checked(core().pycore_BenchPeer(argument))
    return 0


def _serve_uds(path: Path) -> None:
    with socket(AF_UNIX, SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen(64)
        threading.Thread(target=_accept, args=(listener,), daemon=True).start()
        print(json.dumps({"ready": True}), flush=True)
        sys.stdin.buffer.read()
    path.unlink(missing_ok=True)


def _accept(listener: socket) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_echo, args=(connection,), daemon=True).start()


def _echo(connection: socket) -> None:
    with suppress(ConnectionError), connection:  # a client that is interrupted leaves in the middle
        messages = Messages(connection)
        while (request := messages.receive()) is not None:
            messages.send(request)


class Messages:
    """Messages with a length before them, over a stream socket, with as few system calls as that takes: for short ones one to send, and one to
    receive. Long ones are sent from where they are, after their length.
    """

    def __init__(self, connection: socket) -> None:
        self._socket = connection
        self._buffer = bytearray(1 << 16)

    def send(self, payload: bytes | memoryview) -> None:
        """Send a message."""
        header = len(payload).to_bytes(HEADER, "little")
        if len(payload) < _LONG:
            self._socket.sendall(header + payload)
        else:
            self._socket.sendall(header)
            self._socket.sendall(payload)

    def receive(self) -> bytes | None:
        """Return the next message, or None at the end of the connection. The peer sends the next one only after our answer."""
        have = self._socket.recv_into(self._buffer)
        while 0 < have < HEADER:
            more = self._socket.recv_into(memoryview(self._buffer)[have:])
            have = have + more if more else 0
        if not have:
            return None
        end = HEADER + int.from_bytes(self._buffer[:HEADER], "little")
        if end > len(self._buffer):
            self._buffer.extend(bytes(end - len(self._buffer)))
        while have < end:
            more = self._socket.recv_into(memoryview(self._buffer)[have:end])
            if not more:
                return None
            have += more
        return bytes(memoryview(self._buffer)[HEADER:end])


if __name__ == "__main__":
    sys.exit(main())
