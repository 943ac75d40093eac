"""``nanorpc serve``: serve the service of a module."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
from dataclasses import dataclass
from typing import Any

from nanorpc._place import service_directory
from nanorpc.commands.human import printable
from nanorpc.commands.target import find
from nanorpc.server import Server


@dataclass(frozen=True)
class Options:
    """How to serve; see :class:`nanorpc.Server`."""

    workers: int
    arena: int
    max_payload: int
    spin: str
    traceback: bool
    pickle: bool
    seals: bool


def run(target: str, directory: str | None, options: Options, log: str, until_eof: bool, quiet: bool, as_json: bool) -> int:
    """Serve until SIGINT or SIGTERM. Prints a line when clients can connect; as JSON: an object with ``service``, ``pid`` and ``directory``.

    :param target: see :func:`nanorpc.commands.target.find`.
    :param log: from what level on to log, as in ``"debug"``, which has the tracebacks of methods that fail.
    :param until_eof: also end when standard input does.
    :param quiet: print nothing.
    :raises NanoRPCError: there is no such service, or it cannot be served.
    """
    logging.basicConfig(level=log.upper())
    server = Server(find(target), directory=directory, **vars(options)) if quiet else _Announced(find(target), directory, options, as_json)
    if until_eof:
        threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        server.run()
    except KeyboardInterrupt:  # before the server waits for it
        server.shutdown()
    return 0


class _Announced(Server):
    """A server that says when it serves."""

    def __init__(self, service: Any, directory: str | None, options: Options, as_json: bool) -> None:
        super().__init__(service, directory=directory, **vars(options))
        self._place = service_directory(directory)
        self._as_json = as_json

    def start(self) -> None:
        super().start()
        name = self.service.name
        if self._as_json:
            print(json.dumps({"service": name, "pid": os.getpid(), "directory": self._place}), flush=True)
        else:
            print(f"serving {printable(name)} in {self._place}, process {os.getpid()}; Ctrl-C ends it", flush=True)


def _end_with_input() -> None:
    while os.read(0, 1 << 16):  # not through sys.stdin, whose lock a thread must not hold when Python ends
        pass
    os.kill(os.getpid(), signal.SIGTERM)
