"""From a drawing to a vector picture that can stand inside a page, and to a PNG beside it."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import matplotlib
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath

__all__ = ["Picture", "drawing", "fitted", "legend", "printable", "shortened", "to_png", "to_svg"]

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
DPI = 150
POINTS = 72
LEGEND_LETTERS = 56
LEGEND_SIZE, LEGEND_POINTS = 9, 290
"""Size of the letters of a legend, and how wide a label may be, in points."""
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "gsmflow",
    "text.parse_math": False,  # a class may be called $x$
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "figure.facecolor": "white",
}


@dataclass(frozen=True)
class Picture:
    """A drawing with its words.

    Attributes:
        name: of its file, and unique on a page.
        caption: what is seen and how to read it.
        alt: what it shows, for who cannot see it.
        figure: the drawing, as matplotlib holds it.
    """

    name: str
    caption: str
    alt: str
    figure: Figure


@contextmanager
def drawing() -> Iterator[None]:
    """Draw in the style of the report."""
    with matplotlib.rc_context(STYLE):
        yield


def printable(text: str) -> str:
    """The text without characters that XML cannot hold."""
    return "".join(character if character.isprintable() else "?" for character in text)


def shortened(text: str, letters: int = 26) -> str:
    """A name short enough to stand in a picture."""
    text = printable(text)
    return text if len(text) <= letters else text[: letters - 1] + "…"


def fitted(text: str, after: str = "") -> str:
    """A text short enough for a legend, with another after it that is kept whole."""
    text = shortened(text, LEGEND_LETTERS - len(after))
    while len(text) > 2 and TextPath((0, 0), text + after, size=LEGEND_SIZE).get_extents().width > LEGEND_POINTS:
        text = f"{text[:-2]}…"
    return text + after


def legend(figure: Figure, lines: Mapping[str, Artist]) -> None:
    """Write what each line is below the picture, in as many columns as fit; the picture grows by what that takes."""
    labels = [fitted(label) for label in lines]
    columns = min(4, max(1, LEGEND_LETTERS // (max(map(len, labels)) + 6)))
    figure.set_figheight(figure.get_figheight() + 0.19 * (math.ceil(len(labels) / columns) - 1))
    figure.legend(
        list(lines.values()), labels, loc="outside lower center", ncols=columns, frameon=False, fontsize=LEGEND_SIZE
    )


def to_png(picture: Picture) -> bytes:
    """The picture as PNG."""
    png = io.BytesIO()
    with drawing():
        picture.figure.savefig(png, format="png", dpi=DPI, metadata={"Software": None})
    return png.getvalue()


def to_svg(picture: Picture) -> str:
    """The picture as an ``<svg>`` element: text as text, numbers short, all ids made unique by the picture's name."""
    svg = io.BytesIO()
    with drawing():
        picture.figure.savefig(
            svg, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    root = ElementTree.fromstring(svg.getvalue())
    for metadata in root.findall(f"{{{SVG}}}metadata"):
        root.remove(metadata)
    for element in root.iter():
        tidy(element, picture.name)
    width = picture.figure.get_figwidth() * 4 / 3 * POINTS
    for key in ("width", "height"):
        del root.attrib[key]
    root.attrib |= {"role": "img", "aria-label": picture.alt, "style": f"max-width:{1.25 * width:.0f}px"}
    if width > 560:
        root.set("style", f"min-width:{0.75 * width:.0f}px;max-width:{width:.0f}px")
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    return ElementTree.tostring(root, encoding="unicode")


def tidy(element: ElementTree.Element, name: str) -> None:
    """Shorten what one element holds, and give its ids and references the picture's name."""
    for key, value in element.attrib.items():
        if key == "id":
            value = f"{name}-{value}"
        elif key == f"{{{XLINK}}}href" and value.startswith("#"):
            value = f"#{name}-{value[1:]}"
        elif key == "clip-path":
            value = value.replace("url(#", f"url(#{name}-")
        elif key in ("d", "x", "y", "transform", "points"):
            value = re.sub(r"(\.\d\d)\d+", r"\1", value)
            value = re.sub(r"\s+", " ", value).strip()
        elif key == "style":
            value = re.sub(r"(font: .*?px ).*?(;|$)", r"\1sans-serif\2", value)
        element.set(key, value)
    if element.tag != f"{{{SVG}}}text":
        element.text = (element.text or "").strip() if element.tag != f"{{{SVG}}}style" else element.text
    element.tail = None
