"""``MODULE:SERVICE``: where a program's service is."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from nanorpc.errors import NanoRPCError
from nanorpc.service import Service


class NoService(NanoRPCError):
    """There is no service where the user has said. ``str()`` is a text for the user."""


def find(target: str) -> Service:
    """Import a module, for which the current directory is searched first, and return its service.

    :param target: ``module:attribute``, with dots in either, or ``path/to/file.py:attribute``; without an attribute, the only service of the module.
    :raises NoService: there is no such module or attribute, or it is no service.
    :raises Exception: what the module raises.
    """
    where, _, path = target.partition(":")
    if where.endswith(".py"):
        module = _file(where)
    elif all(part.isidentifier() for part in where.split(".")):
        module = _module(where)
    else:
        raise NoService(f"{target!r} names no service: write MODULE:SERVICE, as in app:service or src/app.py:service")
    return _attribute(module, where, path) if path else _only(module, where)


def _module(name: str) -> ModuleType:
    _search_first(os.getcwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):  # the module is there, and needs another
            raise
        raise NoService(f"there is no module {error.name!r} in {os.getcwd()} or where Python looks for modules") from None


def _file(path: str) -> ModuleType:
    if not os.path.isfile(path):
        raise NoService(f"there is no file {path}")
    file = Path(path).resolve()
    _search_first(str(file.parent))
    module = importlib.import_module(file.stem)
    if not os.path.samefile(getattr(module, "__file__", None) or os.devnull, file):
        raise NoService(f"{path} cannot be imported, as there is another module {file.stem!r}: give it another name")
    return module


def _search_first(directory: str) -> None:
    if directory not in sys.path[:1]:
        sys.path.insert(0, directory)


def _attribute(module: ModuleType, where: str, path: str) -> Service:
    found: Any = module
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise NoService(f"{where} has no {path!r}. {_those_of(module)}") from None
    if not isinstance(found, Service):
        raise NoService(f"{where}:{path} is no nanorpc.Service, but of type {type(found).__name__}. {_those_of(module)}")
    return found


def _only(module: ModuleType, where: str) -> Service:
    services = _services(module)
    if len({id(service) for service in services.values()}) != 1:
        raise NoService(f"say which service of {where}: {where}:NAME. {_those_of(module)}")
    return next(iter(services.values()))


def _those_of(module: ModuleType) -> str:
    names = ", ".join(_services(module))
    return f"Its services: {names}" if names else "It has no services at its top level"


def _services(module: ModuleType) -> dict[str, Service]:
    return {name: value for name, value in vars(module).items() if isinstance(value, Service)}
