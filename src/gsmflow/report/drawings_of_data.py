"""The drawings of a report that need the data: maps of features, and digits."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from ..drawing import COLOURS
from ..evaluation.diagnostics import Reliability, reliability
from .drawings import HALF
from .picture import Picture, drawing, legend, shortened
from .probe import Generated, Probe, embed

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

__all__ = ["draw_decided_digits", "draw_generated_digits", "draw_maps", "draw_reliability"]

LISTED = 8
"""So many classes or fewer have a colour each that can be told by name."""
NAMED = 24
"""So many classes or fewer have their names written on the map, more have numbers."""
MAP_NOTES = {
    "PCA": "PCA: straight directions of greatest variance; distances can be compared over the whole map.",
    "t-SNE": "t-SNE: keeps neighbours together; gaps and sizes of clusters mean nothing.",
}


def palette(count: int) -> list[str | tuple[float, float, float]]:
    """A colour for each class: Okabe and Ito's, or evenly spread hues where there are more classes."""
    if count <= LISTED:
        return list(COLOURS[:count])
    return [colorsys.hls_to_rgb(i / count, (0.38, 0.55)[i % 2], 0.75) for i in range(count)]


def draw_maps(found: Generated, class_names: tuple[str, ...], numbers: Sequence[int]) -> list[Picture]:
    """Real and generated features of unseen classes on a map, by PCA and by t-SNE.

    Args:
        found: the features.
        class_names: K names.
        numbers: of all classes, to be written where there is no room for names.
    """
    maps, labels, is_real = embed(found)
    classes = np.unique(found.labels)
    pictures = []
    for method, places in maps.items():
        with drawing():
            figure = Figure(figsize=(HALF[0], 5.2), layout="constrained")
            axes, lines = figure.subplots(), {}
            style: dict[str, Any] = {"alpha": 0.75, "rasterized": len(labels) > 400}
            if len(classes) <= LISTED:
                for k, colour in zip(classes, palette(len(classes)), strict=True):
                    real, made = places[(labels == k) & is_real], places[(labels == k) & ~is_real]
                    lines[class_names[k]] = axes.scatter(*real.T, s=14, marker="o", color=colour, linewidths=0, **style)
                    axes.scatter(*made.T, s=16, marker="x", color=colour, linewidths=0.7, **style)
            else:
                hues = np.array([to_rgb(colour) for colour in palette(len(classes))])[np.searchsorted(classes, labels)]
                axes.scatter(*places[is_real].T, s=14, marker="o", c=hues[is_real], linewidths=0, **style)
                axes.scatter(*places[~is_real].T, s=16, marker="x", c=hues[~is_real], linewidths=0.7, **style)
                texts = {
                    k: shortened(class_names[k], 14) if len(classes) <= NAMED else str(numbers[k]) for k in classes
                }
                middles = {k: np.median(places[(labels == k) & is_real], 0) for k in np.unique(labels[is_real])}
                write_names(axes, texts, middles, places)
            lines["real"] = axes.scatter([], [], s=20, marker="o", color="#444444")
            lines["generated"] = axes.scatter([], [], s=20, marker="x", color="#444444")
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
            axes.set_title(method, loc="left")
            legend(figure, lines)
        caption = f"{MAP_NOTES[method]} Dots are real test features, crosses generated ones; {len(labels):,} points."
        if len(classes) > LISTED:
            caption += " A hue is a class; neighbouring hues look alike. "
            written = "names" if len(classes) <= NAMED else "numbers (see the list)"
            caption += f"The {written} stand where the real features are, as far as there is room."
        alt = f"{method} map of real and generated features of {len(classes)} unseen classes; mean distance between "
        alt += (
            f"the real and the generated mean of a class is {apart(places, labels, is_real):.0%} of the map's spread."
        )
        pictures.append(Picture(f"map-{method.lower()}", caption, alt, figure))
    return pictures


def write_names(axes: Axes, texts: dict[int, str], middles: dict[int, np.ndarray], places: np.ndarray) -> None:
    """Write what fits where classes have their middles: no text lies on another one."""
    low, size = places.min(0), np.ptp(places, 0)
    taken: list[tuple[float, float, float]] = []
    for k, middle in middles.items():
        x, y = (middle - low) / np.where(size > 0, size, 1)
        half = 0.01 * len(texts[k]) + 0.005
        if all(
            abs(x - other_x) > half + other_half or abs(y - other_y) > 0.04 for other_x, other_y, other_half in taken
        ):
            taken.append((x, y, half))
            box = {"boxstyle": "round,pad=0.1", "color": "white", "alpha": 0.75, "linewidth": 0}
            axes.annotate(texts[k], tuple(middle), size=8, ha="center", va="center", bbox=box)


def apart(places: Float[np.ndarray, "n 2"], labels: np.ndarray, is_real: np.ndarray) -> float:
    """How far generated class means lie from real ones on a map, in units of the root mean square of its points."""
    distances = []
    for k in np.unique(labels):
        real, made = places[(labels == k) & is_real], places[(labels == k) & ~is_real]
        if len(real) and len(made):
            distances.append(float(np.linalg.norm(real.mean(0) - made.mean(0))))
    spread = float(np.sqrt(((places - places.mean(0)) ** 2).sum(1).mean()))
    return float(np.mean(distances)) / spread if spread and distances else 0.0


