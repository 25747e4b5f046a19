"""The report of a run, or of several side by side: one page that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from ..data import ZeroShotDataset
from ..errors import InputError
from ..files import write_atomically
from ..generators import ClosedForm, Sampler
from ..overrides import flat, plain
from ..selection import used_sections
from .drawings import FINAL, draw_confusion, draw_curves, draw_judging, draw_losses
from .facts import NUMBERS, Facts, class_rows, read_facts
from .learning import Losses
from .picture import Picture, to_png, to_svg
from .probe import Generated, Probe, check_given, load_data, probe

__all__ = ["write_report"]

DIAGNOSTIC = "On test features of unseen classes: diagnostics, computed after the run was final; they chose nothing."
DRAWN = (
    "Test pictures with their class and, where they are taken for another, that one; then how sure the model is of its "
    "decision. They are drawn by lot, evenly over classes: what is shown says nothing of how often it is right."
)
NAMED_LETTERS = {"data.fingerprint": 12}
"""So many letters tell one value of a key from another."""
LOSSES_SHOWN = 6
"""So many phases or fewer have a loss curve each; of more, the first folds are left out."""


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        key: of its heading, unique on the page.
        title: its heading.
        words: sentences above the pictures.
        pictures: side by side where there is room.
        template: name of the macro that draws what else it holds, if any.
        run: what that macro reads.
    """

    key: str
    title: str
    words: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    template: str = ""
    run: Any = None


def write_report(
    folders: Sequence[str | Path],
    out: str | Path | None = None,
    *,
    data_root: str | Path | None = None,
    dataset: ZeroShotDataset | None = None,
    say: Callable[[str], None] = lambda sentence: None,
) -> Path:
    """Write the report of one run, or of several side by side, and its pictures as PNG in a folder beside it.

    Args:
        folders: run folders.
        out: the page; by default ``report.html`` in the run folder, or for several runs in the current folder.
        data_root: where the data sets are now; by default where they were.
        dataset: the data of the run, where they are at hand.
        say: takes a sentence for the user.

    Returns:
        The page's path.

    Raises:
        InputError: if a folder holds no finished run of this version, or the page cannot be written.
    """
    runs = read_runs([Path(folder) for folder in folders])
    if data_root and len(runs) > 1:
        raise InputError("Several runs side by side need no data: drop data_root=, or report one run at a time.")
    page = Path(out) if out else (runs[0].folder if len(runs) == 1 else Path()) / "report.html"
    check_place(page)
    files = page.with_name(f"{page.stem}-files")
    missing: list[str] = []
    sections = of_one(runs[0], data_root, dataset, missing) if len(runs) == 1 else of_several(runs, missing)
    for sentence in missing:
        say(sentence)
    pictures = [picture for section in sections for picture in section.pictures]
    html = render(runs, sections, missing, files.name).encode()
    pngs = {picture.name: to_png(picture) for picture in pictures}
    try:
        files.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"Could not make the folder {files}: {error.strerror}; choose another place.") from error
    for name, png in pngs.items():
        write_atomically(files / f"{name}.png", png)
    write_atomically(page, html)
    return page


def read_runs(folders: Sequence[Path]) -> list[Facts]:
    """Read all runs; each is called by its folder's name, or by its whole path where two have the same name."""
    folders = list({folder.resolve(): folder for folder in folders}.values())
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"The folder {folder} does not exist: give the folder of a finished run.")
    names = [folder.resolve().name for folder in folders]
    unique = len(set(names)) == len(names)
    return [read_facts(folder, name if unique else str(folder)) for folder, name in zip(folders, names, strict=True)]


def check_place(page: Path) -> None:
    """Refuse to write over what is no page."""
    if page.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"A report must be a file that ends in .html; found {page}.")
    if page.is_dir():
        raise InputError(f"{page} is a folder; choose another place.")


def of_one(
    run: Facts, data_root: str | Path | None, dataset: ZeroShotDataset | None, missing: list[str]
) -> list[Section]:
    """All sections of the report of one run; what cannot be shown is told in ``missing``."""
    found = None
    try:
        if dataset is None:
            dataset = load_data(run.config, str(data_root) if data_root else None)
        check_given(run.config, dataset)
    except InputError as error:
        missing.append(
            "Left out for want of the data: the interval of AUSUC, the map of features and the generation shifts. "
            f"{error} Give the folder that holds the data sets: gsmflow report {run.folder} --data-root DIR."
        )
    else:
        found = probe(run, dataset)
        otherwise = found.decided_otherwise(run.confusions)
        if otherwise:
            missing.append(
                f"{otherwise} of {len(found.labels)} test samples are now decided otherwise than in confusion.csv: on "
                "another machine or another version, the last digits of scores differ."
            )
    sections = [
        Section("result", "Result", template="result", run=(run, intervals(run, found))),
        training_section(run),
        *of_tests(run, missing),
        *(of_data(run, found, missing) if found else []),
        Section("settings", "Settings and provenance", template="settings", run=run),
    ]
    return sections


