"""The server that ``nanorpc doctor`` calls, in a process of its own: ``python -m nanorpc.doctor._peer DIRECTORY SERVICE``.

It ends when its standard input does.
"""

from __future__ import annotations

import sys

from nanorpc.errors import NanoRPCError
from nanorpc.server import Server
from nanorpc.service import Service


def main() -> int:
    """Serve an echo. Returns the exit status."""
    service = Service(sys.argv[2])

    @service.method(raw=True)
    def echo(request: bytes) -> bytes:
        return request

    try:
        with Server(service, directory=sys.argv[1]):
            sys.stdin.buffer.read()
    except NanoRPCError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
