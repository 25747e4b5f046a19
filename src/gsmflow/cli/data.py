"""``gsmflow data``: list known benchmarks, check the files of a data set."""

import warnings
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg
from tyro.extras import subcommand_cli_from_dict

from .options import DataArguments

__all__ = ["data"]


def data(arguments: list[str]) -> None:
    """List known benchmarks, or check the files of a data set."""

    def list_benchmarks(data_root: Path = Path("data")) -> None:
        """Show known benchmarks, where to get them, and whether their files are present.

        Args:
            data_root: folder that holds the data sets.
        """
        from rich.console import Console
        from rich.table import Table

        from ..data.catalog import BENCHMARKS, presence

        title = f"data root: {data_root}"
        table = Table("name", "about", "classes seen / unseen", "semantics", title=title)
        table.add_column("files", no_wrap=True)  # their names, here and beside, are there to be copied
        table.add_column("present", overflow="fold", min_width=8)
        for b in BENCHMARKS:
            files = "\n".join(b.files)
            table.add_row(b.name, b.title, f"{b.seen}/{b.unseen}", b.semantics, files, presence(b, data_root))
        Console().print(table)
        for source in dict.fromkeys(b.source for b in BENCHMARKS if b.files):
            print(f"{', '.join(b.name for b in BENCHMARKS if b.source == source)}: {source}")

    def check(dataset: Positional[str], options: Annotated[DataArguments, arg(name="")] = DataArguments()) -> None:  # noqa: B008
        """Run all checks on a data set and print a summary.

        Args:
            dataset: an embedded data set, a folder that holds the files, or a folder under the data root.
            options: which files to read.
        """
        from rich.console import Console
        from rich.table import Table

        from ..data.summary import summarize
        from ..errors import DataWarning

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)  # they stand in the table
            found = options.load(dataset)
        table = Table("what", "value", title=f"{found.name}: all checks passed", title_justify="left")
        for key, value in summarize(found).items():
            table.add_row(key, str(value))
        Console().print(table)

    commands = {"list": list_benchmarks, "check": check}
    subcommand_cli_from_dict(commands, args=arguments, prog="gsmflow data")
