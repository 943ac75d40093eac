"""Where another process finds a service of this one."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from types import ModuleType

from nanorpc._declared import innermost
from nanorpc.service import Service


def target_of(service: Service) -> str:
    """Return what ``nanorpc serve`` takes for a service that is an attribute of a module, with this process's ``sys.path``.

    :raises LookupError: it is none, or its module has no file.
    """
    for name, module in _modules(service):
        for attribute, value in vars(module).items():
            if value is service:
                return f"{_place(name, module)}:{attribute}"
    raise LookupError(
        f"service {service.name!r} cannot be run in another process, as it is no attribute of a module: make it at the top level of a module, "
        'or give its place, as in "app:service"'
    )


def _modules(service: Service) -> Iterator[tuple[str, ModuleType]]:
    """Yield those with the service's functions, then all."""
    names = [getattr(innermost(method.function), "__module__", None) or "" for method in service.methods.values()]
    for name in dict.fromkeys([*names, *list(sys.modules)]):
        module = sys.modules.get(name)
        if isinstance(module, ModuleType):
            yield name, module


def _place(name: str, module: ModuleType) -> str:
    """Return the module's name if it can be imported under that, else its file."""
    file: str | None = getattr(module, "__file__", None)
    if name == "__main__":
        spec = module.__spec__
        name = spec.name if spec is not None else ""  # as with python -m
    if name and (file is None or _finds(name, file)):
        return name
    if file is None or not file.endswith(".py"):
        raise LookupError(f"module {module.__name__!r} has no file from which another process could import it")
    return os.path.abspath(file)


def _finds(name: str, file: str) -> bool:
    """Whether an import of a module would come to a file, did it not know the module already."""
    places: list[str] | None = None
    origin: str | None = None
    for i in range(len(parts := name.split("."))):
        full = ".".join(parts[: i + 1])
        specs = (finder.find_spec(full, places) for finder in sys.meta_path)
        spec = next((spec for spec in specs if spec is not None), None)
        if spec is None:
            return False
        places, origin = spec.submodule_search_locations, spec.origin
    return origin is not None and os.path.exists(origin) and os.path.samefile(origin, file)
