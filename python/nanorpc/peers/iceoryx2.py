"""iceoryx2's request-response over shared memory, polled: a client looks for its reply, and the server for requests, until there are some. That
is what its benchmarks do; its examples for Python look in intervals. A CPU each is busy all the time. See iceoryx2_wait for its blocking wait.

Payloads are slices of bytes of any length in loaned memory. Nodes are in iceoryx2's own directory, not in that of the benchmark, so that the next
one cleans up after one that has been killed. What could be tuned further: huge pages for its segments, a CPU and a priority for each thread.
"""

from __future__ import annotations

import ctypes
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import iceoryx2
import numpy as np
from numpy.typing import NDArray

from nanorpc.peers.interface import Arrays, Echo, Pipeline

_CLIENTS = 16  # at most, with a node each
_CALLS = 64  # in flight, at most, of each
_SHORT = 4 << 10  # bytes of a payload for which as many blocks are reserved as there may be calls in flight

Nothing = Callable[[], object]
"""What is done to wait, or after something has been sent."""


def node() -> Any:
    """Return a node for everything of this process."""
    iceoryx2.set_log_level(iceoryx2.LogLevel.Error)
    handling = iceoryx2.SignalHandlingMode.Disabled  # the benchmark ends its processes
    return iceoryx2.NodeBuilder.new().signal_handling_mode(handling).create(iceoryx2.ServiceType.Ipc)


def service_name(directory: Path, *parts: object) -> Any:
    """Return the name of a service of this pair of processes."""
    return iceoryx2.ServiceName.new("/".join(("nanorpc-bench", directory.parent.name, *map(str, parts))))


def _service(own: Any, directory: Path) -> Any:
    bytes_ = iceoryx2.Slice[ctypes.c_uint8]
    builder = own.service_builder(service_name(directory)).request_response(bytes_, bytes_)
    return builder.max_clients(_CLIENTS).max_nodes(_CLIENTS + 1).max_servers(1).max_active_requests_per_client(_CALLS).open_or_create()


def server(own: Any, directory: Path, max_size: int) -> Any:
    """Return a server. It has memory for one reply of the greatest size at first, and more than that for short ones only."""
    builder = _service(own, directory).server_builder().initial_max_slice_len(max_size)
    if max_size > _SHORT:
        builder = builder.override_response_preallocation(2)
    return builder.create()


def client(own: Any, directory: Path, inflight: int = 1) -> Any:
    """Return a client, whose memory grows with what it sends."""
    builder = _service(own, directory).client_builder().max_active_requests(inflight)
    return builder.initial_max_slice_len(_SHORT).allocation_strategy(iceoryx2.AllocationStrategy.PowerOfTwo).create()


@contextmanager
def serve(directory: Path, max_size: int) -> Iterator[None]:
    """Echo, in a thread that polls."""
    own = node()
    answering = server(own, directory, max_size)
    stopped = threading.Event()

    def answer() -> None:
        while not stopped.is_set():
            answer_one(answering)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def answer_one(answering: Any) -> Any:
    """Echo one request, if there is one, from its memory to that of the reply, and return it."""
    request = answering.receive()
    if request is not None:
        payload = request.payload()
        length = payload.len()
        response = request.loan_slice_uninit(length)
        ctypes.memmove(response.payload_ptr, payload.as_ptr(), length)
        response.assume_init().send()
    return request


class Calls:
    """Calls of a client that polls.

    :param wait: what is done while there is no reply.
    :param sent: what is done when a request has been sent.
    """

    def __init__(self, calling: Any, wait: Nothing | None = None, sent: Nothing | None = None) -> None:
        self._client = calling
        self._wait = wait
        self._sent = sent
        self._pending: deque[Any] = deque()

    def echo(self, request: bytes) -> bytes:
        """Make a call."""
        self.send(request)
        return self.receive()

    def send(self, request: bytes) -> None:
        """Copy a request to memory that is loaned for it, and send it."""
        length = len(request)
        loan = self._client.loan_slice_uninit(length)
        ctypes.memmove(loan.payload_ptr, request, length)
        self._pending.append(self.sent(loan))

    def receive(self) -> bytes:
        """Return a copy of the reply to the oldest request."""
        payload = self.response(self._pending.popleft()).payload()
        return ctypes.string_at(payload.as_ptr(), payload.len())

    def loan(self, length: int) -> Any:
        """Return memory for a request."""
        return self._client.loan_slice_uninit(length)

    def sent(self, loan: Any) -> Any:
        """Send a request, and return what waits for its reply."""
        pending = loan.assume_init().send()
        if self._sent:
            self._sent()
        return pending

    def response(self, pending: Any) -> Any:
        """Return a reply when it is there."""
        receive, wait = pending.receive, self._wait
        while (response := receive()) is None:
            if wait:
                wait()
        return response


class InPlace:
    """Arrays in memory that is loaned."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def begin(self, count: int) -> NDArray[np.float32]:
        """Return an array on memory for the request."""
        self._loan = self._calls.loan(4 * count)
        return np.frombuffer(self._loan.payload().as_memory_view(), np.float32)

    def run(self) -> NDArray[np.float32]:
        """Call, and return an array on the reply."""
        loan, self._loan = self._loan, None
        self._response = self._calls.response(self._calls.sent(loan))
        return np.frombuffer(self._response.payload().as_memory_view(), np.float32)

    def end(self) -> None:
        """Give the reply's memory back."""
        self._response = None


@contextmanager
def echo(directory: Path) -> Iterator[Echo]:
    """Connect a client."""
    own = node()
    yield Calls(client(own, directory)).echo


@contextmanager
def pipeline(directory: Path, inflight: int) -> Iterator[Pipeline]:
    """Connect a client that sends before it has all replies."""
    own = node()
    yield Calls(client(own, directory, inflight))


@contextmanager
def mirror(directory: Path) -> Iterator[Arrays]:
    """Connect a client."""
    own = node()
    yield InPlace(Calls(client(own, directory)))
