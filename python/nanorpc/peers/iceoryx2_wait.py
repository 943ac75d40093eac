"""iceoryx2's request-response with its blocking wait: who sends also notifies, by an event, the other end's listener, which sleeps until then, as in
iceoryx2's examples of event-based communication. The server has an event, and each client has one of its own, so that a reply wakes nobody else.

A WaitSet would wait for several listeners at once; there is only one in either process.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nanorpc.peers.iceoryx2 import Calls, InPlace, answer_one, client, node, server, service_name
from nanorpc.peers.interface import Arrays, Echo, Pipeline

_CLIENTS = 16


def _event(own: Any, directory: Path, of: object) -> Any:
    builder = own.service_builder(service_name(directory, of)).event()
    return builder.max_notifiers(_CLIENTS + 1).max_nodes(_CLIENTS + 1).max_listeners(1).open_or_create()


@contextmanager
def serve(directory: Path, max_size: int) -> Iterator[None]:
    """Echo, in a thread that sleeps."""
    own = node()
    answering = server(own, directory, max_size)
    event = _event(own, directory, "server")
    listener = event.listener_builder().create()
    stopped = threading.Event()
    notifiers: dict[int, Any] = {}

    def answer() -> None:
        while not stopped.is_set():
            while (request := answer_one(answering)) is not None:
                origin = request.origin.value
                if origin not in notifiers:
                    notifiers[origin] = _event(own, directory, origin).notifier_builder().create()
                notifiers[origin].notify()
            listener.blocking_wait()

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        event.notifier_builder().create().notify()
        thread.join()


@contextmanager
def _connected(directory: Path, inflight: int = 1) -> Iterator[Calls]:
    own = node()
    calling = client(own, directory, inflight)
    listener = _event(own, directory, calling.id.value).listener_builder().create()
    notifier = _event(own, directory, "server").notifier_builder().create()
    yield Calls(calling, listener.blocking_wait, notifier.notify)


@contextmanager
def echo(directory: Path) -> Iterator[Echo]:
    """Connect a client."""
    with _connected(directory) as calls:
        yield calls.echo


@contextmanager
def pipeline(directory: Path, inflight: int) -> Iterator[Pipeline]:
    """Connect a client that sends before it has all replies."""
    with _connected(directory, inflight) as calls:
        yield calls


@contextmanager
def mirror(directory: Path) -> Iterator[Arrays]:
    """Connect a client."""
    with _connected(directory) as calls:
        yield InPlace(calls)
