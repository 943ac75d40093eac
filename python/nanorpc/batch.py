"""Calls that are made together."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from nanorpc._buffer import Parts, plain
from nanorpc._channel import LENGTH_MASK, PLACE_SHIFT, SLOTS, STAGED, Channel, deadline_after
from nanorpc._loader import check_fork, checked
from nanorpc.errors import NanoRPCError, Status
from nanorpc.method import decoder_of

if TYPE_CHECKING:
    from nanorpc._buffer import Buffer
    from nanorpc._tools import Tools

Result = TypeVar("Result")

_COPIED = 1
"""In place of an offset: the reply has been copied to the batch's own memory."""


class Entry(Generic[Result]):
    """A call of a batch. Its result is there when the batch has run."""

    __slots__ = ("_came", "_decode", "_method", "_payload")

    def __init__(self, method: str, payload: bytes | bytearray | memoryview | Parts, decode: Callable[[bytes], Any] | None) -> None:
        self._method = method
        self._payload = payload
        self._decode = decode
        self._came: bytes | Exception | None = None  # what has come of it

    def result(self) -> Result:
        """Return the result, or raise the call's exception: what :meth:`Client.call` raises.

        :raises NanoRPCError: the batch has not run.
        """
        came = self._came
        if type(came) is bytes:
            return cast(Result, came if self._decode is None else self._decode(came))
        if isinstance(came, Exception):
            raise came
        raise NanoRPCError("the batch has not run: results are there after its with block")

    def exception(self) -> Exception | None:
        """Return the call's exception, or None if it has a result, or none yet."""
        return self._came if isinstance(self._came, Exception) else None


class Batch:
    """Calls that are published with one atomic operation and at most one wake-up of the server, 256 at a time, when the ``with`` block ends, or with
    :meth:`run`. Made by :meth:`Client.batch`, and used by one thread at a time::

        with client.batch() as batch:
            sums = [batch.add(i, i) for i in range(64)]
        print([sum.result() for sum in sums])

    The order in which the server runs them is not fixed. A call that fails does so alone: its :meth:`Entry.result` raises.
    """

    def __init__(self, tools: Tools, timeout: float | None) -> None:
        self._tools = tools
        self._timeout = timeout
        self._entries: list[Entry[Any]] = []
        self._append = self._entries.append

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if kind is None:
            self.run()

    def __len__(self) -> int:
        return len(self._entries)

    def __getattr__(self, name: str) -> Callable[..., Entry[Any]]:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        codec = self._tools.codec
        encode, decode, bind, append = codec.encode, decoder_of(codec, name, Any), self._tools.bind, self._entries.append

        def add(*args: Any, **kwargs: Any) -> Entry[Any]:
            request = encode(bind(name, args, kwargs) if kwargs else args)
            entry: Entry[Any] = Entry(name, request if type(request) is bytes else plain(request), decode)
            append(entry)
            return entry

        self.__dict__[name] = add
        return add

    def call(self, method: str, payload: Buffer = b"") -> Entry[bytes]:
        """Add a call with bytes, which must not change until the batch has run."""
        entry: Entry[bytes] = Entry(method, payload if type(payload) is bytes else plain(payload), None)
        self._append(entry)
        return entry

    def run(self) -> None:
        """Make the calls, and make the batch empty again. Blocks until all are over; signals are handled meanwhile.

        Calls for which there is no reply in time, or that the end of the connection meets, have that as their exception.
        """
        check_fork()
        entries = self._entries[:]
        self._entries.clear()
        deadline = deadline_after(self._timeout)
        done = 0
        while done < len(entries):
            try:
                channel = self._tools.line.live(self._timeout)
            except NanoRPCError as error:
                for entry in entries[done:]:
                    entry._came = error
                return
            done += _Round(channel, entries[done : done + SLOTS], deadline).run()


