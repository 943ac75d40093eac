"""Calls that Python answers, and where their answers go."""

from __future__ import annotations

import logging
import mmap
import sys
from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from nanorpc import _box
from nanorpc._buffer import Parts, plain
from nanorpc._loader import checked, core
from nanorpc._segment import map_segment
from nanorpc.context import Context
from nanorpc.errors import NanoRPCError, exception, status_of

if TYPE_CHECKING:
    from nanorpc._buffer import Buffer
    from nanorpc.service import Method, Service

log = logging.getLogger("nanorpc.server")


def arguments_of(method: Method, request: memoryview, context: Context | None) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments for a typed method. A request is decoded where it lies if arrays do; else from a copy, which the client cannot change
    meanwhile.

    :raises BadRequest: they are not those that the method takes.
    """
    from nanorpc.codec import MARKER

    assert method.signature is not None
    args, named = method.signature.decode_arguments(request if request[: len(MARKER)] == MARKER else bytes(request))
    return (args, named) if context is None else method.signature.with_context(args, named, context)


def keywords_of(method: Method, context: Context | None) -> dict[str, Any]:
    """Return what a method of another kind gets by name: its context, if it wants that."""
    return {} if context is None else {str(method.context): context}


def refuse(status: int) -> NoReturn:
    """Raise why there is no memory for a reply: a status, or 0 if that has been said already."""
    if not status:
        raise NanoRPCError("the caller has been told that there was no room for the reply")
    raise exception(status_of(status))


class Segments:
    """Maps of the segments of a server's connections. Its methods may be called from any thread."""

    def __init__(self, handle: int) -> None:
        self._core = core()
        self._handle = handle
        self.maps: dict[int, mmap.mmap] = {}
        """By connection: those that there are. See :meth:`of`."""

    def of(self, connection: int) -> mmap.mmap:
        """Return the map for a connection with an open call, which keeps it."""
        segment = self.maps.get(connection)
        if segment is None:
            descriptor = partial(self._core.pycore_ConnectionDescriptor, self._handle, connection)
            segment = self.maps.setdefault(connection, map_segment(descriptor, self._core.pycore_ServerSize(self._handle)))
        return segment

    def drop(self, connection: int) -> None:
        """Forget the map of a connection that has ended. It stays as long as there are views of it."""
        self.maps.pop(connection, None)


class Answer(ABC):
    """A call that has no fast path: because it lies in place, wants its context, or is answered later."""

    def __init__(self, shared: Shared, method: Method, segment: mmap.mmap, connection: int, place: tuple[int, int], deadline: int) -> None:
        self.shared = shared
        self.method = method
        self.segment = segment
        self.connection = connection
        self.offset, self.length = place
        self.deadline = deadline
        self.copied: bytes | None = None  # the request, if it was short
        self.answered = False  # by the core, as there was no room for a reply
        self.place, self.room = 0, 0  # what has been reserved for the reply; the core reserves memory outside of a slot once

    @abstractmethod
    def reserve(self, length: int) -> int:
        """Return the offset for a reply, or a status: then the call has been answered with that."""

    @abstractmethod
    def answer(self, status: int, offset: int, length: int) -> None:
        """Answer with what lies at an offset."""

    @abstractmethod
    def cancelled(self) -> bool:
        """Whether nobody waits for the answer any more."""

    def context(self) -> Context:
        """Return the call's context."""
        return Context(self.shared.service.name, self.method.name, self.deadline, self.connection, self._peer, self.cancelled)

    def _peer(self) -> int:
        return int(max(self.shared.core.pycore_ConnectionPeer(self.shared.handle, self.connection), 0))

    def request(self) -> memoryview:
        """Return a read-only view of the request."""
        if self.copied is not None:
            return memoryview(self.copied)
        return self._pinned(self.offset, self.length, False)

    def reserved(self, length: int) -> memoryview:
        """Return memory for a reply, and note where it is; or raise why there is none, when the call has been answered so."""
        if self.answered:
            refuse(0)
        offset = self.reserve(length)
        if offset < 0:
            self.answered = True
            refuse(offset)
        self.place, self.room = offset, length
        return self._pinned(offset, length, True)

    def _pinned(self, offset: int, length: int, writable: bool) -> memoryview:
        """Return a view whose exporter is its own, so that what is made of it, and nothing else, refers to that."""
        view: memoryview = self.shared.core.pin(self.segment, offset, length, writable, None)
        return view

    def reply(self, value: Buffer | Parts | None) -> None:
        """Answer with bytes."""
        payload = b"" if value is None else value if type(value) is bytes else plain(value)
        view = self.reserved(len(payload))
        if isinstance(payload, Parts):
            payload.write(view, self.shared.core.copy)
        else:
            self.shared.core.copy(view, payload)
        self.answer(_box.REPLY, self.place, len(view))

    def fail(self, error: BaseException) -> None:
        """Answer with an exception."""
        if self.answered:
            return
        reserved = self.room > self.shared.inline  # then there is no more memory
        payload = self.shared.failure(error, self.method, self.room if reserved else None)
        offset = self.place if reserved and len(payload) > self.shared.inline else self.reserve(len(payload))
        if offset >= 0:
            self.segment[offset : offset + len(payload)] = payload
            self.answer(_box.EXCEPTION, offset, len(payload))

    def expire(self) -> None:
        """Answer that the deadline has passed."""
        if not self.answered:
            self.answer(_box.EXPIRED, self.reserve(0), 0)


