"""The command line: parse, call, print. Torch is imported by the commands that need it, never for help."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro import cli
from tyro.conf import Positional, arg
from tyro.extras import subcommand_cli_from_dict

from .errors import InputError
from .settings import Settings

if TYPE_CHECKING:
    from .recipes import Recipe

__all__ = ["main"]


def main() -> None:
    """Run the command that ``sys.argv`` names; bad input is one sentence and exit code 2."""
    arguments = sys.argv[1:]
    name, *rest = arguments or ["--help"]
    if name in ("-h", "--help"):
        print(overview())
    elif name == "--version":
        from . import __version__

        print(f"gsmflow {__version__}")
    elif name not in COMMANDS:
        fail(f"there is no command {name!r}; choose one of {', '.join(COMMANDS)}.")
    else:
        try:
            COMMANDS[name](rest)
        except InputError as error:
            fail(str(error))
        except KeyboardInterrupt:
            sys.exit(130)
        except BrokenPipeError:  # the reader of our output is gone, as in `gsmflow ... | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def overview() -> str:
    """What ``gsmflow --help`` prints."""
    lines = [f"  {name:<10} {(command.__doc__ or '').splitlines()[0]}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: gsmflow COMMAND [OPTIONS]",
            "",
            "Recognise classes nobody has a picture of: generalized zero-shot learning with conditional flows.",
            "",
            *lines,
            "",
            "gsmflow COMMAND --help shows the options of a command.",
        ]
    )


def fail(sentence: str) -> None:
    """Print one sentence and exit with code 2."""
    print(f"gsmflow: {sentence}", file=sys.stderr)
    sys.exit(2)


@dataclass(frozen=True)
class DataArguments:
    """Which files of a data set to read."""

    data_root: Path = Path("data")
    """folder that holds the data sets"""
    features: Annotated[str | None, arg(metavar="STR")] = None
    """features file without .mat, e.g. res101"""
    semantics: Annotated[str | None, arg(metavar="STR")] = None
    """semantics file without _splits.mat, e.g. att"""
    allow_overlap: bool = False
    """accept a published file that has samples in two splits"""


@dataclass(frozen=True)
class TrainArguments:
    """Train a model on a data set, choose it honestly, test it. Settings start from a recipe."""

    dataset: Annotated[Positional[str | None], arg(metavar="DATASET")] = None
    """digits, synthetic, or a folder under --data-root that holds the files"""
    recipe: Annotated[str | None, arg(metavar="STR")] = None
    """name or .yaml file; default: the data set's own recipe, else 'default'"""
    protocol: Literal["validated", "published"] = "validated"
    """validated: choose on pseudo-unseen classes; published: choose on the TEST sets, as the field's code does"""
    out: Annotated[Path | None, arg(metavar="PATH")] = None
    """run folder; default runs/<dataset>-<time>"""
    resume: Annotated[Path | None, arg(metavar="PATH")] = None
    """continue the interrupted run in this folder; all else is read from it"""
    device: str = "auto"
    """auto, cpu, cuda or mps"""
    threads: Annotated[int | None, arg(metavar="INT")] = None
    """CPU threads; default: all, or one for a small data set; the same number gives the same numbers"""
    quiet: bool = False
    """print the result only"""
    data: Annotated[DataArguments, arg(name="")] = field(default_factory=DataArguments)
    settings: Annotated[Settings, arg(name="")] = field(default_factory=Settings)


