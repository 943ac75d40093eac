"""The event loop on which a server's coroutine methods run."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nanorpc._answers import LaterAnswer, arguments_of, keywords_of

if TYPE_CHECKING:
    from nanorpc.codec import Codec
    from nanorpc.context import Context
    from nanorpc.service import Method


class Tasks:
    """One loop in a thread of its own. Its methods may be called from any other thread.

    :param is_open: tells of a ticket whether its call has not been answered.
    """

    def __init__(self, service: str, codec: Codec, is_open: Callable[[int], bool]) -> None:
        self._codec = codec
        self._is_open = is_open
        self._loop = asyncio.new_event_loop()
        self._new: deque[LaterAnswer | int] = deque()  # calls, and tickets of those that are cancelled
        self._stopping = False
        self._woken = False  # the loop is to look at the new ones
        self._running: dict[int, asyncio.Task[None]] = {}  # by ticket; the loop's
        self._early: set[int] = set()  # tickets that have been cancelled before their calls came; the loop's
        self._thread = threading.Thread(target=self._run, name=f"nanorpc-{service}-loop", daemon=True)
        self._thread.start()

    def start(self, answer: LaterAnswer) -> None:
        """Run a call's method."""
        self._post(answer)

    def cancel(self, ticket: int) -> None:
        """Cancel a call: nobody waits for it any more."""
        self._post(ticket)

    def stop(self, timeout: float) -> None:
        """Cancel what runs, and end the loop. Blocks until that is done, for ``timeout`` seconds at most."""
        self._loop.call_soon_threadsafe(self._stop)
        self._thread.join(timeout)

    def _stop(self) -> None:
        self._stopping = True
        self._loop.stop()

    def _post(self, item: LaterAnswer | int) -> None:
        self._new.append(item)
        if not self._woken:  # waking the loop takes a system call
            self._woken = True
            self._loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        self._woken = False  # before looking: what comes later wakes again
        while self._new:
            item = self._new.popleft()
            if isinstance(item, int):
                task = self._running.get(item)
                if task is not None:
                    task.cancel()
                elif self._is_open(item):  # one worker tells of the cancellation before another has handed over the call
                    self._early.add(item)
                continue
            task = self._loop.create_task(self._call(item), name=item.method.name)
            self._running[item.ticket] = task
            task.add_done_callback(lambda task, answer=item: self._over(answer, task))  # type: ignore[misc]
            if item.ticket in self._early:
                self._early.discard(item.ticket)
                task.cancel()

    def _over(self, answer: LaterAnswer, task: asyncio.Task[None]) -> None:
        if self._running.get(answer.ticket) is task:
            del self._running[answer.ticket]
        if task.cancelled():  # before it began
            self._given_up(answer, asyncio.CancelledError())

    @staticmethod
    def _given_up(answer: LaterAnswer, error: asyncio.CancelledError) -> None:
        """Answer a call whose task has been cancelled."""
        if answer.deadline and time.monotonic_ns() >= answer.deadline:  # its caller may still be there to read it
            answer.expire()
        else:
            answer.fail(error)  # nobody reads it, unless the method has cancelled itself

    async def _call(self, answer: LaterAnswer) -> None:
        method = answer.method
        request = answer.request()
        try:
            context = answer.context() if method.context is not None else None
            if method.kind == "bytes":
                answer.reply(await method.function(bytes(request), **keywords_of(method, context)))
            else:
                answer.reply(await self._result(method, request, context))
        except asyncio.CancelledError as error:
            self._given_up(answer, error)
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # the caller's to know, and nothing that ends the loop
            answer.fail(error)
        finally:
            answer.shared.withdraw(request, method)

    async def _result(self, method: Method, request: memoryview, context: Context | None) -> Any:
        # A function of its own: what has been made of the request is gone when it returns.
        args, named = arguments_of(method, request, context)
        return self._codec.encode(await method.function(*args, **named))

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            while not self._stopping:
                # Of a task that a method has started: who awaits it gets that, too.
                with suppress(SystemExit, KeyboardInterrupt):
                    self._loop.run_forever()
            self._loop.run_until_complete(self._wind_up())
        finally:
            self._loop.close()

    async def _wind_up(self) -> None:
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._loop.shutdown_asyncgens()
