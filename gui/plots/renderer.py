"""Figures, drawn by matplotlib without Qt.

Drawing one anew takes a hundred milliseconds, nearly all of it for axes and text. So lines are drawn onto a kept picture of the rest (blitting),
limits of axes should move in steps, seldom, and all of it happens in a thread of its own: see widget.py.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Generic, TypeVar

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from nanorpc.gui.theme import Theme
from nanorpc.reports.palette import Series

Data = TypeVar("Data")

_DPI = 100
_SAVED_SCALE = 2.0
_LEGEND_ROW, _LEGEND_LETTER, _LEGEND_LINE = 20, 6.2, 46  # pixels of the window


@dataclass(frozen=True)
class Frame:
    """What a figure is drawn into."""

    theme: Theme
    width: int
    height: int
    """In pixels of the window."""
    ratio: float = 1
    """Pixels of the screen for each of those."""


@dataclass(frozen=True)
class Hover:
    """Points of a line, which the mouse or the arrow keys find."""

    axes: Axes
    label: str
    x: ArrayLike
    y: ArrayLike
    text: Callable[[float, float], str]
    """Says what is at a point, in the window's thread."""


@dataclass(frozen=True)
class Marks:
    """The same, with where they are in the picture."""

    hover: Hover
    pixels: NDArray[np.float64]
    """Rows of x and y, from the upper left corner, in pixels of the window."""

    def text(self, index: int) -> str:
        """Return what is at a point."""
        x, y = float(np.asarray(self.hover.x)[index]), float(np.asarray(self.hover.y)[index])
        return f"{self.hover.label}: {self.hover.text(x, y)}" if self.hover.label else self.hover.text(x, y)


@dataclass(frozen=True)
class Picture:
    """A drawn figure: rows of pixels, four bytes each, red, green, blue, alpha."""

    pixels: bytes
    width: int
    height: int
    ratio: float
    marks: Sequence[Marks] = field(default=(), repr=False)


class Renderer(Generic[Data]):
    """Draws data of one kind. Subclasses say how; all of it happens in one thread at a time."""

    grid = (1, 1)
    """Rows and columns of axes."""
    margins = (64, 18, 42, 28)
    """Room around each of the axes, which does not shrink with the picture: left, right, bottom, top, in pixels of the window."""
    legend = True
    """Whether lines are named at the top, if there are several."""

    def __init__(self) -> None:
        self._figure = Figure(dpi=_DPI)
        self._canvas = FigureCanvasAgg(self._figure)
        self._axes: list[Axes] = []
        self._artists: list[Any] = []
        self._names: list[str] = []
        self._built: tuple[Hashable, ...] | None = None
        self._kept: tuple[Hashable, ...] | None = None
        self._background: Any = None

    def names(self, data: Data) -> Sequence[str]:
        """Return the names of the lines, for the legend."""
        raise NotImplementedError

    def structure(self, data: Data) -> Hashable:
        """Return what :meth:`build` depends on, beside the names and the theme."""
        return None

    def build(self, axes: list[Axes], data: Data, series: dict[str, Series]) -> list[Any]:
        """Set up empty axes, a row after the other, and return the artists that :meth:`update` moves. The frame's theme is in force."""
        raise NotImplementedError

    def update(self, data: Data) -> list[Hover]:
        """Move the artists, and return the points to be found. Limits of axes may move, which draws all anew."""
        raise NotImplementedError

    def render(self, data: Data, frame: Frame) -> Picture:
        """Draw."""
        hovers = self._apply(data, frame)
        kept: tuple[Hashable, ...] = (self._built, frame.width, frame.height, frame.ratio)
        kept += tuple((*axes.get_xlim(), *axes.get_ylim(), axes.get_title()) for axes in self._axes)
        if self._background is None or kept != self._kept:
            with rc_context(frame.theme.rc()):
                self._canvas.draw()
            self._background = self._canvas.copy_from_bbox(self._figure.bbox)
            self._kept = kept
        else:
            self._canvas.restore_region(self._background)
        for artist in self._artists:
            artist.axes.draw_artist(artist)
        width, height = self._canvas.get_width_height()
        return Picture(bytes(self._canvas.buffer_rgba()), width, height, frame.ratio, [_marks(hover, height, frame.ratio) for hover in hovers])

    def save(self, data: Data, frame: Frame, target: str | IO[bytes], format_: str | None = None) -> None:
        """Write the figure in full, by default in the format of the name's ending: png, svg or pdf. Raises OSError."""
        self._apply(data, frame)
        for artist in self._artists:
            artist.set_animated(False)  # else it is left out
        try:
            with rc_context(frame.theme.rc()):
                self._figure.savefig(target, dpi=_SAVED_SCALE * _DPI, format=format_)
        finally:
            for artist in self._artists:
                artist.set_animated(True)
            self._background = None

    def _apply(self, data: Data, frame: Frame) -> list[Hover]:
        """Make the figure show the data."""
        self._figure.set_dpi(_DPI * frame.ratio)
        self._figure.set_size_inches(frame.width / _DPI, frame.height / _DPI, forward=False)
        self._names = list(self.names(data))
        columns = max(1, int((frame.width - 10) / (max(map(len, self._names), default=0) * _LEGEND_LETTER + _LEGEND_LINE)))
        built = (tuple(self._names), self.structure(data), frame.theme.name, columns)
        if built != self._built:
            with rc_context(frame.theme.rc()):
                self._begin(data, frame, columns)
            self._built, self._background = built, None
        self._place(frame, columns)
        return self.update(data)

    def _begin(self, data: Data, frame: Frame, columns: int) -> None:
        self._figure.clear()
        self._figure.set_facecolor(frame.theme.base)
        rows, cols = self.grid
        self._axes = [self._figure.add_subplot(rows, cols, i + 1) for i in range(rows * cols)]
        series = frame.theme.series(self._names)
        self._artists = self.build(self._axes, data, series)
        for artist in self._artists:
            artist.set_animated(True)
        if self._legend_rows(columns):
            handles = [Line2D([], [], color=s.colour, marker=s.marker, linestyle=s.dash, label=name) for name, s in series.items()]
            self._figure.legend(
                handles=handles,
                loc="upper center",
                ncols=min(columns, len(handles)),
                borderaxespad=0.2,
                columnspacing=1.2,
                handlelength=2.2,
                frameon=False,
            )

    def _legend_rows(self, columns: int) -> int:
        return -(-len(self._names) // columns) if self.legend and len(self._names) > 1 else 0

    def _place(self, frame: Frame, columns: int) -> None:
        """Put the axes where the margins leave room, below the legend."""
        left, right, bottom, top = self.margins
        legend = _LEGEND_ROW * self._legend_rows(columns)
        rows, cols = self.grid
        width, height = frame.width / cols, (frame.height - legend) / rows
        if width <= left + right + 20 or height <= bottom + top + 20:
            return  # too small to see anything
        for i, axes in enumerate(self._axes):
            row, col = divmod(i, cols)
            x = col * width + left
            y = (rows - 1 - row) * height + bottom
            axes.set_position((x / frame.width, y / frame.height, (width - left - right) / frame.width, (height - bottom - top) / frame.height))


def _marks(hover: Hover, height: int, ratio: float) -> Marks:
    pixels = hover.axes.transData.transform(np.column_stack([np.asarray(hover.x, float), np.asarray(hover.y, float)]).reshape(-1, 2))
    pixels[:, 1] = height - pixels[:, 1]
    return Marks(hover, pixels / ratio)
