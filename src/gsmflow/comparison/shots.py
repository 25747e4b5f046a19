"""The picture of what labelled pictures give."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from ..drawing import COLOURS, STYLES
from ..evidence import parse
from ..selection import PROTOCOLS
from .cells import Finished
from .tables import class_splits_of, evidence_of, grouped, summary_of

__all__ = ["draw_shots", "shows_shots"]

MARKS = "os^Dv*PX"
APART = 0.02
"""How far lines stand apart, so that their intervals do not hide each other."""


def numbers_of_shots(records: Sequence[Finished]) -> list[int]:
    """The numbers of labelled pictures with which something was measured."""
    kinds = [parse(text) for text in evidence_of([record for record in records if not record.refusal])]
    return [kind.shots for kind in kinds if kind.shots]


def shows_shots(records: Sequence[Finished]) -> bool:
    """Whether there are points enough for the picture: at least two numbers of labelled pictures."""
    return len(numbers_of_shots(records)) > 1


def draw_shots(records: Sequence[Finished]) -> bytes:
    """T1 and H against the number of labelled pictures of each unseen class, a line a method with intervals, as PNG.

    Words alone, where a method was measured with them, stand at no pictures.

    Args:
        records: of a comparison that `shows_shots`.
    """
    numbers, names = numbers_of_shots(records), learning_names(records)
    protocol, over_splits = protocol_of(records), class_splits_of(records) > 1
    measured = [record for record in records if not record.refusal]
    groups = {0: grouped(measured, protocol)} | {n: grouped(measured, protocol, f"shots={n}") for n in numbers}

    figure = Figure(figsize=(11, 5.5), layout="constrained", dpi=120)
    for axes, number in zip(figure.subplots(1, 2), ("T1", "H"), strict=True):
        for place, name in enumerate(names):
            found = {
                n: summary_of(group[name], number, over_splits=over_splits)
                for n, group in groups.items()
                if name in group
            }
            x = np.array([position(n) for n in found]) + APART * (place - (len(names) - 1) / 2)
            colour = COLOURS[place % len(COLOURS)]
            style, mark = STYLES[place // len(COLOURS) % len(STYLES)], MARKS[place % len(MARKS)]
            axes.plot(x, [one.mean for one in found.values()], style, color=colour, marker=mark, label=name)
            axes.vlines(x, [one.low for one in found.values()], [one.high for one in found.values()], colour, alpha=0.6)
        ticks = sorted(groups) if any(name in groups[0] for name in names) else numbers
        axes.set_xticks([position(n) for n in ticks], ["words alone" if n == 0 else str(n) for n in ticks])
        axes.set(xlabel="labelled pictures of each unseen class", ylabel=f"{number} (%)")
        axes.grid(color="#eeeeee")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, fontsize=9, frameon=False)
    first = records[0]
    unit = f"{class_splits_of(records)} class splits" if over_splits else "seeds"
    figure.suptitle(
        f"{first.dataset} ({first.features}, {first.semantics}), selected on {PROTOCOLS[protocol].selected_on}; "
        f"means over {unit} with 95 % bootstrap intervals",
        fontsize=10,
    )
    png = io.BytesIO()
    figure.savefig(png, format="png", metadata={"Software": None})
    return png.getvalue()


def protocol_of(records: Sequence[Finished]) -> str:
    """The protocol whose methods are drawn: the first that was measured with labelled pictures."""
    return next(name for name in PROTOCOLS if any(r.protocol == name and parse(r.evidence).shots for r in records))


def learning_names(records: Sequence[Finished]) -> list[str]:
    """Methods and rivals that learnt from labelled pictures, in the order of the tables."""
    measured = [record for record in records if not record.refusal]
    kinds = [f"shots={n}" for n in numbers_of_shots(records)]
    return list(dict.fromkeys(name for kind in kinds for name in grouped(measured, protocol_of(records), kind)))


def position(number: int) -> float:
    """Where a number of pictures stands on the axis: the first pictures stand apart, many close together."""
    return math.log2(1 + number)
