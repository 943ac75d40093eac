"""How functions are declared: their parameters and type hints, checked without decoders being made."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from nanorpc.context import Context

_BAD_KINDS: dict[object, str] = {
    inspect.Parameter.VAR_POSITIONAL: "*{} takes any arguments: declare each",
    inspect.Parameter.VAR_KEYWORD: "**{} takes any arguments: declare each",
    inspect.Parameter.POSITIONAL_ONLY: "{!r} is positional-only, and callers may use its name: leave out the /",
}


def declared(function: Callable[..., Any], name: str) -> inspect.Signature:
    """Return how a function is declared.

    :raises TypeError: it has parameters that no caller could be told of, or is a generator.
    """
    target = innermost(function)
    if inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target):
        raise TypeError(f"method {name!r} is a generator: return a list")
    try:
        signature = inspect.signature(function)
    except ValueError as error:
        raise TypeError(f"method {name!r} does not say what it takes: wrap it in a function that does") from error
    for parameter in signature.parameters.values():
        text = _BAD_KINDS.get(parameter.kind)
        if text:
            raise TypeError(f"method {name!r}: {text.format(parameter.name)}")
    return signature


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Return a function's type hints.

    :raises Exception: what evaluating them raises, such as NameError for a name that is yet to be defined.
    """
    return typing.get_type_hints(innermost(function), include_extras=True)


def context_of(signature: inspect.Signature, hints: dict[str, Any], name: str) -> str | None:
    """Return the name of the parameter that is to be the call's :class:`Context`.

    :raises TypeError: there are several.
    """
    found = [parameter for parameter in signature.parameters if hints.get(parameter) is Context]
    if len(found) > 1:
        raise TypeError(f"method {name!r} has more than one Context: {', '.join(found)}")
    return found[0] if found else None


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling a function makes a coroutine."""
    return inspect.iscoroutinefunction(innermost(function))


def doc_of(function: Callable[..., Any]) -> str:
    """Return the first paragraph of a function's docstring in one line."""
    doc = getattr(innermost(function), "__doc__", None) or ""
    return " ".join(inspect.cleandoc(doc).split("\n\n")[0].split())


def innermost(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function that has the hints and the docstring: of a partial, or of an object with ``__call__``."""
    while isinstance(function, functools.partial):
        function = function.func
    if isinstance(function, type) or inspect.isroutine(function):
        return function
    return type(function).__call__


def text_of(hint: Any) -> str:
    """Return a type hint as one writes it."""
    if isinstance(hint, str):
        return hint
    if hint is None or hint is type(None):
        return "None"
    if hint is Ellipsis:
        return "..."
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " | ".join(map(text_of, args))
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, args))}]"
    if origin is Annotated:
        return f"Annotated[{', '.join([text_of(args[0]), *map(repr, args[1:])])}]"
    if origin is not None and args:
        if is_array(origin):
            kind = get_args(args[-1])
            return f"NDArray[{text_of(kind[0] if kind else Any)}]"
        return f"{text_of(origin)}[{', '.join(map(text_of, args))}]"
    if isinstance(hint, list):  # the parameters of a Callable
        return f"[{', '.join(map(text_of, hint))}]"
    if isinstance(hint, type):
        return hint.__name__
    return repr(hint).removeprefix("typing.").removeprefix("~")


def unaliased(hint: Any) -> Any:
    """Return what a type alias stands for, with its arguments: NDArray is one since NumPy 2.5. Other hints are returned as they are."""
    alias = get_origin(hint) or hint
    if not hasattr(alias, "__type_params__") or not hasattr(alias, "__value__"):
        return hint
    args = get_args(hint)
    return unaliased(alias.__value__[args] if args else alias.__value__)


def is_array(kind: Any) -> bool:
    """Whether a class is that of numpy's arrays; does not import numpy."""
    return (getattr(kind, "__module__", ""), getattr(kind, "__name__", "")) == ("numpy", "ndarray")
