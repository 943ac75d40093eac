"""Services with types that tools know."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints


def bound(interface: Callable[..., Any], method: Callable[[str, Any], Any]) -> Any:
    """Return an object with an attribute for each public function of a class: what ``method`` returns for its name and the type that it returns.

    :param interface: the class. Its type is not ``type[...]``, as type checkers let no protocol be one.
    :raises TypeError: it is none, or has no such function.
    """
    if not isinstance(interface, type):
        raise TypeError(f"{interface!r} is no class that declares methods")
    functions = {name: function for name, function in inspect.getmembers(interface, inspect.isfunction) if not name.startswith("_")}
    if not functions:
        raise TypeError(f"{interface.__name__} declares no methods")
    made = _Bound(interface.__name__)
    for name, function in functions.items():
        made.__dict__[name] = method(name, get_type_hints(function, include_extras=True).get("return", Any))
    return made


class _Bound:
    """The methods of a service that an interface has declared."""

    def __init__(self, interface: str) -> None:
        self._interface = interface

    def __repr__(self) -> str:
        return f"<nanorpc service as {self._interface}>"
