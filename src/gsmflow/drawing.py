"""What all pictures share: the palette, and the seen-unseen plane with its curves. Legible in grey, and safe for
colour-blind eyes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .evaluation.metrics import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

__all__ = ["COLOURS", "STYLES", "draw_curve", "draw_plane", "draw_result"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
"""Okabe & Ito 2008."""
STYLES = ("-", "--", "-.", ":")
"""Lines that lie on each other are told apart."""
EQUAL_H = (20, 40, 60, 80)


def draw_plane(axes: Axes, *, letters: float = 8) -> None:
    """The plane of U and S in percent, with lines of equal H.

    Args:
        axes: where.
        letters: size of the letters at the lines, in points.
    """
    for h in EQUAL_H:
        u = np.linspace(h / 2 + 0.5, 100, 200)
        axes.plot(u, h * u / (2 * u - h), color="#d0d0d0", linewidth=0.8, zorder=0)
        at = (100, 100 * h / (200 - h))  # outside, where no curve strikes it through
        style = {"size": letters, "color": "#666666", "va": "center"}
        axes.annotate(f"H {h}", at, (3, 0), textcoords="offset points", annotation_clip=False, **style)
    axes.set(xlim=(0, 100), ylim=(0, 100), xlabel="U (%), unseen classes", ylabel="S (%), seen classes")
    axes.set_aspect("equal")
    axes.grid(color="#e6e6e6")
    axes.set_axisbelow(True)


def draw_curve(
    axes: Axes,
    curve: Curve,
    at: tuple[float, float],
    *,
    raw: tuple[float, float] | None = None,
    place: int = 0,
    label: str | None = None,
) -> Line2D:
    """The seen-unseen curve of one model with its operating point, in the plane of `draw_plane`.

    Args:
        axes: where.
        curve: U and S at every calibration constant.
        at: U and S at the operating point: a dot.
        raw: U and S without a constant: an empty square.
        place: chooses colour and style.
        label: for a legend.

    Returns:
        The line.
    """
    colour, style = COLOURS[place % len(COLOURS)], STYLES[place % len(STYLES)]
    (line,) = axes.plot(curve.unseen, curve.seen, style, color=colour, label=label, linewidth=1.6)
    axes.plot(*at, "o", color=colour, markersize=8, clip_on=False)
    if raw:
        axes.plot(*raw, "s", color=colour, fillstyle="none", markersize=8, clip_on=False)
    return line


def draw_result(curve: Curve, at: tuple[float, float], h: float, title: str) -> Figure:
    """The curve of one result as a picture of its own."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    draw_plane(axes)
    draw_curve(axes, curve, at)
    axes.annotate(f"H {h:.1f}", at, (-6, -6), textcoords="offset points", ha="right", va="top")  # under the curve
    axes.set_title(title, fontsize=10)
    return figure