def intervals(run: Facts, found: Probe | None) -> dict[str, str]:
    """The 95 % interval of each number in words, or why there is none."""
    known = run.intervals | ({"AUSUC": found.ausuc} if found and found.ausuc else {})
    words = {name: "no test samples" for name in NUMBERS if run.metrics[name] is None}
    for name in NUMBERS:
        if name not in words:
            words[name] = "{:.1f} to {:.1f}".format(*known[name]) if name in known else "no interval without the data"
    return words


def of_tests(run: Facts, missing: list[str]) -> list[Section]:
    """The sections that need test samples of which the run folder tells."""
    sections = []
    if len(run.curve.constants):
        sections.append(Section("curve", "Seen-unseen curve", pictures=(draw_curves([run]),)))
    else:
        missing.append(f"There is no seen-unseen curve, no H and no AUSUC: {untested(run)}.")
    if len(run.confusions):
        sections.append(Section("classes", "Classes, worst first", template="classes", run=class_rows(run)))
        sections.append(Section("confusion", "Confusion", pictures=(draw_confusion(run),)))
    else:
        missing.append("Nothing is told of single classes: there are no test samples.")
    return sections


def untested(run: Facts) -> str:
    """Which test samples are lacking."""
    if not len(run.unseen):
        return "there are no unseen classes"
    of_unseen = int(run.samples[run.unseen].sum())
    lacking = [name for name, n in (("seen", run.samples.sum() - of_unseen), ("unseen", of_unseen)) if not n]
    return f"there are no test samples of {' and of '.join(lacking)} classes" if lacking else "curve.csv is empty"


def training_section(run: Facts) -> Section:
    """Losses and what was judged."""
    pictures = []
    if run.losses:
        pictures.append(draw_losses(last_phases(run.losses)))
    pictures += [draw_judging(judging, f"judged-{place + 1}") for place, judging in enumerate(run.judgings)]
    words = []
    phases = phases_of(run.losses)
    if len(phases) > LOSSES_SHOWN:
        words.append(
            f"Of {len(phases)} phases the losses of the last {LOSSES_SHOWN} are drawn, those of the first "
            f"{len(phases) - LOSSES_SHOWN} are left out."
        )
    if phases and phases[-1] not in FINAL:
        is_untrained = run.metrics["chosen"].get("choice", {}).get("epoch") == 0
        reason = ": it was chosen untrained, at epoch 0" if is_untrained else ""
        words.append(f"Of the final model no loss was recorded{reason}.")
    if not phases and isinstance(run.model.generator, ClosedForm):
        words.append("The generator is a closed form, fitted in one go: there is no loss by step.")
    elif not phases:
        words.append("No loss was recorded.")
    if not run.judgings:
        words.append("Nothing was chosen: the model is the first that its settings name.")
    return Section("training", "Training and choice", tuple(words), tuple(pictures))


def phases_of(terms: Losses) -> list[str]:
    """All phases in their order."""
    return list(dict.fromkeys(phase for lines in terms.values() for phase in lines))


def last_phases(terms: Losses) -> Losses:
    """The loss terms of the last phases, the final model among them."""
    phases = phases_of(terms)[-LOSSES_SHOWN:]
    kept = {term: {p: points for p, points in lines.items() if p in phases} for term, lines in terms.items()}
    return {term: lines for term, lines in kept.items() if lines}


def of_data(run: Facts, found: Probe, missing: list[str]) -> list[Section]:
    """The sections that need the data and the model."""
    from .drawings_of_data import draw_decided_digits, draw_generated_digits, draw_maps, draw_reliability
    from .shifts import shifts

    names, sections = found.dataset.class_names, []
    is_digits = found.dataset.provenance.layout == "digits"
    if is_digits:
        pictures = [draw_decided_digits(found)]
        pictures += [draw_generated_digits(found.generated, names)] if found.generated else []
        sections.append(Section("digits", "Digits", pictures=tuple(pictures)))
    sections += of_pictures(found, missing)
    if found.generated:
        numbers = {row.name: row.row for row in class_rows(run)}
        words = (DIAGNOSTIC, *taken(found.generated, found.dataset))
        pictures = draw_maps(found.generated, names, [numbers[name] for name in names])
        unseen = [(numbers[names[k]], names[k]) for k in run.unseen]
        sections.append(Section("map", "Map of unseen classes", words, tuple(pictures), "numbers", unseen))
        picture = draw_reliability(found)
        sections.append(Section("shifts", "Generation shifts", words, (picture,), "shifts", shifts(found)))
    elif not len(found.dataset.unseen):
        missing.append("There is no map and no generation shifts: there are no unseen classes.")
    elif not len(found.dataset.test_unseen):
        missing.append("There is no map and no generation shifts: no unseen class has a test sample.")
    elif isinstance(found.model.generator, Sampler):
        missing.append("There is no map and no generation shifts: what the model generates is not finite.")
    else:
        missing.append("There is no map and no generation shifts: this model generates no features.")
    return sections


