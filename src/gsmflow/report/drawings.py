"""The drawings of a report that need the run folder alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..drawing import COLOURS, STYLES, draw_curve, draw_plane
from .facts import Facts, matrix_order
from .learning import Judging, Losses
from .picture import Picture, drawing, fitted, legend, printable, shortened

if TYPE_CHECKING:
    from jaxtyping import Int

__all__ = ["FINAL", "HALF", "draw_confusion", "draw_curves", "draw_judging", "draw_losses"]

HALF = (5.0, 4.2)
"""Inches: two stand beside each other on a wide screen, one fits on a telephone without shrinking its letters."""
FINAL = ("final", "training")
"""Names of the phases that end in the model of the run."""
DRAWN_CLASSES = 400
"""So many classes or fewer have a row of their own in the drawing of the confusion matrix."""
NAMED_CLASSES = 30
"""So many classes or fewer have their names and counts written into the confusion matrix."""


def draw_losses(terms: Losses, name: str = "losses", *, are_runs: bool = False) -> Picture:
    """A panel for each loss term: its value by step, a line for each phase (or run), the final one thick."""
    phases = list(dict.fromkeys(phase for lines in terms.values() for phase in lines))
    with drawing():
        figure = Figure(figsize=(HALF[0], max(HALF[1], 1.2 + 1.5 * len(terms))), layout="constrained")
        panels = figure.subplots(len(terms), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (term, lines) in zip(panels, terms.items(), strict=True):
            for phase, points in lines.items():
                place = phases.index(phase)
                axes.plot(
                    *zip(*points, strict=True),
                    STYLES[place % len(STYLES)],
                    color=COLOURS[place % len(COLOURS)],
                    linewidth=2 if phase in FINAL and not are_runs else 1.2,
                    marker="." if len(points) < 3 else None,
                    label=printable(phase),
                )
            axes.set_title(printable(term), loc="left")
            axes.grid(color="#e6e6e6")
        panels[-1].set_xlabel("step")
        drawn = {line.get_label(): line for axes in panels for line in axes.get_lines()}
        legend(figure, {phase: drawn[printable(phase)] for phase in phases})
    caption = "Loss terms by step of training, each point a single batch. "
    if len(phases) > 1 and phases[-1] in FINAL and not are_runs:
        caption += "Folds are what was chosen on; the final model is trained on all of trainval."
    ends = (f"{term} ends at {list(lines.values())[-1][-1][1]:.3g}" for term, lines in terms.items())
    return Picture(
        name,
        caption.strip(),
        f"Loss curves of {len(phases)} {'runs' if are_runs else 'phases'}: {', '.join(ends)}.",
        figure,
    )


def draw_judging(judging: Judging, name: str, chosen: str = "chosen") -> Picture:
    """H of every candidate where it was judged, its folds as dots, and which one was chosen."""
    best, at = judging.best
    what = "H on TEST" if judging.on_test else "validation H"
    with drawing():
        figure = Figure(figsize=HALF, layout="constrained")
        axes = figure.subplots()
        for place, line in enumerate(judging.lines):
            colour = COLOURS[place % len(COLOURS)]
            for x, folds in zip(line.x, line.folds, strict=True):
                axes.plot([x] * len(folds), folds, ".", color=colour, alpha=0.3, markersize=4, rasterized=True)
            style = STYLES[place % len(STYLES)] if judging.by_epoch else "none"
            axes.plot(line.x, line.h, linestyle=style, color=colour, label=line.label, marker=".", markersize=5)
        axes.plot(best.x[at], best.h[at], "o", color="#000000", fillstyle="none", markersize=11, label=chosen)
        axes.set_xlabel("epoch" if judging.by_epoch else "candidate")
        axes.set_ylabel(f"{what} (%)")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if judging.title:
            axes.set_title(judging.title, loc="left")
        axes.grid(color="#e6e6e6")
        handles, labels = axes.get_legend_handles_labels()
        legend(figure, dict(zip(labels, handles, strict=True)))
    if judging.on_test:
        caption = "H on the TEST sets at each evaluation: the best of these is what was reported. Selected on test."
    else:
        caption = (
            "H on pseudo-unseen classes, at the calibration constant that is best for the mean over folds; pale dots "
            "are single folds. Compare candidates by it, not with the test result."
        )
    where = f"epoch {np.round(best.x[at], 2):g}" if judging.by_epoch else f"candidate {best.x[at]:.0f}"
    is_choice = ", ".join(
        f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}" for key, value in best.choices[at].items()
    )
    caption += (
        f" Chosen is {where if judging.by_epoch else f'{where} ({is_choice})'}, by {best.label}: {best.h[at]:.1f}."
    )
    alt = f"{what} of {sum(len(line.h) for line in judging.lines)} candidates; chosen is {where} with "
    return Picture(name, f"{judging.title}. {caption}".lstrip(". "), f"{alt}{best.h[at]:.1f} percent.", figure)


def draw_curves(runs: Sequence[Facts], name: str = "curve", places: Sequence[int] = ()) -> Picture:
    """The seen-unseen curve of each run with its operating point and the point without a calibration constant.

    Args:
        runs: those that have a curve.
        name: of the picture.
        places: of each among all runs of the page; by default it stands alone.
    """
    with drawing():
        figure = Figure(figsize=(HALF[0], HALF[0] + 0.3), layout="constrained")
        axes = figure.subplots()
        draw_plane(axes)
        lines = {}
        for place, run in zip(places or range(len(runs)), runs, strict=True):
            m = run.metrics
            label = f"AUSUC {m['AUSUC']:.1f}"
            if places:
                label = fitted(run.name, f" ({place + 1}): {label}")
            at, raw = (m["U"], m["S"]), (m["U_raw"], m["S_raw"])
            lines[label] = draw_curve(axes, run.curve, at, raw=raw, place=place)
        if len(runs) == 1:
            axes.fill_between(runs[0].curve.unseen, runs[0].curve.seen, color=COLOURS[0], alpha=0.08, linewidth=0)
        (lines["operating point"],) = axes.plot([], [], "o", color="#333333", markersize=9)
        (lines["without a constant"],) = axes.plot([], [], "s", color="#333333", fillstyle="none", markersize=8)
        legend(figure, lines)
    caption = (
        "Accuracy on seen against accuracy on unseen classes as the calibration constant, which is subtracted from the "
        "scores of seen classes, sweeps from low (upper left) to high (lower right). Up and to the right is better; "
        "AUSUC is the area below. Grey lines have equal H."
    )
    m = runs[0].metrics
    alt = f"Seen-unseen curve of {runs[0].name}: operating point U {m['U']:.1f}, S {m['S']:.1f}; without a constant "
    alt += f"U {m['U_raw']:.1f}, S {m['S_raw']:.1f}; area {m['AUSUC']:.1f} percent."
    return Picture(name, caption, alt, figure)


def draw_confusion(facts: Facts, name: str = "confusion") -> Picture:
    """The confusion matrix, each row as shares of its class, unseen classes at the end."""
    order = matrix_order(facts)
    k, seen = len(order), len(order) - len(facts.unseen)
    width = -(-k // DRAWN_CLASSES)
    counts = binned(facts.confusions, np.argsort(order) // width)
    shares = 100.0 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = max(HALF[0], 0.36 * k + 1.6) if k <= NAMED_CLASSES else 5.8
    with drawing():
        figure = Figure(figsize=(side, side), layout="constrained")
        axes = figure.subplots()
        image = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, 0, 100), interpolation="none")
        if 0 < seen < k:
            axes.axhline(seen / width - 0.5, color=COLOURS[1], linewidth=1)
            axes.axvline(seen / width - 0.5, color=COLOURS[1], linewidth=1)
        if k <= NAMED_CLASSES:
            write_counts(axes, counts, shares)
            names = [shortened(facts.class_names[i]) for i in order]
            rotation = 90 if max(map(len, names)) > 2 else 0
            axes.set_xticks(range(k), names, rotation=rotation, fontsize=9)
            axes.set_yticks(range(k), names, fontsize=9)
            for label in (*axes.get_xticklabels()[seen:], *axes.get_yticklabels()[seen:]):
                label.set_color("#9c4300")
        else:
            places = [i for i in (*range(0, seen - k // 20, max(1, k // 8)), seen, k - 1) if 0 <= i < k]
            places = [i for i in dict.fromkeys(places)]
            marks = [i / width for i in places]
            axes.set_xticks(marks, [str(i + 1) for i in places], fontsize=9)
            axes.set_yticks(marks, [str(i + 1) for i in places], fontsize=9)
        axes.set_xlabel(f"decided: {seen} seen, then {k - seen} unseen classes" if seen < k else "decided")
        axes.set_ylabel("true class")
        axes.tick_params(length=2)
        bar = figure.colorbar(image, ax=axes, location="bottom", shrink=0.6, aspect=30, ticks=[0, 1, 5, 20, 50, 100])
        bar.set_label("% of the true class", fontsize=9)
        bar.ax.tick_params(labelsize=9)
    caption = "Rows are true classes, columns are decisions; each row of a class with test samples "
    caption += "adds up to 100 %. "
    if 0 < seen < k:
        caption += (
            "Below and to the right of the orange lines are unseen classes: the lower left block is unseen taken "
        )
        caption += "for seen, the upper right seen taken for unseen. "
    if k > NAMED_CLASSES:
        caption += "Numbers are those of the column “row” in the table of classes."
    if width > 1:
        caption += f" A square stands for {width} x {width} classes."
    true_unseen, decided_unseen = (np.isin(facts.confusions[:, i], facts.unseen) for i in (0, 1))
    often = facts.confusions[:, 2]
    lost = often[true_unseen & ~decided_unseen].sum() / max(1, often[true_unseen].sum())
    gained = often[~true_unseen & decided_unseen].sum() / max(1, often[~true_unseen].sum())
    alt = (
        f"Confusion matrix of {k} classes: {100 * lost:.0f} percent of the unseen classes' samples are taken for seen "
    )
    alt += f"ones, {100 * gained:.0f} percent of the seen classes' samples for unseen ones."
    return Picture(name, caption.strip(), alt, figure)


def binned(confusions: Int[np.ndarray, "m 3"], places: Int[np.ndarray, " k"]) -> Int[np.ndarray, "p p"]:
    """Counts as a matrix, true class by row, each class at its place; several may share one."""
    matrix = np.zeros((places.max() + 1,) * 2, np.int64)
    np.add.at(matrix, (places[confusions[:, 0]], places[confusions[:, 1]]), confusions[:, 2])
    return matrix


def write_counts(axes: Axes, counts: Int[np.ndarray, "k k"], shares: Any) -> None:
    """Write every count that is not zero into its cell."""
    for i, j in zip(*np.nonzero(counts), strict=True):
        colour = "white" if shares[i, j] > 30 else "#222222"
        axes.text(j, i, str(counts[i, j]), ha="center", va="center", fontsize=8, color=colour)
