"""``nanorpc call``: call a method."""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from nanorpc.client import Client, connect
from nanorpc.commands.arguments import Mistake, arguments, content_of
from nanorpc.commands.human import printable
from nanorpc.commands.values import for_people, for_programs, text_of
from nanorpc.errors import NanoRPCError, RemoteError, UnknownMethod
from nanorpc.introspection import MethodInfo


@dataclass(frozen=True)
class Request:
    """What is to be called, as the user has said."""

    service: str
    method: str
    words: Sequence[str]
    """Arguments; for a method that takes bytes, the name of a file."""
    named: str | None
    """Arguments by name, in JSON."""
    data: str | None
    """Text to send as bytes."""
    file: str | None
    """The name of a file to send as bytes."""
    timeout: float
    """Seconds."""


def run(request: Request, directory: str | None, as_json: bool) -> int:
    """Call a method and print its result. Returns the exit status: 1 if the call failed, 2 for arguments that cannot be.

    As JSON: an object with the keys ``service``, ``method``, ``duration_ns`` (of the call; null if it was not made), ``result`` or ``error``. Of a
    result in bytes ``encoding`` says whether it is text, ``"utf-8"``, or ``"base64"``. An error has ``kind``, ``message``, and ``type`` and
    ``traceback`` of the server's exception, or null.

    :raises NanoRPCError: unless as JSON: what the call raises.
    :raises OSError: a file cannot be read.
    """
    call = _Call(request)
    try:
        with connect(request.service, directory=directory) as client:
            result = call.make(client)
    except Mistake as error:
        print(f"nanorpc: {error}", file=sys.stderr)
        return 2
    except NanoRPCError as error:
        if as_json:
            print(call.as_json({"error": _described(error)}))
        elif isinstance(error, RemoteError):
            print(f"nanorpc: {request.method} failed: {printable(str(error))}", file=sys.stderr)
            for line in (error.traceback or "").splitlines():
                print(printable(line), file=sys.stderr)
        else:
            raise
        return 1
    if as_json:
        print(call.as_json(_bytes_as_json(result) if call.raw else {"result": for_programs(result)}))
    elif call.raw:
        sys.stdout.buffer.write(result)
        if sys.stdout.isatty() and not result.endswith(b"\n"):
            print()
    else:
        print(for_people(result))
    return 0


class _Call:
    """A call, and how it went."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._duration_ns: int | None = None
        self.raw = False
        """Whether its result is bytes that nobody has decoded."""

    def make(self, client: Client) -> Any:
        """Make it, and return its result."""
        request = self._request
        method = _found(request.method, client.describe(timeout=request.timeout).details)
        payload = _payload(request, method)
        self.raw = payload is not None
        if payload is not None:
            return self._timed(lambda: client.call(request.method, payload, timeout=request.timeout))
        args, named = arguments(method, request.words, request.named)
        function = client.method(request.method).options(timeout=request.timeout)
        try:
            return self._timed(lambda: function(*args, **named))
        except (OverflowError, ValueError) as error:
            if isinstance(error, NanoRPCError):
                raise
            raise Mistake(str(error)) from error  # such as a number of more than 64 bits

    def as_json(self, outcome: dict[str, Any]) -> str:
        """Return what is printed of it."""
        said = {"service": self._request.service, "method": self._request.method, **outcome, "duration_ns": self._duration_ns}
        return json.dumps(said, ensure_ascii=False, allow_nan=False)

    def _timed(self, call: Callable[[], Any]) -> Any:
        start = time.perf_counter_ns()
        try:
            return call()
        finally:
            self._duration_ns = time.perf_counter_ns() - start


def _found(name: str, methods: Sequence[MethodInfo]) -> MethodInfo:
    """Return a method. One that the server has reserved is among none, and takes bytes.

    :raises UnknownMethod: with those that there are.
    """
    names = [method.name for method in methods]
    if name in names:
        return methods[names.index(name)]
    if name.startswith("nanorpc."):
        return MethodInfo(name=name)
    close = get_close_matches(name, names)
    hint = f" Did you mean {' or '.join(map(printable, close))}?" if close else ""
    raise UnknownMethod(f"there is no method {name!r}.{hint} Methods: {', '.join(map(printable, names)) or 'none'}")


def _payload(request: Request, method: MethodInfo) -> bytes | None:
    """Return the bytes to be sent; None if there are arguments to be encoded.

    :raises Mistake: more than one thing is given, or none to a method that takes bytes.
    """
    words = list(request.words)
    if sum(source is not None for source in (request.data, request.file, words or request.named)) > 1:
        raise Mistake("give arguments, --data or --file, one of the three")
    if request.data is not None:
        return request.data.encode()
    if request.file is not None:
        return content_of(request.file)
    if method.kind == "typed":
        return content_of("-") if words == ["-"] else None
    if request.named is not None or len(words) != 1:
        raise Mistake(f"{request.method} takes bytes: name a file, - for standard input, or use --data")
    return content_of(words[0])


def _bytes_as_json(content: bytes) -> dict[str, str]:
    text = text_of(content)
    if text is not None:
        return {"result": text, "encoding": "utf-8"}
    return {"result": base64.b64encode(content).decode(), "encoding": "base64"}


def _described(error: NanoRPCError) -> dict[str, Any]:
    remote = error if isinstance(error, RemoteError) else None
    return {
        "kind": type(error).__name__,
        "message": remote.message if remote else str(error),
        "type": remote.type if remote else None,
        "traceback": remote.traceback if remote else None,
    }