def train(arguments: list[str]) -> None:
    """Train a model on a data set, choose it honestly, test it."""
    asked, unknown = cli(TrainArguments, args=arguments, prog="gsmflow train", return_unknown_args=True)
    if unknown:
        raise InputError(unknown_option(unknown[0]))
    if asked.resume:
        if asked != TrainArguments(resume=asked.resume, quiet=asked.quiet):
            raise InputError("--resume reads everything from the run folder; beside it give --quiet or nothing.")
        resume(asked.resume, asked.quiet)
        return
    if asked.dataset is None:
        raise InputError("say which data set: gsmflow train DATASET, for example gsmflow train digits.")
    from .recipes import check_settings, load_recipe, recipe_for

    recipe = load_recipe(asked.recipe or recipe_for(asked.dataset))
    default = replace(TrainArguments(), settings=recipe.settings)
    asked = cli(TrainArguments, args=arguments, prog="gsmflow train", default=default)
    check_settings(asked.settings)
    if asked.threads is not None and asked.threads < 1:
        raise InputError(f"--threads must be at least 1; found {asked.threads}.")
    start(str(asked.dataset), recipe, asked)


def unknown_option(option: str) -> str:
    """One sentence about an option that does not exist."""
    from .recipes import known_keys, unknown_key

    known = [f"--{key}" for key in known_keys(Settings)]
    known += [f"--{field.name.replace('_', '-')}" for kind in (TrainArguments, DataArguments) for field in fields(kind)]
    return unknown_key(option, known)


def start(name: str, recipe: "Recipe", asked: TrainArguments) -> None:
    """Start a new run."""
    from .data import load
    from .experiment import pick_device, pick_threads
    from .progress import Display
    from .runs import DataSource, Run, config_here

    choice = (asked.data.features, asked.data.semantics, asked.data.allow_overlap)
    dataset = load(name, root=asked.data.data_root, features=choice[0], semantics=choice[1], allow_overlap=choice[2])
    source = DataSource(name, str(asked.data.data_root), *choice, dataset.fingerprint())
    device, threads = str(pick_device(asked.device)), asked.threads or pick_threads(dataset)
    config = config_here(source, asked.protocol, recipe.name, asked.settings, device, threads)
    folder = asked.out or Path("runs") / f"{dataset.name}-{datetime.now():%Y%m%d-%H%M%S}"
    with Display(quiet=asked.quiet) as display:
        display.say(f"{dataset!r}")
        for warning in dataset.warnings:
            display.say(f"warning: {warning}")
        display.say(f"recipe {recipe.name} ({recipe.source}), protocol {asked.protocol}, seed {asked.settings.seed}")
        if asked.protocol == "published":
            display.say("the best evaluation is SELECTED ON TEST, as the published code does")
        record = go(Run.create(folder, config, display), dataset, config)
    print_result(record, folder)


def resume(folder: Path, quiet: bool) -> None:
    """Continue an interrupted run."""
    from .progress import Display
    from .runs import Run, read_config

    config = read_config(folder)
    dataset = load_again(config)
    if dataset.fingerprint() != config.data.fingerprint:
        raise InputError(f"The data of {folder} have changed since the run began; start a new run.")
    with Display(quiet=quiet) as display:
        record = go(Run.resume(folder, display), dataset, config)
    print_result(record, folder)


def go(run: Any, dataset: Any, config: Any) -> dict[str, Any]:
    """Run an experiment to its end; leave the program where it is interrupted."""
    import torch

    from . import experiment
    from .runs import Interrupted

    torch.set_num_threads(config.threads)
    try:
        with run.interruptible():
            _, record = experiment.train(
                dataset, config.settings, protocol=config.protocol, device=config.device, run=run
            )
    except InputError:
        run.discard_if_empty()
        raise
    except Interrupted as stop:
        run.display.say(f"Interrupted. Continue with: gsmflow train --resume {run.folder}")
        sys.exit(128 + stop.signum)
    return record


def print_result(record: dict[str, Any], folder: Path) -> None:
    """The headline table, with what the model was selected on, and where the run lies."""
    from rich.console import Console
    from rich.table import Table

    title = f"{record['dataset']} ({record['features']}, {record['semantics']}), selected on {record['selected_on']}"
    table = Table(title=title, title_justify="left")
    names = ("T1", "U", "S", "H", "U_raw", "S_raw", "H_raw", "AUSUC")
    for name in names:
        table.add_column(name, justify="right")
    table.add_row(*(f"{record[name]:.1f}" for name in names))
    Console().print(table)
    print(f"run folder: {folder}")


