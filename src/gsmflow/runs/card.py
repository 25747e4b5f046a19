"""The card of a model: ``README.md`` beside it, in the form that Hugging Face reads; front matter, then prose.

Class names and all else that comes from data are shown as code, so that no name is taken for a link, for HTML or for
the end of the front matter. The same model and record give the same card: there is no time in it and no path of a
machine.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PureWindowsPath
from typing import Any

import yaml

from ..data import EncoderRecord
from ..generators import Extensible
from ..model import ZeroShotModel

__all__ = ["IMAGE_TASK", "LIBRARY", "model_card"]

LIBRARY = "gsmflow"
IMAGE_TASK = "zero-shot-image-classification"
MEANINGS = {
    "T1": "unseen classes, choosing among these alone",
    "U": "unseen classes, choosing among all",
    "S": "seen classes, choosing among all",
    "H": "harmonic mean of U and S",
}
"""The numbers of a card; all are means of per-class accuracies in percent."""
EXTRAS = {"huggingface": "images", "onnx": "onnx", "sentence-transformers": "texts"}
"""What has to be installed for each kind of encoder."""
FLOWS = ("linear-flow", "gsmflow")
FIRST_NAMES = 20
"""So many names of seen classes, and of unseen ones, are listed."""
LONGEST = 80
"""Letters of a name that are shown."""


def model_card(model: ZeroShotModel, record: Mapping[str, Any] | None = None) -> str:
    """What ``README.md`` beside a model says.

    Args:
        model: as it is saved.
        record: the content of ``metrics.json``; numbers of another data set are left out.

    Example:
        >>> import gsmflow
        >>> result = gsmflow.train(gsmflow.load("synthetic"), "prototype")
        >>> print(model_card(result.model, result.record)[:95])
        ---
        library_name: gsmflow
        tags:
        - gsmflow
        - zero-shot-learning
        - generalized-zero-shot-learning
    """
    about = model.about
    if record is not None and record.get("fingerprint", about.fingerprint) != about.fingerprint:
        record = None
    record = record or {}
    front = yaml.safe_dump(front_matter(model, record), sort_keys=False, allow_unicode=True, width=1000)
    sections = [
        title(model),
        classes(model),
        use(model),
        training(model),
        choice(model, record),
        numbers(model, record),
        limits(model),
    ]
    return f"---\n{front}---\n\n" + "\n\n".join("\n".join(lines) for lines in sections) + "\n"


def front_matter(model: ZeroShotModel, record: Mapping[str, Any]) -> dict[str, Any]:
    """What machines read. There is no license: nobody told it."""
    about = model.about
    tags = [LIBRARY, "zero-shot-learning", "generalized-zero-shot-learning"]
    tags += ["normalizing-flow"] if about.settings.generator in FLOWS else []
    front: dict[str, Any] = {"library_name": LIBRARY}
    if about.encoder:  # of other features it is not known whether they are of pictures
        front["pipeline_tag"] = IMAGE_TASK
    front["tags"] = tags
    found = measured(record)
    if found:
        mark = " (selected on test)" if is_selected_on_test(model) else ""
        results = {
            "task": {"type": IMAGE_TASK if about.encoder else "zero-shot-classification"},
            "dataset": {"name": printable(about.dataset), "type": slug(about.dataset)},
            "metrics": [
                {"type": "accuracy", "name": f"{name}: {MEANINGS[name]}, in percent{mark}", "value": round(value, 1)}
                for name, value in found.items()
            ],
        }
        front["model-index"] = [{"name": printable(about.dataset) or LIBRARY, "results": [results]}]
    return front


def title(model: ZeroShotModel) -> list[str]:
    """What this is."""
    about, unseen = model.about, len(model.unseen)
    of = f"# {code(about.dataset)}: " if about.dataset else "# "
    what = "a picture" if about.encoder else "a feature vector"
    zero = f"{unseen} of them it was never shown: it knows these by their semantics alone." if unseen else ""
    return [
        f"{of}{len(model.seen)} seen and {unseen} unseen classes",
        "",
        f"A model of gsmflow for generalized zero-shot learning. It names the class of {what}, among "
        f"{len(model.class_names)}. {zero}".rstrip(),
    ]


def classes(model: ZeroShotModel) -> list[str]:
    """What it recognises."""
    lines = ["## Classes", ""]
    for kind, is_kind in (("Seen", model.is_seen), ("Unseen", ~model.is_seen)):
        names = [name for name, is_one in zip(model.class_names, is_kind.tolist(), strict=True) if is_one]
        lines.append(f"- {kind} ({len(names)}): {listed(names)}")
    if max(len(model.seen), len(model.unseen)) > FIRST_NAMES:
        lines += ["", "All of them: `gsmflow classes model.safetensors list`"]
    return lines


def listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    shown = ", ".join(map(code, names[:FIRST_NAMES])) or "none"
    return shown + (f" and {len(names) - FIRST_NAMES} more" if len(names) > FIRST_NAMES else "")


def use(model: ZeroShotModel) -> list[str]:
    """Lines that work beside the file."""
    about, k = model.about, min(5, len(model.class_names))
    extras = ",".join(sorted({EXTRAS[one.kind] for one in (about.encoder, about.text_encoder) if one}))
    given = "PICTURE.png" if about.encoder else "features.npy"
    if about.encoder and about.encoder.place:
        given += f" --encoder {shlex.quote(own_name(about.encoder))}"
    lines = ["## Use", "", "```sh", f"pip install '{LIBRARY}[{extras}]'" if extras else f"pip install {LIBRARY}"]
    lines.append(f"gsmflow predict model.safetensors {given} --top-k {k}")
    if isinstance(model.generator, Extensible) and about.recognizer != "softmax":
        by = '--description "WORDS"' if about.text_encoder else "--attributes NUMBERS"
        lines.append(f"gsmflow classes model.safetensors add NAME {by}")
    return [
        *lines,
        "```",
        "",
        "```python",
        "import gsmflow",
        "import numpy as np",
        "",
        'model = gsmflow.load_model("model.safetensors")',
        f'features = np.load("features.npy")  # (n, {model.dim})',
        f"names, probabilities = model.top_k(features, k={k})",
        "```",
    ]


def training(model: ZeroShotModel) -> list[str]:
    """What it was trained on, and the encoders that it needs."""
    about, source = model.about, model.about.provenance
    features, semantics = (source.features, source.semantics) if source else ("", "")
    rows = [("data set", code(about.dataset))] if about.dataset else []
    rows += [
        ("features", f"{code(features)}, {model.dim} dimensions" if features else f"{model.dim} dimensions"),
        ("semantics of a class", f"{code(semantics)}, {model.semantic_dim} numbers" if semantics else "unknown"),
    ]
    if source and source.files:
        rows.append(("files", listed(source.files)))
    if source:
        rows += [("note", code(note)) for note in source.notes]
    if about.fingerprint:
        rows.append(("SHA-256 of the data", code(about.fingerprint)))
    encoders = [
        *encoder("pictures", "features", about.encoder, "--encoder"),
        *encoder("words", "semantics", about.text_encoder, "--text-encoder"),
    ]
    return ["## Trained on", "", *facts(rows), *encoders]


def encoder(what: str, gives: str, record: EncoderRecord | None, option: str) -> list[str]:
    """An encoder, and how to get it."""
    if record is None:
        return [f"- Encoder of {what}: not known; {gives} are given as numbers."]
    revision = f", revision {code(record.revision)}" if record.revision else ""
    told = f"- Encoder of {what}: {code(own_name(record))} ({record.kind}, {record.dim} dimensions, SHA-256 "
    told += f"{code(record.sha256)}{revision})."
    steps = "; ".join(f"{key} {value}" for key, value in record.preprocessing.items())
    told += f" Before it: {code(steps, 400)}." if steps else ""
    if record.place:
        told += (
            f" It was a file or folder of its own: get it from who published this model, and give it with `{option}`."
        )
    else:
        told += f" It is fetched by its name; one that lies elsewhere is given with `{option}`."
    return [told + " Another one is refused."]


def own_name(record: EncoderRecord) -> str:
    """The name of an encoder; of one that lay in a folder without the path, which is that of another machine."""
    return printable(PureWindowsPath(record.name).name if record.place else record.name)


def choice(model: ZeroShotModel, record: Mapping[str, Any]) -> list[str]:
    """By which protocol it was chosen, and what."""
    about = model.about
    rows = [
        ("protocol", code(about.protocol) if about.protocol else "unknown"),
        ("chosen on", code(about.selected_on) if about.selected_on else "unknown"),
        ("generator", code(about.settings.generator)),
        ("recognizer", code(about.recognizer)),
        ("calibration constant", f"{about.constant:.4g}, subtracted from the scores of seen classes"),
        ("seed", str(about.settings.seed)),
        ("gsmflow", code(about.version)),
    ]
    chosen = record.get("chosen")
    if isinstance(chosen, Mapping):
        found = [(key, chosen.get(key)) for key in ("closed_form", "choice", "grid")]
        rows += [
            (f"chosen: {key.replace('_', ' ')}", code(", ".join(f"{name} {short(one)}" for name, one in value.items())))
            for key, value in found
            if isinstance(value, Mapping) and value
        ]
    return ["## How it was chosen", "", *facts(rows)]


def numbers(model: ZeroShotModel, record: Mapping[str, Any]) -> list[str]:
    """What was measured, and what is only estimated; each with its meaning."""
    lines = ["## Numbers", "", "All are means of per-class accuracies in percent.", ""]
    found, guessed = measured(record), estimated(record)
    if has_other_classes(model, record):
        lines += ["**Classes were added or removed since: these numbers are of the model before.**", ""]
    if found and is_selected_on_test(model):
        lines += ["**Selected on test: the test sets chose the model, these numbers are too good.**", ""]
    if found:
        rows = [(name, f"{value:.1f}", MEANINGS[name]) for name, value in found.items()]
        lines += ["Measured on test samples:", "", *table(("", "measured", "meaning"), rows), ""]
    if guessed:
        folds = record["estimate"].get("folds")
        lines += [
            "The validated estimate, **which is an estimate and no measurement on test samples**: seen classes were "
            f"taken for unseen ones, in {folds if is_number(folds) else 'several'} folds, and the model was chosen on "
            "these, among fewer classes than it has: both flatter. The interval is the 95 % interval over folds.",
            "",
            *table(
                ("", "estimate", "interval", "meaning"), [(name, *guessed[name], MEANINGS[name]) for name in guessed]
            ),
            "",
        ]
    if not found and not guessed:
        lines += ["None is known: nothing was measured on test samples.", ""]
    elif not found:
        lines += ["Nothing was measured on test samples: there are none.", ""]
    return lines[:-1]


def limits(model: ZeroShotModel) -> list[str]:
    """What it cannot do."""
    about = model.about
    lines = [
        "## Limits",
        "",
        "- It always names one of its classes, also for what is none of them"
        + (f"; with `--reject auto` {about.rejection}." if about.rejection else "."),
        "- Probabilities are a softmax of the scores less the calibration constant"
        + (
            f", softened so that they are right as often as they say on pseudo-unseen classes (temperature "
            f"{about.temperature:.4g}, tail {about.tail:g})."
            if (about.temperature, about.tail) != (1.0, 0.0)
            else ". The constant was chosen to balance seen against unseen classes, not to make probabilities right as "
            "often as they say."
        ),
    ]
    if len(model.unseen):
        lines.append("- An unseen class is known by its semantics alone: what these do not say it cannot tell apart.")
    if about.encoder:
        lines.append("- The encoder of pictures may have met the unseen classes when it was trained itself.")
    lines.append(
        "- No license is stated here: who publishes the model adds `license:` above, and thinks of the data's."
    )
    return lines


def measured(record: Mapping[str, Any]) -> dict[str, float]:
    """Those of T1, U, S, H that were measured."""
    return {name: float(record[name]) for name in MEANINGS if is_number(record.get(name))}


def estimated(record: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Mean and interval, in words, of those of T1, U, S, H that were estimated; of one fold there is no interval."""
    estimate, found = record.get("estimate"), {}
    for name in MEANINGS:
        one = estimate.get(name) if isinstance(estimate, Mapping) else None
        if isinstance(one, Mapping) and is_number(one.get("mean")):
            low, high = one.get("low"), one.get("high")
            is_interval = is_number(low) and is_number(high)
            found[name] = (f"{one['mean']:.1f}", f"{low:.1f} to {high:.1f}" if is_interval else "none, of one fold")
    return found


