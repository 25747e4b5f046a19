"""``gsmflow compare`` and ``gsmflow reproduce``."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro import cli
from tyro.conf import Positional, arg

from ..errors import InputError
from .options import DataArguments, load_and_tell

if TYPE_CHECKING:
    from ..comparison import Comparison
    from ..data import ZeroShotDataset

__all__ = ["compare", "reproduce"]

METHODS = ("default", "gaussian", "cvae", "wgan", "eszsl", "prototype", "dap")
BOTH = ("validated", "published")
WRITTEN = ("comparison.json", "comparison.md", "comparison.png", "shots.png")


@dataclass(frozen=True)
class RunningArguments:
    """Where and how the runs of a comparison are made."""

    out: Annotated[Path | None, arg(metavar="PATH")] = None
    """folder for the runs and the tables; what is finished there is kept; default under comparisons/"""
    jobs: Annotated[int | None, arg(metavar="INT")] = None
    """runs at a time; default: as many as there are CPU cores, or 1 on another device"""
    threads: int = 1
    """CPU threads a run; the same number gives the same numbers"""
    device: str = "auto"
    """auto, cpu, cuda or mps"""
    override: tuple[str, ...] = ()
    """settings for all runs, as section.name=value"""
    quiet: bool = False
    """print the tables only"""


@dataclass(frozen=True)
class CompareArguments:
    """Run several methods on a data set, over seeds, under both protocols; one table.

    Finished runs are kept: the same command goes on where it was interrupted, and one with more seeds or methods adds
    them.
    """

    dataset: Annotated[Positional[str], arg(metavar="DATASET")]
    """digits, synthetic, a folder, or the name of one under --data-root"""
    methods: Annotated[tuple[str, ...] | None, arg(metavar="[STR [STR ...]]")] = None
    """default: default gaussian cvae wgan eszsl prototype dap, and clip where images and words lie in one space;
    default (what wins on pseudo-unseen classes), gsmflow (the paper's: hours on a CPU), names or files of recipes,
    such as cosine (to the predicted mean)"""
    recognizers: tuple[str, ...] = ()
    """instead of the recipes' own, where a generator supports them"""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """a run each"""
    protocols: Annotated[tuple[str, ...] | None, arg(metavar="[STR [STR ...]]")] = None
    """validated: choose on pseudo-unseen classes; published: choose on the TEST sets, as the field's code does;
    default: both, or validated alone where there are no test sets to choose on"""
    class_splits: int = 1
    """how many: the official one, and others for which the unseen classes are drawn anew, as many of them; each is run
    with the same seeds, and tables are over class splits"""
    evidence: tuple[str, ...] = ("none",)
    """what methods have of the unseen classes beside words, a table each: none, unlabelled (the test pictures
    themselves, without labels), shots=N (N labelled pictures a class, taken out of the test)"""
    rivals: Annotated[tuple[str, ...] | None, arg(metavar="[STR [STR ...]]")] = None
    """where there is evidence, compared beside the methods, on what the first of these has learnt: class-means,
    nearest-shots, logistic, label-propagation, cosine, transclip, gaussian-baseline; default: all; none if empty"""
    ablate: bool = False
    """also run each of these with each of its parts taken out, where its recipe names parts"""
    data: Annotated[DataArguments, arg(name="")] = field(default_factory=DataArguments)
    running: Annotated[RunningArguments, arg(name="")] = field(default_factory=RunningArguments)


@dataclass(frozen=True)
class ReproduceArguments:
    """Run a recipe several times and print the result beside the one that is known of it."""

    recipe: Annotated[Positional[str], arg(metavar="RECIPE")]
    """name or .yaml file"""
    dataset: Annotated[str | None, arg(metavar="STR")] = None
    """data set, where the recipe is not for a certain one"""
    replicates: int = 1
    """seeds: that of the recipe and the next ones"""
    protocol: Annotated[str | None, arg(metavar="STR")] = None
    """default: published for a published recipe, else validated"""
    data: Annotated[DataArguments, arg(name="")] = field(default_factory=DataArguments)
    running: Annotated[RunningArguments, arg(name="")] = field(default_factory=RunningArguments)


def compare(arguments: list[str]) -> None:
    """Run several methods on a data set, over seeds, under both protocols; one table."""
    if any(argument.partition("=")[0] == "--generators" for argument in arguments):
        raise InputError("the option '--generators' is called '--methods' now.")
    asked = cli(CompareArguments, args=arguments, prog="gsmflow compare")
    lists = {"methods": asked.methods, "seeds": asked.seeds, "protocols": asked.protocols, "evidence": asked.evidence}
    for name, values in lists.items():
        if values is not None and not values:
            raise InputError(f"--{name} names none; give at least one.")
    if min(asked.seeds) < 0:
        raise InputError(f"--seeds must not be negative; found {min(asked.seeds)}.")
    if asked.class_splits < 1:
        raise InputError(f"--class-splits must be at least 1, the official one; found {asked.class_splits}.")
    from ..comparison import write_comparison
    from ..recipes import ablations

    methods = METHODS if asked.methods is None else asked.methods
    if asked.ablate:
        methods = tuple(name for method in methods for name in (method, *ablations(method, Path(asked.dataset).name)))
    comparison = run(
        asked.dataset,
        methods,
        asked.recognizers,
        asked.protocols,
        asked.seeds,
        asked.data,
        asked.running,
        with_clip=asked.methods is None,
        class_splits=asked.class_splits,
        evidence=asked.evidence,
        rivals=asked.rivals,
    )
    if comparison.finished:
        write_comparison(comparison)
        print_comparison(comparison)
    finish(comparison)


def reproduce(arguments: list[str]) -> None:
    """Run a recipe several times, and print the result beside the one that is known of it."""
    asked = cli(ReproduceArguments, args=arguments, prog="gsmflow reproduce")
    from ..recipes import load_method, load_recipe

    recipe = load_method(asked.recipe, Path(asked.dataset).name) if asked.dataset else load_recipe(asked.recipe)
    dataset = asked.dataset or recipe.dataset
    if dataset is None:
        raise InputError(
            f"The recipe {recipe.name} is for any data set: say which with --dataset, as --dataset digits."
        )
    if asked.replicates < 1:
        raise InputError(f"--replicates must be at least 1; found {asked.replicates}.")
    protocol = asked.protocol or ("published" if recipe.source == "published" else "validated")
    seeds = range(recipe.settings.seed, recipe.settings.seed + asked.replicates)
    comparison = run(dataset, (asked.recipe,), (), (protocol,), tuple(seeds), asked.data, asked.running)
    if comparison.finished:
        print_reproduction(comparison, recipe)
    finish(comparison)


def run(
    name: str,
    methods: Sequence[str],
    recognizers: Sequence[str],
    protocols: Sequence[str] | None,
    seeds: Sequence[int],
    data: DataArguments,
    running: RunningArguments,
    *,
    with_clip: bool = False,
    class_splits: int = 1,
    evidence: Sequence[str] = ("none",),
    rivals: Sequence[str] | None = None,
) -> "Comparison":
    """Plan the cells and run those that are not finished; leave the program where it is interrupted."""
    for option, value in (("jobs", running.jobs), ("threads", running.threads)):
        if value is not None and value < 1:
            raise InputError(f"--{option} must be at least 1; found {value}.")
    from ..comparison import plan, run_cells
    from ..data import DataSource
    from ..devices import pick_device
    from ..evidence import parse
    from ..overrides import parse_assignments
    from ..progress import Display
    from ..runs import Interrupted

    device, kinds = str(pick_device(running.device)), [parse(text) for text in evidence]
    with Display(quiet=running.quiet) as display:
        dataset = load_and_tell(name, data, display)
        if with_clip and has_one_space(dataset):
            display.say("images and words lie in one space: clip, their cosine, is compared as well")
            methods = (*methods, "clip")
        if protocols is None:
            protocols = BOTH if len(dataset.test_seen) and len(dataset.test_unseen) else BOTH[:1]
            with_evidence = next((str(kind) for kind in kinds if kind.kind != "none"), "")
            if len(protocols) == len(BOTH) and with_evidence:
                protocols = BOTH[:1]
                display.say(f"the protocol published is left out: it chooses on what {with_evidence} is taken from")
            elif len(protocols) < len(BOTH):
                display.say(
                    "the protocol published is left out: it chooses on test samples of unseen classes and of seen ones"
                )
    cells = plan(
        dataset,
        DataSource.of(dataset),
        methods=tuple(methods),
        recognizers=tuple(recognizers),
        protocols=tuple(protocols),
        seeds=tuple(seeds),
        overrides=parse_assignments(running.override),
        device=device,
        threads=running.threads,
        class_splits=class_splits,
        evidence=kinds,
        rivals=rivals,
    )
    p = dataset.provenance
    folder = running.out or Path("comparisons") / f"{dataset.name}-{p.features}-{p.semantics}"
    jobs = running.jobs or ((os.cpu_count() or 1) if device == "cpu" else 1)
    try:
        with Display(quiet=running.quiet) as display:
            return run_cells(folder, cells, dataset, display, jobs)
    except Interrupted as stop:
        print(f"Interrupted. The same command goes on from what is in {folder}.", file=sys.stderr)
        sys.exit(128 + stop.signum)


def has_one_space(dataset: "ZeroShotDataset") -> bool:
    """Whether it is known that images and words lie in one space."""
    from ..data.space import space_of

    space = space_of(dataset)
    return space.holds and not space.is_assumed


def print_comparison(comparison: "Comparison") -> None:
    """The tables on the terminal."""
    from ..comparison.page import sections, what_counts

    records = comparison.finished
    first = records[0]
    for section in sections(records):
        for place, table in enumerate(section.tables):
            whole = f"{first.dataset} ({first.features}, {first.semantics}), {section.title}"
            print_table(table.title if place else whole, table.header, table.rows)
        for note in section.notes:
            print(f"{note}\n")
    print(what_counts(records))
    there = [name for name in WRITTEN if (comparison.folder / name).exists()]
    print(f"{', '.join(there)} in {comparison.folder}")


def print_reproduction(comparison: "Comparison", recipe: Any) -> None:
    """Ours beside what is known of the recipe."""
    from ..comparison.tables import ESTIMATES, estimate_rows, mean_sd, title_of
    from ..evaluation.replicates import summarize

    records = comparison.finished
    rows = []
    for name in ("T1", "U", "S", "H"):
        ours = summarize([getattr(record, name) for record in records])
        known = getattr(recipe.known, name, None)
        is_measured = ours.mean == ours.mean
        row = [name, mean_sd(ours) if is_measured else "not measured", "unknown" if known is None else f"{known:.1f}"]
        rows.append([*row, f"{ours.mean - known:+.1f}" if known is not None and is_measured else ""])
    seeds = ", ".join(str(record.seed) for record in records)
    title = f"recipe {recipe.name} on {records[0].dataset}, seeds {seeds}, {title_of(records, records[0].protocol)}"
    print_table(title, ["", "ours", "known", "difference"], rows)
    header, rows = estimate_rows(records, records[0].protocol)
    if rows:
        print_table(ESTIMATES, header, rows)
    if recipe.known:
        print(f"known: {recipe.known.of}")
    else:
        print(f"No result is known of the recipe {recipe.name} that could be checked.")


def print_table(title: str, header: list[str], rows: list[list[str]]) -> None:
    """One table with its numbers to the right."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for place, name in enumerate(header):
        table.add_column(name, justify="left" if place == 0 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    print(title)
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def finish(comparison: "Comparison") -> None:
    """Say which runs failed, and exit with code 2 if any did."""
    if comparison.failures:
        name, sentence = next(iter(comparison.failures.items()))
        more = f" ({len(comparison.failures)} runs failed)" if len(comparison.failures) > 1 else ""
        raise InputError(f"{name}: {sentence}{more}")
