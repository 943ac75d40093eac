"""Labels beside what they are of, rather than in a legend. Limits of the axes have to be set before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox

from nanorpc.compare.report.style import Style

_LINE = 1.25  # heights of a letter, from a label to the next
_LETTER = 0.62  # widths of a letter, of its height
_COLUMN = 1.05  # widths of the axes, to the labels right of them


@dataclass(frozen=True)
class Label:
    """A text, and the point that it is of."""

    text: str
    x: float
    y: float
    style: Style


def at_right(axes: Axes, labels: Sequence[Label], size: float = 8.5) -> None:
    """Write labels in a column right of the axes, each as near to the height of its point as the others let it be."""
    box = axes.get_window_extent()
    step = size * _LINE * axes.figure.dpi / 72 / box.height
    heights = [float(axes.transAxes.inverted().transform(axes.transData.transform((label.x, label.y)))[1]) for label in labels]
    for label, height in zip(labels, spread(heights, step), strict=True):
        colour = label.style.series.colour
        axes.annotate(
            "",
            xy=(label.x, label.y),
            xytext=(_COLUMN, height),
            textcoords="axes fraction",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.6, "alpha": 0.7, "shrinkA": 3, "shrinkB": 3},
        )
        axes.plot([_COLUMN], [height], marker=label.style.series.marker, color=colour, transform=axes.transAxes, clip_on=False, linestyle="")
        axes.text(
            _COLUMN + 0.02, height, label.text, transform=axes.transAxes, color=colour, fontsize=size, fontweight=label.style.weight, va="center"
        )


def spread(heights: Sequence[float], step: float) -> list[float]:
    """Return heights that are at least ``step`` apart, in the same order: those that are too close are moved to both sides of their middle."""
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    clusters: list[list[int]] = []
    middles: list[float] = []
    for i in order:
        clusters.append([i])
        middles.append(heights[i])
        while len(clusters) > 1 and middles[-1] - middles[-2] < step * (len(clusters[-1]) + len(clusters[-2])) / 2:
            upper = clusters.pop()
            clusters[-1] += upper
            middles.pop()
            middles[-1] = sum(heights[j] for j in clusters[-1]) / len(clusters[-1])
    placed = [0.0] * len(heights)
    for cluster, middle in zip(clusters, middles, strict=True):
        for k, i in enumerate(cluster):
            placed[i] = middle + (k - (len(cluster) - 1) / 2) * step
    return placed


def beside(axes: Axes, labels: Sequence[Label], size: float = 8.5) -> None:
    """Write each label beside its point, on the side where it covers no other point and no other label."""
    pixel = axes.figure.dpi / 72
    taken = []
    for label in labels:
        x, y = axes.transData.transform((label.x, label.y))
        taken.append(Bbox.from_extents(x - 5 * pixel, y - 5 * pixel, x + 5 * pixel, y + 5 * pixel))
    inside = axes.get_window_extent()
    for label in labels:
        x, y = axes.transData.transform((label.x, label.y))
        width, height = len(label.text) * size * _LETTER * pixel, size * _LINE * pixel
        places = [(x + dx * pixel - (width if dx < 0 else 0), y + dy * pixel) for dy in (0, 11, -11, 22, -22, 33, -33, 44, -44) for dx in (9, -9)]
        boxes = [Bbox.from_bounds(left, middle - height / 2, width, height) for left, middle in places]
        free = [box for box in boxes if inside.x0 <= box.x0 and box.x1 <= inside.x1 + width / 2 and not any(box.overlaps(other) for other in taken)]
        box = free[0] if free else boxes[0]
        taken.append(box)
        left, middle = axes.transAxes.inverted().transform((box.x0, (box.y0 + box.y1) / 2))
        axes.annotate(
            label.text,
            xy=(label.x, label.y),
            xytext=(left, middle),
            textcoords="axes fraction",
            color=label.style.series.colour,
            fontsize=size,
            fontweight=label.style.weight,
            va="center",
            path_effects=[withStroke(linewidth=2.5, foreground=axes.get_facecolor())],
            arrowprops={"arrowstyle": "-", "color": label.style.series.colour, "linewidth": 0.6, "alpha": 0.7, "shrinkA": 0, "shrinkB": 3},
        )
