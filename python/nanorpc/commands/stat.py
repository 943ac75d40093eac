"""``nanorpc stat``: what servers have counted."""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field

from nanorpc.client import Client, connect
from nanorpc.commands.sample import Sample
from nanorpc.commands.screen import Screen
from nanorpc.commands.stat_json import as_dict
from nanorpc.commands.stat_table import all_services, one_service
from nanorpc.errors import NanoRPCError
from nanorpc.introspection import Stats
from nanorpc.services import services


def run(service: str | None, directory: str | None, watch: bool, interval: float, as_json: bool) -> int:
    """Print what the server of a service, or of each that runs, has counted: once, or every ``interval`` seconds until Ctrl-C.

    A watch of one service ends with an error when its server does. As JSON: an object for each service at each print, one a line.
    """
    watched = _Watched(directory, watch)
    screen = Screen(watch)
    try:
        due = time.monotonic()
        while True:
            if service is None:
                samples, failures = watched.all()
                text = all_services(samples, failures, watch) or "no service is running\n"
            else:
                samples, failures = [watched.one(service)], []
                text = one_service(samples[0])
            if as_json:
                _print_json(samples, failures)
            elif samples or failures or watch:
                screen.show(text)
            else:
                print("nanorpc: no service is running", file=sys.stderr)
            if not watch:
                return 1 if failures else 0
            due = max(due + interval, time.monotonic())  # a print that is late does not hasten the next ones
            time.sleep(max(due - time.monotonic(), 0))
    except KeyboardInterrupt:
        if not watch:
            raise
        return 0  # there is no other end of a watch
    finally:
        watched.close()


def _print_json(samples: list[Sample], failures: list[tuple[str, str]]) -> None:
    for sample in samples:
        print(json.dumps(as_dict(sample)), flush=True)
    for name, reason in failures:
        print(json.dumps({"service": name, "error": reason}), flush=True)


@dataclass
class _Watched:
    """Connections that last from one print to the next, and what their servers said at the last one. For one thread."""

    directory: str | None
    watch: bool
    clients: dict[str, Client] = field(default_factory=dict)
    before: dict[str, Stats] = field(default_factory=dict)

    def one(self, service: str) -> Sample:
        """Ask a server. Raises what connecting and calling do."""
        if service not in self.clients:
            self.clients[service] = connect(service, directory=self.directory, spin="none")  # the CPU is left to what is watched
        now = self.clients[service].stats()
        sample = Sample(now, self.before.get(service), self.watch)
        self.before[service] = now
        return sample

    def all(self) -> tuple[list[Sample], list[tuple[str, str]]]:
        """Ask all servers that run. Returns what they say, and of those that do not answer the name and the reason."""
        samples, failures = [], []
        names = services(self.directory)
        for gone in self.clients.keys() - set(names):
            self._drop(gone)
        for name in names:
            try:
                samples.append(self.one(name))
            except NanoRPCError as error:
                self._drop(name)
                failures.append((name, str(error)))
        return samples, failures

    def close(self) -> None:
        """End the connections."""
        for name in list(self.clients):
            self._drop(name)

    def _drop(self, service: str) -> None:
        self.before.pop(service, None)
        with suppress(KeyError):
            self.clients.pop(service).close()