def load_again(config: Any, options: DataArguments | None = None) -> Any:
    """The data set of a run, from the place that the run or ``options`` name."""
    from .data import load

    source = config.data
    root = options.data_root if options and options.data_root != DataArguments().data_root else source.root
    return load(
        source.name,
        root=root,
        features=(options and options.features) or source.features,
        semantics=(options and options.semantics) or source.semantics,
        allow_overlap=source.allow_overlap or bool(options and options.allow_overlap),
    )


def evaluate(arguments: list[str]) -> None:
    """Recompute the metrics of a finished run from its saved model."""

    def command(folder: Positional[Path], data: Annotated[DataArguments, arg(name="")] = DataArguments()) -> None:
        """Recompute the metrics of a finished run from its saved model.

        Args:
            folder: run folder.
            data: where the data are now; by default where they were.
        """
        from . import experiment
        from .evaluation import evaluate
        from .runs import read_config, read_metrics

        config, before = read_config(folder), read_metrics(folder)
        model = experiment.load_model(folder)
        dataset = load_again(config, data)
        model.check_dim(dataset.dim)
        if dataset.num_classes != len(model.semantics):
            raise InputError(
                f"The model in {folder} knows {len(model.semantics)} classes, {dataset.name} has {dataset.num_classes}."
            )
        if dataset.fingerprint() != config.data.fingerprint:
            print("gsmflow: these are not the data that the run was made on.", file=sys.stderr)
        metrics = evaluate(model, dataset.tests(), dataset.seen, dataset.unseen, constant=float(model.constant))
        print_result(before | metrics.headline(), folder)

    cli(command, args=arguments, prog="gsmflow evaluate")


def data(arguments: list[str]) -> None:
    """List known benchmarks, or check the files of a data set."""

    def list_benchmarks(data_root: Path = Path("data")) -> None:
        """Show known benchmarks, where to get them, and whether their files are present.

        Args:
            data_root: folder that holds the data sets.
        """
        from rich.console import Console
        from rich.table import Table

        from .data.catalog import BENCHMARKS, is_present

        title = f"data root: {data_root}"
        table = Table("name", "about", "classes seen/unseen", "semantics", "files", "present", title=title)
        for b in BENCHMARKS:
            present = "embedded" if not b.files else "yes" if is_present(b, data_root) else "no"
            table.add_row(b.name, b.title, f"{b.seen}/{b.unseen}", b.semantics, "\n".join(b.files), present)
        Console().print(table)
        for source in dict.fromkeys(b.source for b in BENCHMARKS if b.files):
            print(f"{', '.join(b.name for b in BENCHMARKS if b.source == source)}: {source}")

    def check(path: Positional[Path], options: Annotated[DataArguments, arg(name="")] = DataArguments()) -> None:
        """Run all checks on a data set and print a summary.

        Args:
            path: folder that holds the files, or an embedded data set.
            options: which files to read.
        """
        from rich.console import Console
        from rich.table import Table

        from .data import load, load_folder
        from .data.summary import summarize

        choice = {"features": options.features, "semantics": options.semantics, "allow_overlap": options.allow_overlap}
        dataset = load_folder(path, **choice) if path.is_dir() else load(path.name, root=path.parent, **choice)
        table = Table("what", "value", title=f"{dataset.name}: all checks passed", title_justify="left")
        for key, value in summarize(dataset).items():
            table.add_row(key, str(value))
        Console().print(table)

    commands = {"list": list_benchmarks, "check": check}
    subcommand_cli_from_dict(commands, args=arguments, prog="gsmflow data")


COMMANDS: dict[str, Callable[[list[str]], None]] = {"train": train, "evaluate": evaluate, "data": data}
