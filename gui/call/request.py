"""A call as the user has put it, and the bytes that are sent for it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import Any

from nanorpc.codec import Codec
from nanorpc.commands.arguments import Mistake, arguments, content_of
from nanorpc.introspection import MethodInfo
from nanorpc.schema import bind


class Mode(Enum):
    """How a payload is written. The value is what people read."""

    FORM = "Form"
    JSON = "JSON"
    TEXT = "Text"
    HEX = "Hex"
    FILE = "File"


@dataclass(frozen=True)
class Call:
    """What is to be called."""

    service: str
    info: MethodInfo
    """The method, or no more than its name."""
    mode: Mode
    words: tuple[tuple[str, str], ...] = ()
    """Of a form: the names of arguments, and what stands for them on the command line."""
    text: str = ""
    """In the other modes: JSON, text, hex digits, or the name of a file."""
    timeout: float = 5.0
    """Seconds that each call may take."""
    repeat: int = 1
    """How many calls, one after the other."""

    @property
    def typed(self) -> bool:
        """Whether the method is known to take arguments, else bytes."""
        return self.info.kind == "typed"

    @property
    def has_arguments(self) -> bool:
        """Whether arguments are encoded, else bytes are sent as they are."""
        return self.mode in (Mode.FORM, Mode.JSON)

    def arguments(self) -> tuple[list[Any], dict[str, Any]]:
        """Return arguments by position and by name. May read files.

        :raises Mistake: they cannot be.
        :raises OSError: a file cannot be read.
        """
        if self.mode is Mode.FORM:
            return arguments(self.info, [f"{name}={word}" for name, word in self.words], None)
        text = self.text.strip()
        if not text:
            return [], {}
        try:
            value = json.loads(text)
        except ValueError as error:
            raise Mistake(f"The arguments are no JSON: {error}") from None
        if isinstance(value, dict):
            return arguments(self.info, (), text)
        if not isinstance(value, list):
            raise Mistake("The arguments are a JSON list of them in order, or an object of them by name")
        return arguments(self.info, [json.dumps(item) for item in value], None)

    def content(self) -> bytes:
        """Return the bytes that are sent as they are. May read a file.

        :raises Mistake: they cannot be.
        :raises OSError: a file cannot be read.
        """
        if self.mode is Mode.TEXT:
            return self.text.encode()
        if self.mode is Mode.FILE:
            if not self.text:
                raise Mistake("Choose a file to send")
            return content_of(self.text)
        try:
            return bytes.fromhex(self.text)
        except ValueError as error:
            raise Mistake(f"The payload is no hex: {error}. Write pairs of digits, as in 00 ff 7a") from None

    def payload(self) -> bytes:
        """Return what is sent. May read files.

        :raises Mistake: the arguments, or the bytes, cannot be.
        :raises OSError: a file cannot be read.
        """
        if not self.has_arguments:
            return self.content()
        args, named = self.arguments()
        try:
            by_position = [parameter.name for parameter in self.info.parameters if not parameter.keyword_only]
            return bytes(Codec().encode(bind(by_position, tuple(args), named, self.info.name)))
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise Mistake(str(error)) from error

    @property
    def summary(self) -> str:
        """The call in a line."""
        words = [f"{name}={word}" for name, word in self.words]
        return f"{self.info.name}({', '.join(words) if self.mode is Mode.FORM else ' '.join(self.text.split())})"
