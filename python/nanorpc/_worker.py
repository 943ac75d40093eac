"""The threads that run a server's methods."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from nanorpc import _box
from nanorpc._answers import Shared, WorkerAnswer, arguments_of, keywords_of, refuse
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


def copying(method: Method, codec: Codec) -> Callable[[bytes], Any] | None:
    """Return a function from request to reply for a method that needs nothing else, or None."""
    if method.is_async or method.context is not None or method.kind == "raw":
        return None
    function = method.function
    if method.kind == "bytes":
        return function
    assert method.signature is not None
    fast, otherwise, encode = method.signature.fast, method.signature.decode_otherwise, codec.encode

    def run(request: bytes) -> Any:
        kwargs: Any = None
        try:
            args = fast[request[0]](request)
        except Exception:  # whatever it is: the long way decides
            args = None
        if args is None:
            args, kwargs = otherwise(request)
        return encode(function(*args, **kwargs) if kwargs else function(*args))

    return run


def in_place(method: Method, codec: Codec, reserve: Callable[[int], memoryview]) -> Callable[[memoryview], Any] | None:
    """Return a function from request, where it lies, to reply for a method that needs nothing else, or None. A raw method's reply is what ``reserve``
    has returned, or None.
    """
    if method.is_async or method.context is not None or method.kind == "bytes":
        return None
    function = method.function
    encode = codec.encode

    def run_raw(request: memoryview) -> memoryview | None:
        reply = Reply(reserve)
        function(Request(request), reply)
        return reply.written

    def run_typed(request: memoryview) -> Any:
        args, kwargs = arguments_of(method, request, None)
        return encode(function(*args, **kwargs))

    return run_raw if method.kind == "raw" else run_typed


class Worker:
    """Runs methods in the thread that calls :meth:`run`, until the server has shut down."""

    def __init__(self, shared: Shared, methods: Sequence[Method], codec: Codec, tasks: Callable[[], Tasks]) -> None:
        self._shared = shared
        self._methods = methods
        self._codec = codec
        self._tasks = tasks
        self._box = array("q", bytes(8 * shared.core.pycore_BoxSize()))
        self._stage = Stage(shared.inline)  # see go/pycore, ClientStage
        addresses = self._box.buffer_info()[0], self._stage.address
        self._worker: int = checked(shared.core.pycore_WorkerNew(shared.handle, *addresses))
        segments = shared.segments
        self._runner = shared.core.runner(
            self._worker, *addresses, segments.maps, segments.of, refuse, lambda number: shared.kept(methods[number])
        )  # see python/packaging/runner.c
        self._functions = (
            tuple(copying(method, codec) for method in methods),
            tuple(COPIED_TO if method.kind == "typed" else sys.maxsize for method in methods),
            tuple(in_place(method, codec, self._runner.reserve) for method in methods),
        )

    def run(self) -> None:
        """Run methods."""
        try:
            while self._serve():  # in a function of its own: what it has had, which may be large, is gone while the next one waits
                pass
        finally:
            self.close()

    def close(self) -> None:
        """End a worker that does not run, or not any more."""
        self._shared.core.pycore_WorkerClose(self._worker)

    def _serve(self) -> bool:
        """Run methods until one is not done in the core alone; deal with that, and report whether the server goes on."""
        try:
            number, reply = self._runner.run(*self._functions)
        except BaseException as error:  # the caller's to know, whatever it is: also SystemExit, which would end the worker
            self._fail(error, self._methods[self._box[_box.METHOD]])
            return True
        if number < 0:
            return self._noticed(number)
        method = self._methods[number]
        try:
            answer = self._answer_to(method)
        except BaseException as error:  # the connection's segment cannot be mapped
            self._fail(error, method)
            return True
        if reply is None:
            self._run(answer)
        else:
            self._reply(reply, answer)
        return True

    def _reply(self, reply: Any, answer: WorkerAnswer) -> None:
        """Answer with what a method has returned, which is no bytes."""
        try:
            answer.reply(reply)
        except BaseException as error:  # it is nothing that can be sent, or written: an array of a class of the program's, say
            answer.fail(error)

    def _answer_to(self, method: Method) -> WorkerAnswer:
        return WorkerAnswer(self._shared, method, self._worker, self._box, self._stage.memory)

    def _fail(self, error: BaseException, method: Method) -> None:
        runner = self._runner
        if runner.room:  # for a reply: there is no more memory
            answer = self._answer_to(method)
            answer.place, answer.room, answer.answered = runner.place, runner.room, runner.over
            answer.fail(error)
        elif not runner.over:
            self._answer_exception(self._shared.failure(error, method))

    def _answer_exception(self, payload: bytes) -> None:
        """Answer, with the next call of the core; where it is short, also where the segment cannot be mapped."""
        size, offset = len(payload), _box.STAGED
        if size <= self._shared.inline:
            self._stage.memory[:size] = payload
        else:
            offset = self._shared.core.pycore_WorkerReserve(self._worker, size)
            if offset < 0:  # the caller has been told
                return
            self._shared.segments.of(self._box[_box.CONNECTION])[offset : offset + size] = payload
        self._box[_box.STATUS], self._box[_box.REPLY_OFFSET], self._box[_box.REPLY_LENGTH] = _box.EXCEPTION, offset, size

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
