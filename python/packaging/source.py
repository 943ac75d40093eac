"""Makes the source distribution: what setuptools finds, and what building the core takes."""

from __future__ import annotations

from setuptools.command.sdist import sdist

_FILES = ["go.mod", "go.sum"]
_FOLDERS = ["go", "gui", "python", "docs"]


class SourceDistribution(sdist):
    """The command sdist."""

    def make_distribution(self) -> None:
        """Write the archive."""
        for name in _FILES:
            self.filelist.include(name)
        for name in _FOLDERS:
            self.filelist.graft(name)
        for pattern in ("*.so", "*.py[co]"):
            self.filelist.global_exclude(pattern)
        super().make_distribution()
