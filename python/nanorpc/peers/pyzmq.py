"""ZeroMQ over ipc, which is a Unix socket between the I/O threads of both processes: REQ and REP, and DEALER for several calls in flight.

Long messages are not copied between Python and ZeroMQ (copy=False), short ones are, as pyzmq recommends: its threshold is 64 KiB.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import zmq

from nanorpc.peers.interface import Arrays, Echo, Pipeline

_NAME = "zmq.sock"


@contextmanager
def serve(directory: Path, max_size: int) -> Iterator[None]:
    """Echo, in a thread, which alone uses the socket."""
    context = zmq.Context()
    socket = context.socket(zmq.REP)
    socket.bind(f"ipc://{directory / _NAME}")
    thread = threading.Thread(target=_answer, args=(socket,))
    thread.start()
    try:
        yield
    finally:
        context.term()  # ends the thread's recv
        thread.join()


def _answer(socket: zmq.Socket[bytes]) -> None:
    try:
        while True:
            socket.send(socket.recv(copy=False), copy=False)  # what came is sent as it is
    except zmq.ContextTerminated:
        socket.close(linger=0)


@contextmanager
def _connected(directory: Path, kind: int) -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(kind) as socket:
        socket.linger = 0
        socket.connect(f"ipc://{directory / _NAME}")
        yield socket


@contextmanager
def echo(directory: Path) -> Iterator[Echo]:
    """Connect a client."""
    with _connected(directory, zmq.REQ) as socket:

        def call(request: bytes) -> bytes:
            socket.send(request, 0, copy=len(request) < zmq.COPY_THRESHOLD)
            reply: bytes = socket.recv()
            return reply

        yield call


@contextmanager
def pipeline(directory: Path, inflight: int) -> Iterator[Pipeline]:
    """Connect a client that sends before it has all replies, which REQ cannot. The empty part is what REP expects before a request."""
    with _connected(directory, zmq.DEALER) as socket:
        yield _Pipeline(socket)


class _Pipeline:
    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self._socket = socket

    def send(self, request: bytes) -> None:
        self._socket.send_multipart((b"", request))

    def receive(self) -> bytes:
        reply: bytes
        _, reply = self._socket.recv_multipart()
        return reply


@contextmanager
def mirror(directory: Path) -> Iterator[Arrays]:
    """Connect a client."""
    from nanorpc.peers.copied import copied

    with _connected(directory, zmq.REQ) as socket:

        def call(numbers: memoryview) -> memoryview:
            socket.send(numbers, copy=False)
            reply: memoryview = socket.recv(copy=False).buffer
            return reply

        yield copied(call)
