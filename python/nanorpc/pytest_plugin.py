"""The fixture ``nanorpc_service`` for pytest: see :mod:`nanorpc.testing`. Whoever installs this package has it, so importing it costs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from nanorpc.testing import ServiceFactory


@pytest.fixture
def nanorpc_service() -> Iterator[ServiceFactory]:
    """Runs services in processes of their own until the test ends, which fails if one dies: a :class:`nanorpc.testing.ServiceFactory`.

    ``client = nanorpc_service(SERVICE)``, or ``nanorpc_service("module:service")``.
    """
    from nanorpc.testing import ServiceFactory

    with ExitStack() as stack:
        yield ServiceFactory(stack)
