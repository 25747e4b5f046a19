"""``gsmflow data fetch``: public benchmarks by name."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

__all__ = ["fetch"]


def fetch(
    names: Annotated[Positional[tuple[str, ...]], arg(metavar="NAME ...")],
    data_root: Path = Path("data"),
    address: Annotated[str | None, arg(metavar="URL")] = None,
    keep_archive: bool = False,
    quiet: bool = False,
) -> None:
    """Fetch known benchmarks (AWA1, AWA2, APY, CUB, SUN) from their public archive.

    Give the command again to go on where it stopped.

    Args:
        names: of known benchmarks.
        data_root: folder that holds the data sets.
        address: a mirror of the archive, instead of where it was published.
        keep_archive: leave the archive in the data root, for the next benchmark.
        quiet: show no progress.
    """
    from ..data.catalog import BENCHMARKS
    from ..data.fetch import RECORD, fetch
    from ..errors import InputError
    from ..progress import Display

    if not names:
        there = ", ".join(benchmark.name for benchmark in BENCHMARKS if benchmark.archive)
        raise InputError(f"say which data set: gsmflow data fetch NAME, with a NAME among {there}.")
    with Display(quiet=quiet) as display:
        try:
            found = fetch(names, root=data_root, address=address, keep=keep_archive, teller=display)
        except KeyboardInterrupt:
            display.say("interrupted: what came is kept, the same command goes on from there")
            raise
    for folder, came in found.items():
        print(f"{folder}: fetched from {came.address}, {came.bytes:,} bytes, SHA-256 {came.sha256}")
        for file in came.files:
            print(f"  {file.name}: {file.bytes:,} bytes, SHA-256 {file.sha256}")
        print(f"  recorded in {folder / RECORD}; look into it with: gsmflow data check {shlex.quote(str(folder))}")
