"""``gsmflow report``."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

from tyro import cli
from tyro.conf import Positional, arg

from ..errors import InputError

if TYPE_CHECKING:
    from ..data import ZeroShotDataset

__all__ = ["report", "show_report"]


@dataclass(frozen=True)
class ReportArguments:
    """Write what there is to say of a finished run, or of several side by side, as one page of HTML."""

    runs: Annotated[Positional[tuple[Path, ...]], arg(metavar="RUN [RUN ...]")] = ()
    """folders of finished runs"""
    out: Annotated[Path | None, arg(metavar="PATH")] = None
    """the page; default report.html in the run folder, for several runs in the current folder"""
    open: bool = False
    """show the page in the browser"""
    data_root: Annotated[Path | None, arg(metavar="PATH")] = None
    """folder that holds the data sets now; default: where they were when the run was made"""


def report(arguments: list[str]) -> None:
    """Write a run, or several side by side, as one page of HTML."""
    asked = cli(ReportArguments, args=arguments, prog="gsmflow report")
    if not asked.runs:
        raise InputError("say which run: gsmflow report RUN, for example gsmflow report runs/d0.")
    show_report(asked.runs, asked.out, asked.data_root, open_page=asked.open)


def show_report(
    runs: Sequence[Path],
    out: Path | None = None,
    data_root: Path | None = None,
    *,
    open_page: bool,
    file: TextIO | None = None,
    dataset: "ZeroShotDataset | None" = None,
) -> None:
    """Write a report, say where it lies (on ``file``, by default standard output), and open it where asked.

    The data are loaded again unless they are given as ``dataset``.
    """
    from ..report import write_report

    page = write_report(
        runs, out, data_root=data_root, dataset=dataset, say=lambda sentence: print(sentence, file=sys.stderr)
    )
    print(f"report: {page}", file=file)
    if open_page:
        import webbrowser

        webbrowser.open(page.resolve().as_uri())