class Shared:
    """What all threads of a server use."""

    def __init__(self, handle: int, service: Service, traceback: bool) -> None:
        self.core = core()
        self.handle = handle
        self.service = service
        self.segments = Segments(handle)
        self.inline: int = self.core.pycore_InlineCapacity()
        self._traceback = traceback
        self._warned: set[str] = set()

    def failure(self, error: BaseException, method: Method, room: int | None = None) -> bytes:
        """Return the payload for an exception, which fits in so many bytes if there are more than 224."""
        from nanorpc.remote import LIMIT, encode_error

        log.debug("method %s of %s failed", method.name, self.service.name, exc_info=error)
        return encode_error(error, self.service.errors, self._traceback, LIMIT if room is None else min(room, LIMIT))

    def withdraw(self, view: memoryview, method: Method) -> None:
        """End a view of a request or a reply that a method has had. If the method has kept something that was made of it, say so: it cannot be taken
        away.
        """
        exporter = view.obj
        try:  # noqa: SIM105 - contextlib.suppress takes a microsecond, of a call that takes ten
            view.release()
        except BufferError:  # of arrays on the view itself
            pass
        if sys.getrefcount(exporter) > _UNUSED and type(exporter) is not bytes:
            self.kept(method)

    def kept(self, method: Method) -> None:
        """Say, once, that a method has kept what it was to have for a call only."""
        if method.name not in self._warned:
            self._warned.add(method.name)
            log.warning(
                "method %s of %s keeps a view or an array of a request or reply: what that shows changes from now on. Copy what is to be kept",
                method.name,
                self.service.name,
            )


_UNUSED = 2
"""References to an exporter of which there are no views: ours, and getrefcount's."""


class WorkerAnswer(Answer):
    """A call that its worker answers."""

    def __init__(self, shared: Shared, method: Method, worker: int, box: Any, stage: mmap.mmap) -> None:
        connection = box[_box.CONNECTION]
        super().__init__(shared, method, shared.segments.of(connection), connection, (box[_box.OFFSET], box[_box.LENGTH]), box[_box.DEADLINE])
        if self.offset == _box.STAGED:
            self.copied = stage[: self.length]
        self._worker = worker
        self._box = box

    def reserve(self, length: int) -> int:
        """Return the offset for a reply, or a status."""
        return int(self.shared.core.pycore_WorkerReserve(self._worker, length))

    def answer(self, status: int, offset: int, length: int) -> None:
        """Answer, with the worker's next call of the core."""
        self._box[_box.STATUS], self._box[_box.REPLY_OFFSET], self._box[_box.REPLY_LENGTH] = status, offset, length

    def cancelled(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return bool(self.shared.core.pycore_WorkerCancelled(self._worker) != 0)

    def later(self, ticket: int) -> LaterAnswer:
        """Return what answers the call once it has left the worker."""
        return LaterAnswer(self, ticket)


class LaterAnswer(Answer):
    """A call that has left its worker."""

    def __init__(self, of: WorkerAnswer, ticket: int) -> None:
        super().__init__(of.shared, of.method, of.segment, of.connection, (of.offset, of.length), of.deadline)
        self.copied = of.copied
        self.ticket = ticket

    def reserve(self, length: int) -> int:
        """Return the offset for a reply, or a status."""
        return int(self.shared.core.pycore_CallReserve(self.shared.handle, self.ticket, length))

    def answer(self, status: int, offset: int, length: int) -> None:
        """Answer now."""
        checked(self.shared.core.pycore_CallReply(self.shared.handle, self.ticket, status, offset, length))

    def cancelled(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return bool(self.shared.core.pycore_CallCancelled(self.shared.handle, self.ticket) != 0)
