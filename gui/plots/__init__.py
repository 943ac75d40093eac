"""Plots by matplotlib, for every screen: see :class:`PlotWidget` and :class:`Renderer`."""

from nanorpc.gui.plots.chart import Chart, Charts
from nanorpc.gui.plots.renderer import Frame, Hover, Picture, Renderer
from nanorpc.gui.plots.widget import PlotWidget

__all__ = ["Chart", "Charts", "Frame", "Hover", "Picture", "PlotWidget", "Renderer"]