def of_pictures(found: Probe, missing: list[str]) -> list[Section]:
    """The section of test pictures, where the data are of pictures."""
    from .thumbnails import thumbnails

    shown = thumbnails(found)
    if shown and shown.lacking:
        missing.append(shown.lacking)
    if not shown or not shown.groups:
        return []
    return [Section("pictures", "Pictures", (DRAWN,), template="thumbnails", run=shown.groups)]


def taken(generated: Generated, dataset: ZeroShotDataset) -> list[str]:
    """A sentence where not all unseen classes are looked at."""
    looked_at, tested = len(np.unique(generated.labels)), len(np.unique(dataset.labels[dataset.test_unseen]))
    told = f"Of {tested:,} unseen classes with test samples {looked_at:,} are looked at, evenly spread."
    return [told] if looked_at < tested else []


def of_several(runs: list[Facts], missing: list[str]) -> list[Section]:
    """All sections of the report of several runs: side by side first, then a part for each."""
    overlaid, words = [], []
    with_curve = [run for run in runs if len(run.curve.constants)]
    missing += [
        f"{run.name} has no seen-unseen curve, no H and no AUSUC: {untested(run)}."
        for run in runs
        if run not in with_curve
    ]
    if with_curve:
        overlaid.append(draw_curves(with_curve, "curves", [runs.index(run) for run in with_curve]))
    final = last_losses(runs)
    if final:
        overlaid.append(draw_losses(final, "losses", are_runs=True))
        words.append("Losses are those of the last phase of each run, by step of it.")
    sections = [Section("result", "Result", template="results", run=runs)]
    if overlaid:
        sections.append(Section("curves", "Side by side", tuple(words), tuple(overlaid)))
    sections.append(Section("differing", "What differs", template="differing", run=(runs, differing(runs))))
    for place, run in enumerate(runs, 1):
        pictures = [draw_judging(judging, f"run-{place}-judged-{i + 1}") for i, judging in enumerate(run.judgings)]
        words = [] if run.judgings else ["Nothing was chosen."]
        if len(run.confusions):
            pictures.append(draw_confusion(run, f"run-{place}-confusion"))
            template, rows = "classes", class_rows(run)
        else:
            template, rows = "", None
            words.append("Nothing is told of single classes: there are no test samples.")
        sections.append(Section(f"run-{place}", run.name, tuple(words), tuple(pictures), template, rows))
    return sections


def last_losses(runs: Sequence[Facts]) -> Losses:
    """The loss terms of each run's last phase, by term and run."""
    terms: Losses = {}
    for run in runs:
        last = phases_of(run.losses)[-1:]
        for term, lines in run.losses.items():
            for phase in last:
                if phase in lines:
                    terms.setdefault(term, {})[run.name] = lines[phase]
    return terms


def differing(runs: Sequence[Facts]) -> dict[str, list[str]]:
    """What was asked of the runs and is not the same for all that use it, by dotted key; "" for those that do not."""
    asked = [{key: value for key, value in flat(plain(run.config)).items() if uses(run, key)} for run in runs]
    keys = dict.fromkeys(key for one in asked for key in one)
    values = {key: [spelled(one[key])[: NAMED_LETTERS.get(key)] if key in one else "" for one in asked] for key in keys}
    return {key: found for key, found in values.items() if len(set(found) - {""}) > 1}


def spelled(value: Any) -> str:
    """A value of the configuration in words; never empty."""
    if isinstance(value, list | tuple):
        return ("; " if any("," in str(one) for one in value) else ", ").join(map(spelled, value)) or "none"
    words = {None: "none", True: "yes", False: "no"}
    return words[value] if value is None or isinstance(value, bool) else str(value) or "none"


def uses(run: Facts, key: str) -> bool:
    """Whether a setting, by its dotted key, had a say in a run: not the sizes of generators that it has not."""
    section = key.split(".")[1] if key.startswith("settings.") and key.count(".") > 1 else ""
    return not section or section in used_sections(run.config.settings)


def render(runs: Sequence[Facts], sections: Sequence[Section], missing: Sequence[str], files: str) -> str:
    """The page as text. All that comes from a run is escaped; the pictures are already."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup, escape

    environment = Environment(
        loader=PackageLoader("gsmflow.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "svg": lambda picture: Markup(to_svg(picture)),
        "breakable": lambda name: Markup("_<wbr>").join(escape(part) for part in name.split("_")),
        "short": lambda value: f"{value:.4g}" if isinstance(value, float) else value,
        "png": lambda picture: f"{quote(files)}/{quote(picture.name)}.png",
    }
    return environment.get_template("page.html").render(
        runs=runs, sections=sections, missing=missing, numbers=NUMBERS, first_shown=15
    )
