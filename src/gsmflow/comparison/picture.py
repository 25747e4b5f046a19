"""The picture of a comparison."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from itertools import product

from matplotlib.figure import Figure

from ..drawing import COLOURS, draw_curve, draw_plane
from ..evaluation.metrics import Curve
from ..evaluation.replicates import summarize
from ..selection import PROTOCOLS
from .cells import Finished
from .tables import class_splits_of, grouped, replicates

__all__ = ["draw_comparison"]

FILLED = ("full", "none", "left")


def draw_comparison(records: Sequence[Finished], curves: Mapping[str, Curve]) -> bytes:
    """H of each method with its interval, and the seen-unseen curve of each with its operating point, as PNG.

    Where no test has measured H, it is that which validation estimates, the axis says so, and there are no curves.

    Args:
        records: the cells of a comparison, without evidence.
        curves: the seen-unseen curve of each cell by its ``run``; those of one seed are drawn.
    """
    groups = {protocol: grouped(records, protocol) for protocol in PROTOCOLS}
    protocols = [protocol for protocol, group in groups.items() if group]
    names = list(dict.fromkeys(name for protocol in protocols for name in groups[protocol]))

    is_estimate = all(math.isnan(record.H) for record in records)
    over_splits = class_splits_of(records) > 1
    unit = f"{class_splits_of(records)} class splits" if over_splits else "seeds"

    height = max(4.5, 1.2 + 0.35 * len(names) * len(protocols))
    figure = Figure(figsize=(7 if is_estimate else 12, height), layout="constrained", dpi=120)
    bars, plane = (figure.subplots(), None) if is_estimate else figure.subplots(1, 2)
    for protocol, place in product(protocols, range(len(names))):
        group = groups[protocol].get(names[place])
        if not group:
            continue
        colour, filled = COLOURS[place % len(COLOURS)], FILLED[list(PROTOCOLS).index(protocol) % len(FILLED)]
        y = place + 0.2 * (2 * protocols.index(protocol) - len(protocols) + 1)
        each = {(r.class_split, r.seed): r.estimated("H") if is_estimate else r.H for r in group}
        values = list(replicates(each, over_splits=over_splits).values())
        if all(map(math.isnan, values)):
            continue
        found = summarize(values)
        if len(values) > 1:
            bars.plot([found.low, found.high], [y, y], color=colour, linewidth=3, alpha=0.5)
        bars.plot(values, [y] * len(values), "|", color=colour, markersize=7, alpha=0.8)
        bars.plot(found.mean, y, PROTOCOLS[protocol].mark, color=colour, fillstyle=filled)
        bars.annotate(f"{found.mean:.1f}", (found.mean, y), (0, 5), textcoords="offset points", ha="center", size=8)
        if protocol == protocols[0] and plane:
            first = min(group, key=lambda record: (record.class_split, record.seed))
            draw_curve(plane, curves[first.run], (first.U, first.S), place=place, label=names[place])

    bars.set_yticks(range(len(names)), names)
    bars.invert_yaxis()
    bars.set_xlabel(
        f"H (%) ESTIMATED on pseudo-unseen classes; mean and {unit}"
        if is_estimate
        else f"H (%), mean with 95 % bootstrap interval; ticks are {unit}"
    )
    for protocol in protocols:
        filled = FILLED[list(PROTOCOLS).index(protocol) % len(FILLED)]
        label = f"selected on {PROTOCOLS[protocol].selected_on}"
        bars.plot([], [], PROTOCOLS[protocol].mark, color="#333333", fillstyle=filled, label=label)
    bars.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=len(protocols), fontsize=9, frameon=False)
    if plane:
        draw_plane(plane)
        seed = min(record.seed for record in records)
        plane.set_title(f"Seen-unseen curves of seed {seed}; ● is the operating point ({protocols[0]})", fontsize=10)
        plane.legend(loc="lower left", fontsize=8, frameon=False)
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    bars.grid(axis="x", color="#eeeeee")
    bars.set_axisbelow(True)
    first = records[0]
    figure.suptitle(f"{first.dataset} ({first.features}, {first.semantics})")
    png = io.BytesIO()
    figure.savefig(png, format="png", metadata={"Software": None})
    return png.getvalue()