def is_number(value: Any) -> bool:
    """Whether this is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_selected_on_test(model: ZeroShotModel) -> bool:
    """Whether the test sets chose the model."""
    return model.about.protocol == "published"


def has_other_classes(model: ZeroShotModel, record: Mapping[str, Any]) -> bool:
    """Whether the model had other classes when its numbers were found, as far as these tell."""
    per_class, counted = record.get("per_class"), record.get("classes")
    now = {"seen": len(model.seen), "unseen": len(model.unseen)}
    is_gone = isinstance(per_class, Mapping) and not set(per_class) <= set(model.class_names)
    return is_gone or (isinstance(counted, Mapping) and dict(counted) != now)


def facts(rows: Iterable[tuple[str, str]]) -> list[str]:
    """What is known, a line each."""
    return [f"- {name}: {value}" for name, value in rows]


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table of Markdown, of words that hold no bar."""
    return [f"| {' | '.join(line)} |" for line in (header, ["---"] * len(header), *rows)]


def code(text: str, longest: int = LONGEST) -> str:
    """Text as code: Markdown takes nothing in it for a link, for HTML or for mathematics."""
    text = printable(text)
    text = (text if len(text) <= longest else f"{text[: longest - 1]}…") or " "
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    room = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{room}{text}{room}{fence}"


def printable(text: str) -> str:
    """Text in one line, without characters that cannot be seen."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(str(text).split()))


def short(value: Any) -> str:
    """A number in few digits, anything else as it is."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def slug(name: str) -> str:
    """A name as a hub takes it for that of a data set."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "data"
