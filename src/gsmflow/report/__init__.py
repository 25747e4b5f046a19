"""The report of a run, or of several side by side: one page that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..data import ZeroShotDataset
from ..errors import InputError
from ..files import write_atomically
from ..generators import Sampler
from ..overrides import flat, plain
from ..selection import used_sections
from .drawings import draw_confusion, draw_curves, draw_judging, draw_losses
from .facts import NUMBERS, Facts, class_rows, read_facts
from .learning import judgings, losses
from .picture import Picture, to_png, to_svg
from .probe import Probe, load_data, probe

__all__ = ["write_report"]

ABSENT = object()
DIAGNOSTIC = "On test features of unseen classes: diagnostics, computed after the run was final; they chose nothing."
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
        raise InputError("Several runs side by side need no data: drop --data-root, or report one run at a time.")
    page = Path(out) if out else (runs[0].folder if len(runs) == 1 else Path()) / "report.html"
    check_place(page)
    files = page.with_name(f"{page.stem}-files")
    missing: list[str] = []
    sections = of_one(runs[0], data_root, dataset, missing) if len(runs) == 1 else of_several(runs)
    for sentence in missing:
        say(sentence)
    pictures = [picture for section in sections for picture in section.pictures]
    html = render(runs, sections, missing, files.name).encode()
    pngs = {picture.name: to_png(picture) for picture in pictures}
    try:
        files.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"Could not make the folder {files}: {error.strerror}; choose another --out.") from error
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
        raise InputError(f"--out must be a file that ends in .html; found {page}.")
    if page.is_dir():
        raise InputError(f"{page} is a folder; choose another --out.")


def of_one(
    run: Facts, data_root: str | Path | None, dataset: ZeroShotDataset | None, missing: list[str]
) -> list[Section]:
    """All sections of the report of one run; what cannot be shown is told in ``missing``."""
    found = None
    try:
        dataset = dataset or load_data(run.config, str(data_root) if data_root else None)
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
        Section("result", "Result", template="result", run=(run, found.ausuc if found else None)),
        training_section(run),
        *of_tests(run, missing),
        *(of_data(run, found, missing) if found else []),
        Section("settings", "Settings and provenance", template="settings", run=run),
    ]
    return sections


def of_tests(run: Facts, missing: list[str]) -> list[Section]:
    """The sections that need test samples of which the run folder tells."""
    sections = []
    if len(run.curve.constants):
        sections.append(Section("curve", "Seen-unseen curve", pictures=(draw_curves([run]),)))
    else:
        missing.append("There is no seen-unseen curve: a test set is empty.")
    if len(run.confusions):
        sections.append(Section("classes", "Classes, worst first", template="classes", run=class_rows(run)))
        sections.append(Section("confusion", "Confusion", pictures=(draw_confusion(run),)))
    else:
        missing.append("Nothing is told of single classes: there are no test samples.")
    return sections


def training_section(run: Facts) -> Section:
    """Losses and what was judged."""
    pictures = []
    terms = losses(run.history)
    if terms:
        pictures.append(draw_losses(last_phases(terms)))
    stages = judgings(run.history)
    pictures += [draw_judging(judging, f"judged-{place + 1}") for place, judging in enumerate(stages)]
    words = () if terms else ("The generator is a closed form, fitted in one go: there is no loss by step.",)
    phases = {phase for lines in terms.values() for phase in lines}
    if len(phases) > LOSSES_SHOWN:
        words = (f"Of {len(phases)} phases the losses of the last {LOSSES_SHOWN} are drawn.",)
    return Section("training", "Training and choice", words, tuple(pictures))


def last_phases(terms: dict[str, Any]) -> dict[str, Any]:
    """The loss terms of the last phases, the final model among them."""
    phases = list(dict.fromkeys(phase for lines in terms.values() for phase in lines))[-LOSSES_SHOWN:]
    return {term: {p: points for p, points in lines.items() if p in phases} for term, lines in terms.items()}


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
    if found.generated:
        numbers = {row.name: row.row for row in class_rows(run)}
        pictures = draw_maps(found.generated, names, [numbers[name] for name in names])
        unseen = [(numbers[names[k]], names[k]) for k in run.unseen]
        sections.append(Section("map", "Map of unseen classes", (DIAGNOSTIC,), tuple(pictures), "numbers", unseen))
        picture = draw_reliability(found)
        sections.append(Section("shifts", "Generation shifts", (DIAGNOSTIC,), (picture,), "shifts", shifts(found)))
    elif not len(found.dataset.test_unseen):
        missing.append("There is no map and no generation shifts: no unseen class has a test sample.")
    elif isinstance(found.model.generator, Sampler):
        missing.append("There is no map and no generation shifts: what the model generates is not finite.")
    else:
        missing.append("There is no map and no generation shifts: this model generates no features.")
    return sections


def of_several(runs: list[Facts]) -> list[Section]:
    """All sections of the report of several runs: side by side first, then a part for each."""
    overlaid = [draw_curves(runs, "curves")]
    final = last_losses(runs)
    overlaid += [draw_losses(final, "losses")] if final else []
    sections = [
        Section("result", "Result", template="results", run=runs),
        Section("curves", "Side by side", pictures=tuple(overlaid)),
        Section("differing", "What differs", template="differing", run=(runs, differing(runs))),
    ]
    for place, run in enumerate(runs, 1):
        stages = judgings(run.history)
        pictures = [draw_judging(judging, f"run-{place}-judged-{i + 1}") for i, judging in enumerate(stages)]
        pictures.append(draw_confusion(run, f"run-{place}-confusion"))
        sections.append(Section(f"run-{place}", run.name, (), tuple(pictures), "classes", class_rows(run)))
    return sections


def last_losses(runs: Sequence[Facts]) -> dict[str, Any]:
    """The loss terms of each run's last phase, by term and run."""
    terms: dict[str, Any] = {}
    for run in runs:
        for term, lines in losses(run.history).items():
            terms.setdefault(term, {})[run.name] = list(lines.values())[-1]
    return terms


def differing(runs: Sequence[Facts]) -> dict[str, list[str]]:
    """What was asked of the runs and is not the same for all that use it, by dotted key; "" for those that do not."""
    asked = [{key: value for key, value in flat(plain(run.config)).items() if uses(run, key)} for run in runs]
    keys = dict.fromkeys(key for one in asked for key in one)
    values = {key: [one.get(key, ABSENT) for one in asked] for key in keys}
    return {
        key: ["" if value is ABSENT else str(value) for value in found]
        for key, found in values.items()
        if len({str(value) for value in found if value is not ABSENT}) > 1
    }


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