def draw_reliability(found: Probe) -> Picture:
    """How often decisions of one confidence are right."""
    is_unseen = np.isin(found.labels, found.dataset.unseen)
    drawn = [
        (label, reliability_of(found, rows), style, colour, shift)
        for label, rows, style, colour, shift in (
            ("seen classes", ~is_unseen, "o-", COLOURS[0], -1.5),
            ("unseen classes", is_unseen, "s--", COLOURS[1], 1.5),
        )
        if rows.any()
    ]
    with drawing():
        figure = Figure(figsize=(HALF[0], 5.2), layout="constrained")
        axes, bars = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        axes.plot([0, 100], [0, 100], color="#888888", linewidth=1, label="right as often as sure")
        for label, r, style, colour, shift in drawn:
            axes.plot(100 * r.confidence, 100 * r.accuracy, style, color=colour, label=label)
            bars.bar(100 * r.confidence + shift, r.count, width=3, color=colour)
        axes.set(xlim=(0, 100), ylim=(0, 100), ylabel="accuracy (%)")
        bars.set(xlabel="confidence (%)", ylabel="samples")
        axes.grid(color="#e6e6e6")
        handles, labels = axes.get_legend_handles_labels()
        legend(figure, dict(zip(labels, handles, strict=True)))
    caption = "Accuracy of test samples by confidence, the greatest probability that the model gives. Below the "
    caption += "grey line the model is too sure of itself, above it not sure enough; bars count the samples."
    alt = "Reliability diagram: expected calibration error "
    alt += ", ".join(f"{r.error:.1%} on {label}" for label, r, *_ in drawn) + "."
    return Picture("calibration", caption, alt, figure)


def reliability_of(found: Probe, rows: Bool[np.ndarray, " n"]) -> Reliability:
    """Reliability of some of the test samples."""
    return reliability(found.confidence[rows], (found.predicted == found.labels)[rows])


def draw_decided_digits(found: Probe) -> Picture:
    """Test images decided rightly, two a class, and wrongly, with what they are taken for."""
    is_right = found.predicted == found.labels
    rng = np.random.default_rng(0)
    right = [i for k in np.unique(found.labels) for i in np.flatnonzero(is_right & (found.labels == k))[:2]]
    wrong = np.sort(rng.permutation(np.flatnonzero(~is_right))[:20])
    names = found.dataset.class_names

    def title(i: int) -> str:
        arrow = "" if is_right[i] else f"→{names[found.predicted[i]]}"
        return f"{names[found.labels[i]]}{arrow}"

    tiles = [("decided rightly", [(title(i), found.features[i]) for i in right])]
    tiles.append(
        (
            f"decided wrongly ({int((~is_right).sum())} of {len(is_right)})",
            [(title(i), found.features[i]) for i in wrong],
        )
    )
    caption = "Test images with their class, and where it is wrong, what they are taken for (true→decided). "
    caption += "The wrong ones are drawn by lot."
    alt = f"{len(right)} digits decided rightly and {len(wrong)} wrongly: {', '.join(title(i) for i in wrong)}."
    return Picture("digits-decided", caption, alt, tiled(tiles))


def draw_generated_digits(found: Generated, class_names: tuple[str, ...]) -> Picture:
    """Generated features of unseen classes as images, beside real ones."""
    tiles = []
    for k in np.unique(found.labels):
        for what, x, labels in (
            ("generated", found.features, found.labels),
            ("real", found.real, found.real_labels),
        ):
            tiles.append((f"{class_names[k]}, {what}", [("", image) for image in x[labels == k][:10]]))
    classes = ", ".join(class_names[k] for k in np.unique(found.labels))
    caption = f"Generated images of {classes}: no image of these was seen in training, only which strokes make them. "
    caption += "Below each, real ones of the test set."
    return Picture(
        "digits-generated", caption, f"Ten generated and ten real images of each of {classes}.", tiled(tiles)
    )


def tiled(groups: list[tuple[str, list[tuple[str, np.ndarray]]]], columns: int = 10) -> Figure:
    """Images of 8 x 8 pixels under headings, ten in a line."""
    lines = [
        (heading if start == 0 else "", tiles[start : start + columns])
        for heading, tiles in groups
        for start in range(0, max(1, len(tiles)), columns)
    ]
    image, heading_room, title_room = 0.5, 0.27, 0.19  # inches
    heights = [
        image + heading_room * bool(heading) + title_room * any(text for text, _ in tiles) for heading, tiles in lines
    ]
    with drawing():
        figure = Figure(figsize=(HALF[0], sum(heights)))
        parts = figure.subfigures(len(lines), 1, squeeze=False, height_ratios=heights)[:, 0]
        for part, height, (heading, tiles) in zip(parts, heights, lines, strict=True):
            part.subplots_adjust(0.01, 0.04 / height, 0.99, (image - 0.02) / height, 0.08)
            if heading:
                part.text(0.01, 1 - 0.05 / height, heading, va="top", weight="bold")
            for axes in part.subplots(1, columns):
                axes.axis("off")
            for axes, (text, pixels) in zip(part.axes, tiles, strict=False):
                axes.imshow(pixels.reshape(8, 8), cmap="gray_r", vmin=0, vmax=16, interpolation="none")
                axes.set_title(text, fontsize=9, pad=2)
    return figure
