"""``gsmflow data``: list known benchmarks, check the files of a data set."""

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

        from ..data.catalog import BENCHMARKS, is_present

        title = f"data root: {data_root}"
        table = Table("name", "about", "classes seen/unseen", "semantics", "files", "present", title=title)
        for b in BENCHMARKS:
            present = "embedded" if not b.files else "yes" if is_present(b, data_root) else "no"
            table.add_row(b.name, b.title, f"{b.seen}/{b.unseen}", b.semantics, "\n".join(b.files), present)
        Console().print(table)
        for source in dict.fromkeys(b.source for b in BENCHMARKS if b.files):
            print(f"{', '.join(b.name for b in BENCHMARKS if b.source == source)}: {source}")

    def check(path: Positional[Path], options: Annotated[DataArguments, arg(name="")] = DataArguments()) -> None:  # noqa: B008
        """Run all checks on a data set and print a summary.

        Args:
            path: folder that holds the files, or an embedded data set.
            options: which files to read.
        """
        from rich.console import Console
        from rich.table import Table

        from ..data import load, load_folder
        from ..data.summary import summarize

        folder = path.is_dir()
        dataset = load_folder(path, **options.choice) if folder else load(path.name, root=path.parent, **options.choice)
        table = Table("what", "value", title=f"{dataset.name}: all checks passed", title_justify="left")
        for key, value in summarize(dataset).items():
            table.add_row(key, str(value))
        Console().print(table)

    commands = {"list": list_benchmarks, "check": check}
    subcommand_cli_from_dict(commands, args=arguments, prog="gsmflow data")
