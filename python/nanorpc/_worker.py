"""The threads that run a server's methods."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from nanorpc import _box
from nanorpc._answers import Shared, WorkerAnswer, arguments_of, keywords_of
from nanorpc._buffer import Parts, plain
from nanorpc._loader import checked
from nanorpc._stage import Stage
from nanorpc.errors import STATUS_BITS, Status, status_of
from nanorpc.raw import Reply, Request

if TYPE_CHECKING:
    from nanorpc._tasks import Tasks
    from nanorpc.codec import Codec
    from nanorpc.context import Context
    from nanorpc.service import Method

COPIED_TO = 4096
"""Up to this many bytes, a request is copied before it is decoded: that costs less than a view, and arrays in it are the method's to keep."""


def simple(method: Method, codec: Codec) -> Callable[[bytes], Any] | None:
    """Return a function from request to reply for a method that needs nothing else, or None."""
    if method.is_async or method.context is not None or method.kind == "raw":
        return None
    function = method.function
    if method.kind == "bytes":
        return function
    assert method.signature is not None
    decode, encode = method.signature.decode_arguments, codec.encode

    def run(request: bytes) -> Any:
        args, kwargs = decode(request)
        return encode(function(*args, **kwargs) if kwargs else function(*args))

    return run


class Worker:
    """Runs methods in the thread that calls :meth:`run`, until the server has shut down."""

    def __init__(self, shared: Shared, methods: Sequence[Method], codec: Codec, tasks: Callable[[], Tasks]) -> None:
        self._shared = shared
        self._methods = methods
        self._codec = codec
        self._tasks = tasks
        self._simple = [simple(method, codec) for method in methods]
        self._box = array("q", bytes(8 * shared.core.pycore_BoxSize()))
        self._stage = Stage(shared.inline)  # see go/pycore, ClientStage
        self._worker: int = checked(shared.core.pycore_WorkerNew(shared.handle, self._box.buffer_info()[0], self._stage.address))

    def run(self) -> None:
        """Run methods."""
        try:
            self._serve()
        finally:
            self.close()

    def close(self) -> None:
        """End a worker that does not run, or not any more."""
        self._shared.core.pycore_WorkerClose(self._worker)

    def _serve(self) -> None:
        shared, box, worker, simples, methods = self._shared, self._box, self._worker, self._simple, self._methods
        next_call, segments, inline = shared.core.pycore_WorkerNext, shared.segments, shared.inline
        reserve, segment_of, stage = shared.core.pycore_WorkerReserve, segments.of, self._stage.memory
        while True:
            number = next_call(worker)
            if number < 0:
                if self._noticed(number):
                    continue
                return
            run = simples[number]
            length = box[2]  # these are _box.LENGTH and so on: names of a module take a lookup each
            if run is None or (length > COPIED_TO and methods[number].kind == "typed"):
                self._run(WorkerAnswer(shared, methods[number], worker, box, stage))
                continue
            status = 0
            try:
                offset = box[1]
                reply = run(segment_of(box[0])[offset : offset + length]) if offset else run(stage[:length])
                if type(reply) is not bytes:
                    reply = b"" if reply is None else plain(reply)
            except BaseException as error:  # the caller's to know, whatever it is: also SystemExit, which would end the worker
                status, reply = _box.EXCEPTION, shared.failure(error, methods[number])
            size = len(reply)
            if size <= inline:
                stage[:size] = reply
                box[4] = status
                box[5] = 0
                box[6] = size
                continue
            offset = reserve(worker, size)
            if offset < 0:  # the caller has been told
                continue
            segment = segment_of(box[0])
            if isinstance(reply, Parts):
                reply.write(memoryview(segment)[offset : offset + size])
            else:
                segment[offset : offset + size] = reply
            del segment, reply  # which may be large, while the worker waits
            box[4] = status
            box[5] = offset
            box[6] = size

    def _noticed(self, number: int) -> bool:
        """Deal with what is no call, and report whether the server goes on."""
        status, what = status_of(number), -number >> STATUS_BITS
        if status is Status.CONNECTION:
            self._shared.segments.drop(what)
        elif status is Status.CANCELLED:
            self._tasks().cancel(what)
        else:
            return False
        return True

    def _run(self, answer: WorkerAnswer) -> None:
        method = answer.method
        if method.is_async:
            ticket = self._shared.core.pycore_WorkerDetach(self._worker, 1)
            self._tasks().start(answer.later(ticket))
            return
        request = answer.request()
        reply: Reply | None = None
        try:
            context = answer.context() if method.context is not None else None
            keywords = keywords_of(method, context)
            if method.kind == "raw":
                reply = Reply(answer.reserved)
                method.function(Request(request), reply, **keywords)
            elif method.kind == "bytes":
                answer.reply(method.function(bytes(request), **keywords))
            else:
                answer.reply(self._result(method, request, context))
        except BaseException as error:  # see _serve
            answer.fail(error)
        else:
            if reply is not None:
                self._send(answer, reply)
        finally:
            self._shared.withdraw(request, method)

    def _result(self, method: Method, request: memoryview, context: Context | None) -> Any:
        # A function of its own: what has been made of the request is gone when it returns.
        args, named = arguments_of(method, request, context)
        return self._codec.encode(method.function(*args, **named))

    def _send(self, answer: WorkerAnswer, reply: Reply) -> None:
        if answer.answered:  # there was no room, and the method has caught that
            return
        view = reply.written
        if view is None:
            answer.reply(b"")
            return
        length = len(view)
        self._shared.withdraw(view, answer.method)
        answer.answer(_box.REPLY, answer.place, length)
