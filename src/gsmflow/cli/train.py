"""``gsmflow train`` and ``gsmflow evaluate``."""

import sys
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro import cli
from tyro.conf import Positional, arg

from ..errors import InputError
from ..settings import Settings
from .options import DataArguments
from .report import show_report

if TYPE_CHECKING:
    from ..recipes import Recipe

__all__ = ["evaluate", "train"]


@dataclass(frozen=True)
class TrainArguments:
    """Train a model on a data set, choose it honestly, test it. Settings start from a recipe."""

    dataset: Annotated[Positional[str | None], arg(metavar="DATASET")] = None
    """digits, synthetic, or a folder under --data-root that holds the files"""
    recipe: Annotated[str | None, arg(metavar="STR")] = None
    """name or .yaml file; default: 'default', or with --protocol published the published recipe of the data set"""
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
    track: Annotated[Literal["tensorboard"] | None, arg(metavar="tensorboard")] = None
    """follow the run in TensorBoard as well: event files in the run folder"""
    quiet: bool = False
    """print the result only"""
    verbose: bool = False
    """print every evaluation, and warnings in full"""
    json: bool = False
    """print the result as JSON"""
    report: bool = True
    """write report.html into the run folder"""
    open: bool = False
    """show the report in the browser"""
    data: Annotated[DataArguments, arg(name="")] = field(default_factory=DataArguments)
    settings: Annotated[Settings, arg(name="")] = field(default_factory=Settings)


def train(arguments: list[str]) -> None:
    """Train a model on a data set, choose it honestly, test it."""
    asked, unknown = cli(TrainArguments, args=arguments, prog="gsmflow train", return_unknown_args=True)
    if unknown:
        raise InputError(unknown_option(unknown[0]))
    if asked.quiet and asked.verbose:
        raise InputError("--quiet and --verbose contradict each other; give one of them.")
    if asked.resume:
        shown = {name: getattr(asked, name) for name in ("quiet", "verbose", "json", "report", "open")}
        if asked != TrainArguments(resume=asked.resume, **shown):
            raise InputError(
                "--resume reads everything from the run folder; beside it give --quiet, --verbose, --json, "
                "--no-report, --open or nothing."
            )
        resume(asked.resume, asked)
        return
    if asked.dataset is None:
        raise InputError("say which data set: gsmflow train DATASET, for example gsmflow train digits.")
    from ..recipes import check_settings, load_recipe, recipe_for

    recipe = load_recipe(asked.recipe or recipe_for(asked.dataset, published=asked.protocol == "published"))
    default = replace(TrainArguments(), settings=recipe.settings)
    asked = cli(TrainArguments, args=arguments, prog="gsmflow train", default=default)
    check_settings(asked.settings)
    if asked.threads is not None and asked.threads < 1:
        raise InputError(f"--threads must be at least 1; found {asked.threads}.")
    start(str(asked.dataset), recipe, asked)


def unknown_option(option: str) -> str:
    """One sentence about an option that does not exist."""
    from ..recipes import known_keys, unknown_key

    known = [f"--{key}" for key in known_keys(Settings)]
    known += [f"--{field.name.replace('_', '-')}" for kind in (TrainArguments, DataArguments) for field in fields(kind)]
    return unknown_key(option, known)


def start(name: str, recipe: "Recipe", asked: TrainArguments) -> None:
    """Start a new run."""
    from ..data import load
    from ..experiment import pick_device, pick_threads
    from ..progress import Display
    from ..runs import DataSource, Run, config_here

    dataset = load(name, root=asked.data.data_root, **asked.data.choice)
    source = DataSource(name, str(asked.data.data_root), **asked.data.choice, fingerprint=dataset.fingerprint())
    device, threads = str(pick_device(asked.device)), asked.threads or pick_threads(dataset)
    config = config_here(source, asked.protocol, recipe.name, asked.settings, device, threads, asked.track)
    folder = asked.out or Path("runs") / f"{dataset.name}-{datetime.now():%Y%m%d-%H%M%S}"
    with Display(quiet=asked.quiet, verbose=asked.verbose) as display:
        display.say(f"{dataset!r}")
        for warning in dataset.warnings:
            display.say(f"warning: {warning}")
        display.say(f"recipe {recipe.name} ({recipe.source}), protocol {asked.protocol}, seed {asked.settings.seed}")
        if asked.protocol == "published":
            display.say("the best evaluation is SELECTED ON TEST, as the published code does")
        record = go(Run.create(folder, config, display), dataset, config)
    print_result(record, folder, json=asked.json)
    end_with_report(folder, asked)


def resume(folder: Path, asked: TrainArguments) -> None:
    """Continue an interrupted run."""
    from ..progress import Display
    from ..runs import Run, read_config

    config = read_config(folder)
    dataset = load_again(config)
    if dataset.fingerprint() != config.data.fingerprint:
        raise InputError(f"The data of {folder} have changed since the run began; start a new run.")
    with Display(quiet=asked.quiet, verbose=asked.verbose) as display:
        record = go(Run.resume(folder, display), dataset, config)
    print_result(record, folder, json=asked.json)
    end_with_report(folder, asked)


def end_with_report(folder: Path, asked: TrainArguments) -> None:
    """Write the report of a finished run, where asked; a run is none the worse if that fails."""
    if not asked.report:
        return
    try:
        show_report([folder], open_page=asked.open, file=sys.stderr if asked.json else None)
    except InputError as error:
        print(f"gsmflow: there is no report: {error}", file=sys.stderr)


def go(run: Any, dataset: Any, config: Any) -> dict[str, Any]:
    """Run an experiment to its end; leave the program where it is interrupted."""
    import torch

    from .. import experiment
    from ..runs import Interrupted

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


def print_result(record: dict[str, Any], folder: Path, *, json: bool) -> None:
    """The headline table, with what the model was selected on, and where the run lies; or all of it as JSON."""
    if json:
        from ..runs import as_json

        print(as_json(record | {"run": str(folder)}, indent=2).decode(), end="")
        return
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
    from ..data import load

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

    def command(
        folder: Positional[Path],
        json: bool = False,
        data: Annotated[DataArguments, arg(name="")] = DataArguments(),  # noqa: B008
    ) -> None:
        """Recompute the metrics of a finished run from its saved model.

        Args:
            folder: run folder.
            json: print the result as JSON.
            data: where the data are now; by default where they were.
        """
        from .. import experiment
        from ..evaluation import evaluate
        from ..runs import read_config, read_metrics

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
        print_result(before | experiment.metrics_record(metrics, dataset), folder, json=json)

    cli(command, args=arguments, prog="gsmflow evaluate")
