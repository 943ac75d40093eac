"""Calls in a thread of their own."""

from __future__ import annotations

import os
import threading
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nanorpc.client import Client, connect
from nanorpc.gui.call.reply import Reply, read_reply
from nanorpc.gui.call.request import Call
from nanorpc.gui.workers import Workers

_CONNECT = 5.0
"""Seconds that connecting may take at most."""


@dataclass(frozen=True)
class Outcome:
    """What a run came to."""

    call: Call
    times_ns: array[int]
    """Of each call that was answered, in order."""
    reply: Reply | None = None
    """The last one's."""
    error: Exception | None = None
    """What ended the run before its time."""


class Run:
    """Makes a call as often as it says, one after the other, until one fails or the run is cancelled.

    :param done: is called with an :class:`Outcome` in the window's thread, unless the run is cancelled before.
    """

    def __init__(self, call: Call, directory: str | os.PathLike[str] | None, workers: Workers, done: Callable[[Outcome], None]) -> None:
        self.call = call
        self.times_ns = array("q")
        self._directory = directory
        self._workers = workers
        self._cancelled = threading.Event()
        self._lock = threading.Lock()  # guards the client, and that it is not cancelled before it is there
        self._client: Client | None = None

        def deliver(outcome: Any) -> None:
            if not self._cancelled.is_set():
                done(outcome)

        def fail(error: Exception) -> None:
            raise error  # shown by the application

        workers.start(self._run, deliver, fail)

    def cancel(self) -> Outcome:
        """Give up, and return what there is. Does not block."""
        self._cancelled.set()
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            self._workers.start(client.close, lambda _: None, lambda _: None)
        return Outcome(self.call, self.times_ns[:])

    def _run(self) -> Outcome:
        reply: bytes | None = None
        error: Exception | None = None
        try:
            payload = self.call.payload()
            with connect(self.call.service, directory=self._directory, timeout=min(self.call.timeout, _CONNECT)) as client:
                with self._lock:
                    self._client = client
                try:
                    reply = self._repeat(client, payload)
                finally:
                    with self._lock:
                        self._client = None
        except Exception as caught:  # of any kind: errors of methods come back as themselves
            error = caught
        return Outcome(self.call, self.times_ns, None if reply is None else read_reply(reply, self.call.typed), error)

    def _repeat(self, client: Client, payload: bytes) -> bytes | None:
        reply: bytes | None = None
        name, timeout, append = self.call.info.name, self.call.timeout, self.times_ns.append
        for _ in range(self.call.repeat):
            if self._cancelled.is_set():
                break
            start = time.perf_counter_ns()
            reply = client.call(name, payload, timeout=timeout)
            append(time.perf_counter_ns() - start)
        return reply
