"""Adds to pyproject.toml what it cannot say: an extension that Go builds, and its sources."""

import sys
from pathlib import Path

from setuptools import Extension, setup

sys.path.insert(0, str(Path(__file__).resolve().parent / "python" / "packaging"))

from build_core import BuildCore
from source import SourceDistribution

setup(
    ext_modules=[Extension("nanorpc._core", sources=[])],
    cmdclass={"build_ext": BuildCore, "sdist": SourceDistribution},
)
