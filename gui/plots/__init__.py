"""Plots by matplotlib, for every screen: see :class:`PlotWidget` and :class:`Renderer`."""

from nanorpc.gui.plots.renderer import Frame, Hover, Picture, Renderer
from nanorpc.gui.plots.widget import PlotWidget

__all__ = ["Frame", "Hover", "Picture", "PlotWidget", "Renderer"]
