"""Pictures, all in one style: legible in grey, safe for colour-blind eyes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from .evaluation.replicates import summarize
from .tables import BY_PROTOCOL, grouped

__all__ = ["COLOURS", "draw_comparison"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
"""Okabe & Ito 2008."""
STYLES = ("-", "--", "-.", ":")
"""Lines that lie on each other are told apart."""


def draw_comparison(records: Sequence[dict[str, Any]], curves: Mapping[str, Mapping[str, Sequence[float]]]) -> bytes:
    """H of each method with its interval, and the seen-unseen curve of each with its operating point, as PNG.

    Args:
        records: the cells of a comparison.
        curves: ``constants``, ``unseen``, ``seen`` of each cell by its ``run``; those of one seed are drawn.
    """
    groups = {protocol: grouped(records, protocol) for protocol in BY_PROTOCOL}
    protocols = [protocol for protocol, group in groups.items() if group]
    names = list(dict.fromkeys(name for protocol in protocols for name in groups[protocol]))

    height = max(4.5, 1.2 + 0.35 * len(names) * len(protocols))
    figure = Figure(figsize=(12, height), layout="constrained", dpi=120)
    bars, plane = figure.subplots(1, 2)
    for protocol, place in product(protocols, range(len(names))):
        group = groups[protocol].get(names[place])
        if not group:
            continue
        colour, filled = COLOURS[place % len(COLOURS)], "full" if protocol == "validated" else "none"
        y = place + 0.2 * (2 * protocols.index(protocol) - len(protocols) + 1)
        values = [record["H"] for record in group]
        found = summarize(values)
        if len(values) > 1:
            bars.plot([found.low, found.high], [y, y], color=colour, linewidth=3, alpha=0.5)
        bars.plot(values, [y] * len(values), "|", color=colour, markersize=7, alpha=0.8)
        bars.plot(found.mean, y, "o" if protocol == "validated" else "s", color=colour, fillstyle=filled)
        bars.annotate(f"{found.mean:.1f}", (found.mean, y), (0, 5), textcoords="offset points", ha="center", size=8)
        if protocol == protocols[0]:
            first = min(group, key=lambda record: record["seed"])
            curve, style = curves[first["run"]], STYLES[place % len(STYLES)]
            plane.plot(curve["unseen"], curve["seen"], style, color=colour, label=names[place], linewidth=1.6)
            plane.plot(first["U"], first["S"], "o", color=colour)

    bars.set_yticks(range(len(names)), names)
    bars.invert_yaxis()
    bars.set_xlabel("H (%), mean with 95 % bootstrap interval; ticks are seeds")
    marks = {"validated": "● validated", "published": "□ selected on test"}
    bars.set_title("   ".join(marks[protocol] for protocol in protocols), fontsize=10)
    for h in (20, 40, 60, 80):
        u = np.linspace(h / 2 + 0.5, 100, 200)
        plane.plot(u, h * u / (2 * u - h), color="#dddddd", linewidth=0.8, zorder=0)
        plane.annotate(f"H {h}", (99, 99 * h / (198 - h)), size=7, color="#999999", ha="right")
    seed = min(record["seed"] for record in records)
    plane.set(
        xlim=(0, 100), ylim=(0, 100), xlabel="U (%), unseen classes", ylabel="S (%), seen classes", aspect="equal"
    )
    plane.set_title(f"Seen-unseen curves of seed {seed}; ● is the operating point ({protocols[0]})", fontsize=10)
    plane.legend(loc="lower left", fontsize=8, frameon=False)
    for axes in (bars, plane):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="x" if axes is bars else "both", color="#eeeeee")
        axes.set_axisbelow(True)
    first = records[0]
    figure.suptitle(f"{first['dataset']} ({first['features']}, {first['semantics']})")
    png = io.BytesIO()
    figure.savefig(png, format="png", metadata={"Software": None})
    return png.getvalue()
