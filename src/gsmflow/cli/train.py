"""``gsmflow train`` and ``gsmflow evaluate``."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro import cli
from tyro.conf import Positional, arg

from ..errors import InputError
from ..settings import Settings
from .options import DataArguments, load_and_tell
from .report import show_report

if TYPE_CHECKING:
    from ..experiment import Result

__all__ = ["evaluate", "train"]


@dataclass(frozen=True)
class TrainArguments:
    """Train a model on a data set, choose it honestly, test it. Settings start from a recipe."""

    dataset: Annotated[Positional[str | None], arg(metavar="DATASET")] = None
    """digits, synthetic, a folder, or the name of one under --data-root"""
    recipe: Annotated[str | None, arg(metavar="STR")] = None
    """default, gsmflow, or name or .yaml file of a recipe; without it default, or gsmflow with --protocol published"""
    protocol: Annotated[str, arg(metavar="{validated,published,fixed}")] = "validated"
    """validated: choose on pseudo-unseen classes; published: choose on the TEST sets, as the field's code does; fixed:
    choose nothing"""
    out: Annotated[Path | None, arg(metavar="PATH")] = None
    """run folder; default runs/<dataset>-<time>"""
    resume: Annotated[Path | None, arg(metavar="PATH")] = None
    """continue the interrupted run in this folder; all else is read from it"""
    device: str = "auto"
    """auto, cpu, cuda or mps"""
    threads: Annotated[int | None, arg(metavar="INT")] = None
    """CPU threads; default: as many as help here and now; the same number gives the same numbers"""
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


SHOWN = ("quiet", "verbose", "json", "report", "open")
"""What may be given beside ``--resume``: what is shown."""


def train(arguments: list[str]) -> None:
    """Train a model on a data set, choose it honestly, test it."""
    asked, unknown = cli(TrainArguments, args=arguments, prog="gsmflow train", return_unknown_args=True)
    if unknown:
        raise InputError(unknown_option(unknown[0]))
    if asked.quiet and asked.verbose:
        raise InputError("--quiet and --verbose contradict each other; give one of them.")
    if asked.resume:
        if asked != TrainArguments(resume=asked.resume, **{name: getattr(asked, name) for name in SHOWN}):
            raise InputError(
                "--resume reads everything from the run folder; beside it give --quiet, --verbose, --json, "
                "--no-report, --open or nothing."
            )
        resume(asked.resume, asked)
    elif asked.dataset is None:
        raise InputError("say which data set: gsmflow train DATASET, for example gsmflow train digits.")
    else:
        start(asked.dataset, asked, arguments)


def unknown_option(option: str) -> str:
    """One sentence about an option that does not exist."""
    from ..overrides import RENAMED_KEYS, known_keys, unknown_key

    section, _, rest = option.removeprefix("--").replace("-", "_").partition(".")
    if section in RENAMED_KEYS:
        return f"the option {option!r} is called '--{RENAMED_KEYS[section].replace('_', '-')}.{rest}' now."
    known = [f"--{key}" for key in known_keys(Settings)]
    known += [f"--{field.name.replace('_', '-')}" for kind in (TrainArguments, DataArguments) for field in fields(kind)]
    return unknown_key(option, known)


def start(name: str, asked: TrainArguments, arguments: list[str]) -> None:
    """Start a new run."""
    from ..data import DataSource
    from ..devices import pick_device, pick_threads
    from ..overrides import override, settings_named
    from ..progress import Display
    from ..recipes import load_method, method_name
    from ..runs import RunFolder, config_here
    from ..selection import check_effect, check_settings, protocol_named

    protocol_named(asked.protocol)
    method = asked.recipe or ("gsmflow" if asked.protocol == "published" else "default")
    load_method(method, Path(name).name)  # a wrong name is told before data are read
    with Display(quiet=asked.quiet, verbose=asked.verbose) as display:
        dataset = load_and_tell(name, asked.data, display)
        recipe = load_method(method, dataset.name)
        given = cli(
            TrainArguments,
            args=arguments,
            prog="gsmflow train",
            default=replace(TrainArguments(), settings=recipe.settings),
        )
        named = settings_named(arguments)
        settings = override(recipe.settings, {key: value_at(given.settings, key) for key in named})
        check_settings(settings)
        check_effect(settings, named, "The command line sets", dataset)
        device = str(pick_device(asked.device))
        threads = pick_threads(dataset.features.size) if asked.threads is None else asked.threads
        config = config_here(
            DataSource.of(dataset),
            asked.protocol,
            method_name(method),
            recipe.name,
            settings,
            device,
            threads,
            asked.track,
        )
        display.say(f"recipe {recipe.name} ({recipe.source}), protocol {asked.protocol}, seed {settings.seed}")
        if asked.protocol == "published":
            display.say("the best evaluation is SELECTED ON TEST, as the published code does")
        folder = asked.out or Path("runs") / f"{dataset.name}-{datetime.now():%Y%m%d-%H%M%S}"
        RunFolder(folder).check_new()  # `execute` would go on with a run that is there
        result = go(folder, config, dataset, display)
    show_result(result, asked)


def value_at(settings: Settings, key: str) -> Any:
    """The value of a dotted key."""
    value: Any = settings
    for part in key.split("."):
        value = getattr(value, part)
    return value


def resume(path: Path, asked: TrainArguments) -> None:
    """Continue an interrupted run."""
    from ..progress import Display
    from ..runs import RunFolder

    folder = RunFolder(path)
    folder.check_unfinished()
    config = folder.read_config()
    with Display(quiet=asked.quiet, verbose=asked.verbose) as display:
        result = go(path, config, config.data.load(), display)
    show_result(result, asked)


def go(folder: Path, config: Any, dataset: Any, display: Any) -> Result:
    """Run an experiment to its end; leave the program where it is interrupted."""
    from .. import experiment
    from ..runs import Interrupted

    try:
        return experiment.execute(folder, config, dataset, display)
    except Interrupted as stop:
        display.say(f"Interrupted. Continue with: gsmflow train --resume {folder}")
        sys.exit(128 + stop.signum)


def show_result(result: Result, asked: TrainArguments) -> None:
    """Print the result of a run and write its report, where asked; a run is none the worse if that fails."""
    folder = result.folder
    assert folder
    print_result(result.record, folder, json=asked.json)
    if not asked.report:
        return
    try:
        show_report([folder], open_page=asked.open, file=sys.stderr if asked.json else None, dataset=result.dataset)
    except Exception as error:  # the run is finished and kept, whatever befalls its report
        reason = " ".join(str(error).split()) or type(error).__name__
        print(f"gsmflow: there is no report: {reason}", file=sys.stderr)


def print_result(record: dict[str, Any], folder: Path, *, json: bool) -> None:
    """The headline table, with what the model was selected on, and where the run lies; or all of it as JSON."""
    if json:
        from ..files import as_json

        print(as_json(record | {"run": str(folder)}, indent=2).decode(), end="")
        return
    from rich.console import Console
    from rich.table import Table

    from ..evaluation.metrics import HEADLINE

    title = f"{record['dataset']} ({record['features']}, {record['semantics']}), selected on {record['selected_on']}"
    if any(is_known(record[name]) for name in HEADLINE):
        table = Table(title=title, title_justify="left")
        for name in HEADLINE:
            table.add_column(name, justify="right")
        table.add_row(*(f"{record[name]:.1f}" if is_known(record[name]) else "-" for name in HEADLINE))
        Console().print(table)
    else:
        print(f"{title}: there are no test samples")
    for line in estimate_lines(record):
        print(line)
    for line in calibration_lines(record):
        print(line)
    print(f"run folder: {folder}")


def is_known(value: float | None) -> bool:
    """Whether a number was measured."""
    return value is not None and value == value


def estimate_lines(record: dict[str, Any]) -> list[str]:
    """What validation lets expect of that which was not measured; nothing where all was."""
    unknown = [name for name in ("T1", "U", "S", "H") if not is_known(record[name])]
    if not unknown:
        return []
    not_measured = f"not measured, since there are no test samples: {', '.join(unknown)}"
    if not record.get("estimate"):
        return [f"{not_measured}; no estimate either: nothing was validated"]
    from ..selection import Estimate

    estimate = Estimate.from_json(record["estimate"])
    told = "  ".join(f"{name} {getattr(estimate, name)}" for name in ("T1", "U", "S", "H"))
    folds = "fold" if estimate.folds == 1 else "folds"
    return [not_measured, f"ESTIMATE on pseudo-unseen classes, {estimate.folds} {folds}, 95 %: {told}"]


def calibration_lines(record: dict[str, Any]) -> list[str]:
    """How far the probabilities of a model can be believed; nothing where it was not measured."""
    found = record.get("calibration") or {}
    if not is_known(found.get("ECE")):
        return []
    is_soft = (found["temperature"], found["tail"]) != (1.0, 0.0)
    how = f"temperature {found['temperature']:g}" if is_soft else "not calibrated"
    return [f"probabilities ({how}): expected calibration error {found['ECE']:.1f} % on the test sets"]


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
        from ..progress import Display
        from ..runs import RunFolder

        there = RunFolder(folder)
        config, before = there.read_config(), there.read_metrics()
        model = experiment.load_model(folder)
        with Display():  # which tells warnings in a line each
            dataset = data.moved(replace(config.data, fingerprint="")).load()
        metrics = experiment.evaluate(model, dataset)
        if dataset.fingerprint() != config.data.fingerprint:
            print("gsmflow: these are not the data that the run was made on.", file=sys.stderr)
        print_result(before | experiment.metrics_record(metrics, model.class_names), folder, json=json)

    cli(command, args=arguments, prog="gsmflow evaluate")
