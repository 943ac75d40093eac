"""One connection's calling end, on which the clients are built."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from nanorpc import _loader
from nanorpc._buffer import Parts, plain
from nanorpc._loader import check_fork, checked, core, forked
from nanorpc._place import Directory, service_directory
from nanorpc._segment import map_segment
from nanorpc._stage import Stage
from nanorpc._tickets import Slot, Ticket, Tickets
from nanorpc.errors import InvalidOption, NanoRPCError, Status, exception, status_of

if TYPE_CHECKING:
    from nanorpc._buffer import Buffer
    from nanorpc._collector import Collector
    from nanorpc._core import Hold
    from nanorpc.remote import ErrorRegistry

SLOTS = 256
"""Calls that can be in flight at once."""

PLACE_SHIFT = 32
PLACE_UNIT_SHIFT = 5
LENGTH_MASK = (1 << PLACE_SHIFT) - 1

STAGED = 2 << PLACE_SHIFT
"""Places below this are no places: the reply is on the stage, and the lower bits are its length."""

STAGE_SIZE = 256
"""Bytes of the stage for each slot."""

KEPT_FROM = 1 << 16
"""Replies from this length on, in bytes, may stay where they lie; copying a shorter one costs less than that."""

MAX_KEPT = 128
"""How many replies stay where they lie at most, if they do not take half of the room before: each takes a slot, of which there are 256."""


NO_SLOT = "no slot was free in time: 256 calls, loans and replies that are kept where they lie take one each"
NO_ROOM = "there was no room for the request in time, beside others that are open"


def unplace(place: int) -> tuple[int, int]:
    """Return the offset and the length of a reply that lies in the segment."""
    return place >> PLACE_SHIFT << PLACE_UNIT_SHIFT, place & LENGTH_MASK


_FOR_EVER = 1 << 62
"""Nanoseconds, 146 years."""


def nanoseconds(timeout: float) -> int:
    """Return a timeout given in seconds in ns, at least 1 and at most 146 years, which infinity is as well.

    :raises InvalidOption: it is no number.
    """
    try:
        return max(min(int(timeout * 1e9), _FOR_EVER), 1)
    except OverflowError:
        return _FOR_EVER if timeout > 0 else 1
    except (TypeError, ValueError) as error:
        raise InvalidOption(f"timeout={timeout!r}: use seconds, or None") from error


def deadline_after(timeout: float | None) -> int:
    """Return the time of CLOCK_MONOTONIC in ns that is some seconds from now; 0 for None, which is no deadline.

    :raises InvalidOption: it is no number.
    """
    return 0 if timeout is None else time.monotonic_ns() + nanoseconds(timeout)


class Channel:
    """A connection's slots and memory. All methods may be called from several threads at once; those that take a slot are for its holder.

    A slot is held by a thread during its call, by what keeps the reply, or by nobody: then it is in ``_idle``, or the core's.
    Whoever holds one refers to it: see :mod:`nanorpc._tickets`.
    """

    _forgotten = True  # until there is all that close needs

    def __init__(self, service: str, handle: int, registry: ErrorRegistry | None, connection: object) -> None:
        self.service = service
        self.core = core()
        self.handle = handle
        self.registry = registry
        self.closed = False
        self._connection = connection  # keeps the handle valid
        size = self.core.pycore_ClientSize(handle)
        self.map = map_segment(partial(self.core.pycore_ClientDescriptor, handle), size)
        self.inline: int = self.core.pycore_InlineCapacity()
        self.max_payload = checked(self.core.pycore_ClientMaxPayload(handle))  # the longest request and reply, in bytes
        self._staged = Stage(self.core.pycore_StageSize())  # see go/pycore, ClientStage
        self.stage = self._staged.memory
        checked(self.core.pycore_ClientStage(handle, self._staged.address))
        self._call = self.core.pycore_Call
        self._numbers: dict[str, int] = {}
        # Slots that no thread uses, each with the offset of its stage. Appending and popping are atomic.
        self._idle: list[tuple[Slot, int]] = []
        asked = (self.core.pycore_ClientAddress, self.core.pycore_ClientGenerations, self.core.pycore_GenerationStride, self.core.pycore_ClientSleeps)
        self._exchange = self.core.exchanger(self._idle, self._numbers, handle, *(checked(ask(handle)) for ask in asked))
        self._tickets = Tickets()  # of all slots that the core has given, and of those who are about to ask it for some
        self._waiting: set[int] = set()  # tickets of those who wait for a slot of the core
        self._returning = bytearray(1)  # not 0: slots go back to the core: there are such, or the connection is closed
        self.loan_now, self.hold_slot = self.core.holder(self._exchange, _loader.forked_after_load, self._returning, self._staged.address)
        # Reentrant: what has kept a reply may be collected, and give its slot back, anywhere.
        self._lock = threading.RLock()  # guards _waiting, _returning and _forgotten
        self._kept: dict[int, int] = {}  # by ticket: bytes that replies take which stay where they lie
        self._keepable = size // 4  # how many these may be: half of what there is for replies
        self.collector: Collector | None = None  # see collector_of
        self.making = threading.Lock()  # guards the making of that
        self.reap: Callable[[], None] = nothing  # gives back what this thread would, were it not about to wait
        self._forgotten = False

    def caller(self) -> Callable[..., bytes]:
        """Return :meth:`call` as a function of C, which leaves to that what is no call with bytes. It keeps this object."""
        made: Callable[..., bytes] = self.core.caller(
            self._exchange, _loader.forked_after_load, self._returning, self.drop_idle, self._conclude, self.call
        )
        return made

    def call(self, method: str, payload: Buffer | Parts = b"", *, timeout: float | None = None, keep: bool = False) -> bytes:
        """See :meth:`Client.call`. With ``keep``, a long reply stays where it lies and is a memoryview, until that and all that is made of it are
        gone.
        """
        if _loader.forked_after_load[0]:
            check_fork()
        deadline = 0 if timeout is None else deadline_after(timeout)
        exchange = self._exchange  # see python/packaging/exchange.c; called by this name, as self._exchange(...) looks for a method first
        got = exchange(method, payload, deadline, keep)
        if type(got) is bytes:
            if self._returning[0]:  # after the slot is idle again: who sets it looks at the idle slots then
                self.drop_idle()
            return got
        if got is None:
            return self._call_otherwise(method, payload, deadline, keep)
        assert type(payload) is bytes  # else nothing has been got
        entry, result = got
        return self._conclude(entry, result, method, deadline, keep, len(payload) <= self.inline)

    def _call_otherwise(self, method: str, payload: Buffer | Parts, deadline: int, keep: bool) -> bytes:
        """Make any call."""
        request: Any = payload if type(payload) is bytes else plain(payload)
        length = len(request)
        number = self.number(method)
        try:
            slot, stage = entry = self._idle.pop()
        except IndexError:
            slot, stage = entry = self.acquire(deadline)
        submitted = False
        try:
            if length > self.inline:
                offset = self.reserve(slot, length, deadline)
                self.write(offset, length, request)
            else:
                offset = 0
                self.stage[stage : stage + length] = request
            submitted = True
            result = self._call(self.handle, slot, number, offset, length, deadline, 0)
        except BaseException as error:
            self.drop(slot)
            if not submitted and isinstance(error, NanoRPCError):
                error.sent = False
            raise
        return self._conclude(entry, result, method, deadline, keep, not offset)

    def _conclude(self, entry: tuple[Slot, int], result: int, method: str, deadline: int, keep: bool, short: bool) -> bytes:
        """Return the reply of a call that has been submitted, and give its slot back. The request may have been short, so that it lay in the slot."""
        slot, stage = entry
        try:
            if result < 0:
                result = self.finish(slot, result, method, deadline)
            if result < STAGED:
                reply = self.stage[stage : stage + (result & LENGTH_MASK)]
            else:
                size = result & LENGTH_MASK
                start = result >> PLACE_SHIFT << PLACE_UNIT_SHIFT
                if keep and self.keepable(size):
                    kept: bytes = self.keep(entry, start, size)
                    return kept
                reply = self.core.copied(self.map, start, size)
            if result >= STAGED or not short:
                self.core.pycore_Recycle(self.handle, slot)
        except BaseException:
            # Also a KeyboardInterrupt: the call goes on without us, and the slot is free when it has ended.
            self.drop(slot)
            raise
        self._idle.append(entry)
        if self._returning[0]:  # after the append: who sets it looks at the idle slots then
            self.drop_idle()
        return reply

    def number(self, method: str) -> int:
        """Return the number of a method's name."""
        number = self._numbers.get(method)
        if number is None:
            number = self._numbers[method] = self.core.pycore_MethodID(method)
        return number

    def numbers(self, methods: list[str]) -> list[int]:
        """Return the numbers of many methods."""
        known = self._numbers
        try:
            return [known[method] for method in methods]
        except KeyError:
            return [self.number(method) for method in methods]

    def take(self, deadline: int) -> tuple[Slot, int]:
        """Take a slot, with the offset of its stage. Blocks while all are in use."""
        check_fork()
        try:
            entry = self._idle.pop()
        except IndexError:
            return self.acquire(deadline)
        if self.closed:  # since: nothing else may ask the core before the slot's memory is used
            self.drop(entry[0])
            raise exception(Status.CLOSED)
        return entry

    def acquire(self, deadline: int) -> tuple[Slot, int]:
        """Take a slot from the core, as :meth:`take` does when none is idle."""
        ticket = self.hold()
        try:
            slot = Slot(self.ask(deadline, ticket))
        except BaseException:
            self.unhold(ticket)
            raise
        slot.ticket = ticket
        return slot, slot * STAGE_SIZE

    def ask(self, deadline: int, ticket: Ticket) -> int:
        """Take a slot from the core for the holder of a ticket, and return its number. Blocks while all are in use."""
        try:
            with self._lock:
                self._waiting.add(ticket.number)
                self._returning[0] = True
            result = -Status.PENDING
            while result == -Status.PENDING:
                self.reap()
                self.recover()
                result = self.core.pycore_Acquire(self.handle, deadline, ticket.number)
                if result == -Status.PENDING:
                    self.drop_idle()  # of those who did not see that somebody waits
            if result == -Status.DEADLINE:
                raise exception(Status.DEADLINE, NO_SLOT)
            return checked(result)
        except NanoRPCError as error:
            error.sent = False
            raise
        finally:
            self._wait_over(ticket.number)

    def _wait_over(self, ticket: int) -> None:
        with self._lock:
            self._waiting.discard(ticket)
            self._returning[0] = self.closed or bool(self._waiting)

    def hold(self) -> Ticket:
        """Keep the connection's memory until :meth:`unhold` of what is returned, or until that is gone."""
        with self._lock:
            if self._forgotten:
                error = exception(Status.CLOSED)
                error.sent = False
                raise error
            return self._tickets.new()

    def unhold(self, ticket: Ticket) -> None:
        """End a :meth:`hold`, and give back all slots that the holder of the ticket has been given."""
        self._give_back(ticket.number)

    def _give_back(self, ticket: int) -> None:
        """Give all slots of a ticket back to the core. Calls that have been submitted and not been answered are given up. Doing it again does
        nothing.
        """
        self.core.pycore_DropAll(self.handle, ticket)
        self._kept.pop(ticket, None)
        if ticket in self._waiting:
            self._wait_over(ticket)
        self._tickets.end(ticket)
        if self.closed:
            self._forget_if_unused()

    def recover(self) -> None:
        """Give back what an exception has kept its holders from giving back."""
        if self._tickets.lost:
            for ticket in list(self._tickets.lost):
                self._give_back(ticket)

    def try_take(self) -> tuple[Slot, int] | None:
        """Take a slot if one is free."""
        check_fork()
        try:
            return self._idle.pop()
        except IndexError:
            pass
        self.recover()
        ticket = self.hold()
        try:
            number = self.core.pycore_TryAcquire(self.handle, ticket.number)
            if number == -Status.PENDING:
                self.unhold(ticket)
                return None
            slot = Slot(checked(number))
        except BaseException:
            self.unhold(ticket)
            raise
        slot.ticket = ticket
        return slot, slot * STAGE_SIZE

    def reserve(self, slot: int, length: int, deadline: int) -> int:
        """Return the offset for a request of any length. Blocks while there is no room."""
        result = -Status.PENDING
        while result == -Status.PENDING:
            self.reap()
            self.recover()
            result = self.core.pycore_Reserve(self.handle, slot, length, deadline)
        return result if result >= 0 else self.reserved(result, length)

    def reserved(self, result: int, length: int) -> int:
        """Return what a Reserve of the core has returned, or raise what it means."""
        if result == -Status.TOO_LARGE:
            raise exception(Status.TOO_LARGE, f"a request of {length} bytes; the server accepts {self.max_payload}")
        if result == -Status.DEADLINE:
            raise exception(Status.DEADLINE, NO_ROOM)
        return checked(result)

    def loan(self, length: int, deadline: int) -> tuple[Hold, memoryview, int]:
        """Hold a slot, and return that with memory for its request, and where that lies. Blocks while there is no slot or no room. Where it would not
        block, ``loan_now`` does the same in C.
        """
        hold = self.hold_slot(self, self.take(deadline))
        try:
            offset = self.reserve(hold.slot, length, deadline)
            return hold, hold.view(offset, length, True), offset
        except BaseException:
            hold.drop()  # views of it may have given it back already
            raise

    def read(self, slot: int, result: int) -> bytes:
        """Return a reply."""
        if result < STAGED:
            start = slot * STAGE_SIZE
            return self.stage[start : start + (result & LENGTH_MASK)]
        start, length = unplace(result)
        reply: bytes = self.core.copied(self.map, start, length)
        return reply

    def write(self, offset: int, length: int, payload: Any) -> None:
        """Write a request where it has been reserved."""
        if isinstance(payload, Parts):
            payload.write(memoryview(self.map)[offset : offset + length], self.core.copy)
        else:
            self.core.copy(memoryview(self.map)[offset : offset + length], payload)

    def perform(self, slot: int, method: str, offset: int, length: int, deadline: int) -> int:
        """Make the call of a slot whose request has been written, and return the place of the reply. After an exception the slot is still the
        caller's to drop, with its call submitted.
        """
        check_fork()
        result: int = self._call(self.handle, slot, self.number(method), offset, length, deadline, 0)
        return result if result >= 0 else self.finish(slot, result, method, deadline)

    def finish(self, slot: int, result: int, method: str, deadline: int) -> int:
        """Wait for a call that has not ended with a reply yet. Returns the place of the reply, or raises."""
        while result == -Status.PENDING:
            result = self.core.pycore_Await(self.handle, slot, deadline, 0)
        if result >= 0:
            return result
        raise self.error(slot, result, method)

    def error(self, slot: int, result: int, method: str) -> Exception:
        """Return the exception for a call that has not ended with a reply."""
        status = status_of(result)
        text = ""
        if status in (Status.REMOTE, Status.EXCEPTION, Status.TOO_LARGE, Status.EXHAUSTED):
            place = self.core.pycore_Reply(self.handle, slot)
            payload = b""
            if place >= 0:
                start, length = unplace(place)
                payload = self.map[start : start + length]
            if status is Status.EXCEPTION:
                from nanorpc.remote import ErrorRegistry, decode_error

                return decode_error(payload, self.registry or ErrorRegistry())
            text = payload.decode(errors="replace")
        elif status is Status.UNKNOWN_METHOD:
            text = f"service {self.service} has no method {method!r}"
        elif status is Status.DEADLINE:
            text = f"no reply to {method} in time"
        return exception(status, text)

    def keepable(self, length: int) -> bool:
        """Return whether a reply may stay where it lies: it is long enough, and there is half of the room, and of the slots, for others."""
        if length < KEPT_FROM:
            return False
        kept = self._kept
        return len(kept) < MAX_KEPT and block_size(length) + sum(kept.values()) <= self._keepable

    def keep(self, entry: tuple[Slot, int], start: int, length: int) -> Any:
        """Return a read-only view of a reply where it lies. Its slot is given back once the view, all that was made of it and all arrays on them are
        gone: then, in whatever thread that happens. The map stays as long, whatever becomes of the connection.
        """
        self._kept[entry[0].ticket.number] = block_size(length)
        return self.core.pin(self.map, start, length, False, partial(self._unkeep, entry))  # see python/packaging/pin.c

    def _unkeep(self, entry: tuple[Slot, int]) -> None:
        if not forked():
            self._kept.pop(entry[0].ticket.number, None)
            self.release(entry)

    def release(self, entry: tuple[Slot, int]) -> None:
        """Give back a slot whose reply has been read."""
        self.core.pycore_Recycle(self.handle, entry[0])
        self._idle.append(entry)
        if self._returning[0]:
            self.drop_idle()

    def drop(self, slot: Slot) -> None:
        """Give a slot back to the core. If its call has been submitted and not been answered, that is given up."""
        if not forked():
            self._give_back(slot.ticket.number)

    def close(self) -> None:
        """End the connection. Closing again does nothing."""
        if self._forgotten:
            return
        if forked():  # the connection is the parent's, and a thread of that may have held the lock
            self.closed = True
            return
        self.core.pycore_ClientClose(self.handle)  # first: an exception that ends this leaves no connection that says it is closed
        with self._lock:
            self.closed = True
            self._returning[0] = True
        self.drop_idle()
        self._forget_if_unused()

    def __del__(self, over: Callable[[], bool] = sys.is_finalizing) -> None:
        if not over():  # then modules have lost their names, and all ends by itself
            self.close()  # again, if it has been closed: an exception may have ended that halfway

    def drop_idle(self) -> None:
        """Give idle slots back to the core."""
        while self._idle:
            try:
                slot, _ = self._idle.pop()
            except IndexError:
                return
            self.drop(slot)

    def _forget_if_unused(self) -> None:
        """Forget a closed connection none of whose slots is held. Its memory goes with the last view of it."""
        self.recover()
        with self._lock:
            if not self.closed or self._tickets or self._forgotten:
                return
            self._forgotten = True
        self.core.pycore_ClientForget(self.handle)
        with suppress(BufferError):  # the last view of it is about to go, and the map with it
            self.map.close()
        del self.map