class _Round:
    """As many calls as there are slots and room for now, at least one. What is done for each call is kept to a few steps that C loops over."""

    def __init__(self, channel: Channel, entries: list[Entry[Any]], deadline: int) -> None:
        self._channel = channel
        self._entries = entries
        self._deadline = deadline
        self._awaited: set[int] = set()  # slots whose replies have not been taken

    def run(self) -> int:
        """Make them and return how many they are."""
        channel = self._channel
        try:
            self._ticket = channel.hold()
        except NanoRPCError as error:
            self._entries[0]._came = error
            return 1
        try:
            return self._run()
        finally:
            channel.unhold(self._ticket)

    def _run(self) -> int:
        channel = self._channel
        try:
            slots = self._acquire()
            numbers, short = self._prepare(slots)
        except NanoRPCError as error:
            self._entries[0]._came = error
            return 1
        count = len(slots)
        del self._entries[count:]
        replies = array("B", bytes(count * channel.inline))
        core, handle, address, at = channel.core, channel.handle, numbers.buffer_info()[0], replies.buffer_info()[0]
        self._awaited.update(slots)
        try:
            checked(core.pycore_BatchSubmit(handle, address, count, self._deadline, short.buffer_info()[0], len(short)))
            while core.pycore_BatchAwait(handle, address, count, self._deadline, at, len(replies)) == -Status.PENDING:
                self._collect(numbers, replies, count)
        finally:
            self._collect(numbers, replies, count)
        return count

    def _drop(self, slot: int) -> None:
        self._channel.core.pycore_Drop(self._channel.handle, slot, self._ticket.number)

    def _acquire(self) -> array[int]:
        """Take slots, at least one."""
        channel = self._channel
        channel.drop_idle()
        channel.recover()
        slots = array("q", bytes(8 * len(self._entries)))
        count = checked(channel.core.pycore_BatchAcquire(channel.handle, slots.buffer_info()[0], len(slots), self._ticket.number))
        del slots[count:]
        if not slots:
            slots.append(channel.ask(self._deadline, self._ticket))
        return slots

    def _prepare(self, slots: array[int]) -> tuple[array[int], array[int]]:
        """Return the calls as the core takes them, and the short requests, one after the other; the long ones have been written where they belong.
        There are as many calls as slots; those for which there was no room have been given back.
        """
        channel = self._channel
        entries = self._entries[: len(slots)]
        payloads: list[Any] = [entry._payload for entry in entries]
        lengths = list(map(len, payloads))
        offsets = array("q", bytes(8 * len(slots)))
        if max(lengths) > channel.inline:
            for i, length in enumerate(lengths):
                if length <= channel.inline:
                    continue
                offset = channel.core.pycore_TryReserve(channel.handle, slots[i], length) if i else channel.reserve(slots[i], length, self._deadline)
                if offset < 0:
                    for slot in slots[i:]:
                        self._drop(slot)
                    del slots[i:], entries[i:], payloads[i:], lengths[i:], offsets[i:]
                    break
                channel.write(offset, length, payloads[i])
                offsets[i] = offset
                payloads[i] = b""
        methods = [entry._method for entry in entries]
        results = array("q", bytes(8 * len(slots)))
        return slots + _column(channel.numbers(methods)) + offsets + _column(lengths) + results, array("B", b"".join(payloads))

    def _collect(self, numbers: array[int], replies: array[int], count: int) -> None:
        """Take the replies that are there, and give their slots back."""
        inline = self._channel.inline
        results = numbers[4 * count :].tolist()
        copied = replies.tobytes()
        at = 0
        if min(results) >= _COPIED << PLACE_SHIFT and max(results) < STAGED and len(self._awaited) == count:  # as it mostly is
            for entry, result in zip(self._entries, results, strict=True):
                entry._came = copied[at : at + (result & LENGTH_MASK)]
                at += inline
            self._awaited.clear()  # the core has given them back
            return
        for i, result in enumerate(results):
            slot = numbers[i]
            if result and slot in self._awaited:
                self._awaited.discard(slot)
                if result >> PLACE_SHIFT == _COPIED:  # and the slot given back
                    self._entries[i]._came = copied[at : at + (result & LENGTH_MASK)]
                else:
                    self._take(self._entries[i], slot, result)
            at += inline

    def _take(self, entry: Entry[Any], slot: int, result: int) -> None:
        """Take a reply that has not been copied, or an error."""
        channel = self._channel
        entry._came = channel.read(slot, result) if result > 0 else channel.error(slot, result, entry._method)
        self._drop(slot)


def _column(values: list[int]) -> array[int]:
    """Return values as the core takes them. Most batches are of one method and one length."""
    return array("q", values[:1]) * len(values) if values.count(values[0]) == len(values) else array("q", values)
