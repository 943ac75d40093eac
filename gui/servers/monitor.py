"""Watches all servers from one thread, which never waits for one of them: an event loop, with a connection to each server."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from typing import Any, TypeVar

from PyQt5.QtCore import QObject, pyqtSignal

from nanorpc import aio
from nanorpc.errors import NanoRPCError, ServerGone, ServerNotFound
from nanorpc.gui.servers.events import Answered, Described, Gone, Looked, Silent
from nanorpc.services import services

INTERVAL = 1.0
"""Seconds from one question to the next."""

PATIENCE = 1.5
"""After how many seconds without an answer a server is said not to answer."""

_CONNECT = 10.0
"""Seconds that a server has to answer a connection, before there is another try."""

_AGAIN = 3.0
"""Seconds between two tries to connect."""

_DIALS = 32
"""How many connections may wait for their servers at once: each takes a thread."""

_FOR_EVER = float("inf")
"""A timeout; None would be that of the connection."""

Result = TypeVar("Result")


class Monitor(QObject):
    """Tells of servers: signals, which come to the window's thread. It asks only between :meth:`resume` and :meth:`pause`, but tells of a server's
    end at any time: the connection's end wakes it.

    :param directory: where services are found; ``None`` for the default.
    """

    told = pyqtSignal(object)
    """An :class:`Event`, or :class:`Looked`."""

    failed = pyqtSignal(object)
    """An exception that nobody has foreseen."""

    def __init__(self, directory: str | os.PathLike[str] | None) -> None:
        super().__init__()
        self._directory = directory
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._main: asyncio.Task[None] | None = None
        self._keys = count(1)
        self._asking = asyncio.Event()  # the loop's, as is the next
        self._hurry = asyncio.Event()

    def resume(self) -> None:
        """Begin to ask, or ask at once."""
        if self._thread is None:
            started = threading.Event()
            self._thread = threading.Thread(target=self._run, args=(started,), name="nanorpc-gui-monitor", daemon=True)
            self._thread.start()
            started.wait()
        self._in_loop(self._look_now)

    def pause(self) -> None:
        """Ask no more."""
        if self._thread is not None:
            self._in_loop(self._asking.clear)

    def close(self) -> None:
        """End, with all connections. Blocks until that is done, for some seconds at most."""
        thread, self._thread = self._thread, None
        if thread is not None:
            assert self._main is not None
            self._in_loop(self._main.cancel)
            thread.join(5)

    def _in_loop(self, function: Any) -> None:
        assert self._loop is not None
        with suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(function)

    def _run(self, started: threading.Event) -> None:
        try:
            asyncio.run(self._look(started))
        except asyncio.CancelledError:
            pass
        except Exception as error:
            self.failed.emit(error)

    def _look_now(self) -> None:
        self._asking.set()
        self._hurry.set()

    async def _look(self, started: threading.Event) -> None:
        """Find servers, and watch each in a task of its own."""
        self._loop, self._main = asyncio.get_running_loop(), asyncio.current_task()
        self._loop.set_default_executor(ThreadPoolExecutor(_DIALS, "nanorpc-gui-dial"))
        watches: dict[str, _Watch] = {}
        started.set()
        try:
            # The directory has a thread of its own: connections that wait for their servers may take all others.
            with ThreadPoolExecutor(1, "nanorpc-gui-look") as executor:
                while True:
                    await self._asking.wait()
                    self._hurry.clear()
                    try:
                        names = await self._loop.run_in_executor(executor, services, self._directory)
                    except (NanoRPCError, OSError) as error:
                        self.told.emit(Looked(str(error)))
                    else:
                        self._match(names, watches)
                        self.told.emit(Looked(""))
                    with suppress(asyncio.TimeoutError):
                        await asyncio.wait_for(self._hurry.wait(), INTERVAL)
        finally:
            tasks = [watch.task for watch in watches.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _match(self, names: list[str], watches: dict[str, _Watch]) -> None:
        """Watch the servers of these names, and only those."""
        for name, watch in list(watches.items()):
            if watch.task.done():
                del watches[name]
                if error := watch.task.exception():
                    self.failed.emit(error)
            elif name not in names and not watch.connected:  # the end of a connection tells of itself
                watch.task.cancel()
                del watches[name]
        for name in names:
            if name not in watches:
                watches[name] = _Watch(name, next(self._keys), self._directory, self._asking, self.told.emit)


class _Watch:
    """Watches one server until it ends."""

    def __init__(self, service: str, key: int, directory: str | os.PathLike[str] | None, asking: asyncio.Event, tell: Any) -> None:
        self.connected = False
        self._service = service
        self._key = key
        self._directory = directory
        self._asking = asking
        self._tell = tell
        self.task = asyncio.ensure_future(self._watch())

    async def _watch(self) -> None:
        try:
            with suppress(ServerNotFound, ServerGone):
                await self._converse(await self._connect())
        finally:
            self._tell(Gone(self._key, self._service))

    async def _dial(self) -> aio.Client:
        # Without spinning: the CPU is left to who is watched.
        return await aio.connect(self._service, directory=self._directory, timeout=_CONNECT, spin="none")

    async def _connect(self) -> aio.Client:
        while True:
            try:
                return await self._patiently(self._dial())
            except (ServerNotFound, ServerGone):
                raise
            except NanoRPCError as error:
                self._tell(Silent(self._key, self._service, str(error)))
            await asyncio.sleep(_AGAIN)

    async def _converse(self, client: aio.Client) -> None:
        self.connected = True
        end = asyncio.ensure_future(client.wait_closed())
        # A call is never given up, however long it takes, nor made again meanwhile: at a server that is stopped, each would take a slot.
        try:
            self._tell(Described(self._key, self._service, await self._patiently(client.describe(timeout=_FOR_EVER))))
            while not end.done():
                self._tell(Answered(self._key, self._service, await self._patiently(client.stats(timeout=_FOR_EVER))))
                await asyncio.wait({end}, timeout=INTERVAL)
                if not self._asking.is_set():
                    resumed = asyncio.ensure_future(self._asking.wait())
                    await asyncio.wait({end, resumed}, return_when=asyncio.FIRST_COMPLETED)
                    resumed.cancel()
        except ServerGone:
            raise
        except NanoRPCError as error:  # such as Incompatible
            self._tell(Silent(self._key, self._service, str(error)))
            await end
        finally:
            end.cancel()
            client.close()

    async def _patiently(self, answer: Coroutine[Any, Any, Result]) -> Result:
        """Wait for an answer for as long as it takes, and tell if that is long."""
        task = asyncio.ensure_future(answer)
        try:
            if not (await asyncio.wait({task}, timeout=PATIENCE))[0]:
                self._tell(Silent(self._key, self._service, f"no answer within {PATIENCE:g} s: it is stopped, or busy"))
            return await task
        finally:
            task.cancel()