def block_size(length: int) -> int:
    """Return what a payload outside of a slot takes."""
    return 1 << (length - 1).bit_length()


def nothing() -> None:
    """Do nothing."""


def dial(
    service: str,
    directory: Directory | None,
    timeout: float,
    spin: str,
    registry: ErrorRegistry | None,
    seals: bool = False,
    given_up: threading.Event | None = None,
) -> Channel:
    """Connect. Blocks for up to ``timeout`` seconds, or until it is given up; signals are handled meanwhile. See :func:`nanorpc.connect`."""
    dialling = _Dialling(service, service_directory(directory), spin, nanoseconds(timeout), seals)
    result = -Status.PENDING
    while result == -Status.PENDING:
        result = dialling.wait()
        if result == -Status.PENDING and given_up is not None and given_up.is_set():
            raise exception(Status.CLOSED)
    return Channel(service, checked(result), registry, dialling)


class _Dialling:
    """An attempt to connect, and the connection that has come of it: it ends with this object, if it has not ended before."""

    _attempts: Sequence[int] = ()  # one

    def __init__(self, service: str, directory: str, spin: str, timeout: int, seals: bool) -> None:
        self._core = core()
        self._attempts = attempts = list[int]()
        # An exception after that finds the number in the list: there is no step of the interpreter between.
        attempts.extend(map(self._core.pycore_Dial, (service,), (directory,), (spin,), (timeout,), (int(seals),)))
        checked(self._attempts[0])

    def wait(self) -> int:
        """Return the number of the connection, or a failure: also that it is pending, after a while."""
        result: int = self._core.pycore_DialWait(self._attempts[0])
        return result

    def __del__(self, over: Callable[[], bool] = sys.is_finalizing) -> None:
        if self._attempts and not over() and not _loader.forked_after_load[0]:
            deque(map(self._core.pycore_DialEnd, self._attempts), 0)  # at once, also if there is an exception of a signal's handler
