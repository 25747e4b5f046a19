"""Results as rows of tables; tables of different evidence are never mixed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..evaluation.replicates import Paired, Summary, paired, summarize
from ..evidence import RIVALS, parse
from ..selection import PROTOCOLS
from .cells import Finished

__all__ = [
    "ESTIMATES",
    "class_splits_of",
    "estimate_rows",
    "evidence_of",
    "grouped",
    "mean_sd",
    "method_rows",
    "notes_on",
    "paired_rows",
    "protocol_rows",
    "replicates",
    "summary_of",
    "title_of",
]

Row = list[str]
Key = tuple[int, ...]
NUMBERS = ("T1", "U", "S", "H", "H_raw", "AUSUC")
MEASURED = ("T1", "U", "S", "H")
ESTIMATES = "ESTIMATES on pseudo-unseen classes; no test has measured them"
"""Over the table of estimates."""


def evidence_of(records: Sequence[Finished]) -> list[str]:
    """The kinds of evidence in some records: none first, shots in the order of their number."""
    kinds = [parse(text) for text in dict.fromkeys(record.evidence for record in records)]
    order = ("none", "unlabelled", "shots")
    return [str(kind) for kind in sorted(kinds, key=lambda kind: (order.index(kind.kind), kind.shots))]


def class_splits_of(records: Sequence[Finished]) -> int:
    """How many class splits there are in some records."""
    return len({record.class_split for record in records})


def grouped(records: Sequence[Finished], protocol: str, evidence: str = "none") -> dict[str, list[Finished]]:
    """The records of one protocol and one kind of evidence by method, in the order in which they were planned, methods
    before rivals.

    A method that was run with several recognizers is named with each; a rival that is called as a method is named so.
    """
    asked: dict[str, set[str]] = {}
    for record in records:
        if not record.is_rival:
            asked.setdefault(record.method, set()).add(record.asked)
    groups: dict[str, list[Finished]] = {}
    for record in sorted(records, key=lambda record: record.is_rival):
        if record.is_rival:
            name = f"{record.method} (rival)" if record.method in asked else record.method
        else:
            name = f"{record.method} ({record.asked})" if len(asked[record.method]) > 1 else record.method
        if (record.protocol, record.evidence) == (protocol, evidence):
            groups.setdefault(name, []).append(record)
    return groups


def title_of(records: Sequence[Finished], protocol: str, evidence: str = "none") -> str:
    """Over the table of a protocol and a kind of evidence: what methods had, how they chose, whether there was a test,
    and over how many class splits."""
    here = [record for record in records if (record.protocol, record.evidence) == (protocol, evidence)]
    kind, title = parse(evidence), PROTOCOLS[protocol].title
    if not any(record.test_reads for record in here):
        title = f"{title.partition(',')[0]}; there are no test samples"
    shots = f" with {kind.shots} labelled picture{'s' * (kind.shots > 1)} a class" if kind.shots else ""
    splits = class_splits_of(records)
    return f"{kind.title}{shots}, {title}" + (f", over {splits} class splits" if splits > 1 else "")


def mean_sd(found: Summary) -> str:
    """Mean ± standard deviation, to one decimal; a dash where nothing was measured."""
    if math.isnan(found.mean):
        return "-"
    return f"{found.mean:.1f}" if math.isnan(found.sd) else f"{found.mean:.1f}±{found.sd:.1f}"


def interval(found: Summary) -> str:
    """The bootstrap interval, to one decimal."""
    return "" if math.isnan(found.low) else f"{found.low:.1f} to {found.high:.1f}"


def replicates(values: Mapping[Key, float], *, over_splits: bool) -> dict[Key, float]:
    """What counts once in means and intervals: a seed, or over class splits each one's mean over its seeds.

    Args:
        values: by class split, seed and perhaps fold.
        over_splits: whether there are several class splits.
    """
    if not over_splits:
        return dict(values)
    by_split: dict[Key, list[float]] = {}
    for key, value in values.items():
        by_split.setdefault(key[:1], []).append(value)
    return {key: float(np.mean(parts)) for key, parts in by_split.items()}


def summary_of(group: Sequence[Finished], name: str, *, over_splits: bool, estimated: bool = False) -> Summary:
    """Mean, standard deviation and interval of a number over what counts once: measured, or let expect by folds."""
    values = {
        (record.class_split, record.seed): record.estimated(name) if estimated else getattr(record, name)
        for record in group
    }
    return summarize(list(replicates(values, over_splits=over_splits).values()))


def unit_of(records: Sequence[Finished]) -> str:
    """What counts once, as a heading of a column."""
    return "class splits" if class_splits_of(records) > 1 else "seeds"


def count_of(group: Sequence[Finished], *, over_splits: bool) -> str:
    """How many of what counts once."""
    return str(class_splits_of(group) if over_splits else len(group))


def method_rows(records: Sequence[Finished], protocol: str, evidence: str = "none") -> tuple[Row, list[Row]]:
    """A row a method: mean ± standard deviation of each number over seeds, or over class splits; the interval of H,
    seconds a cell.

    With evidence, seconds are those of the measurement, and where it was refused there is a word instead of numbers.
    """
    numbers = NUMBERS if evidence == "none" else MEASURED
    over_splits = class_splits_of(records) > 1
    rows = []
    for name, whole in grouped(records, protocol, evidence).items():
        group = [record for record in whole if not record.refusal]
        if not group:
            word = "too few" if all(record.refusal.startswith("too few") for record in whole) else "cannot"
            rows.append([name, *[word] * len(numbers), "", "0", ""])
            continue
        found = {number: summary_of(group, number, over_splits=over_splits) for number in numbers}
        seconds = sorted(record.seconds for record in group)[len(group) // 2]
        count = count_of(group, over_splits=over_splits)
        cells = [mean_sd(found[number]) for number in numbers]
        rows.append([name, *cells, interval(found["H"]), count, f"{seconds:.{0 if evidence == 'none' else 1}f}"])
    return ["method", *numbers, "95 % of H", unit_of(records), "s"], rows


def notes_on(records: Sequence[Finished], protocol: str, evidence: str) -> list[str]:
    """What a reader of a table with evidence must know: what was refused and why, and what models said.

    Of a method that says several things, the first stands for all; methods that say the same say it once.
    """
    told: dict[str, list[str]] = {}
    for name, group in grouped(records, protocol, evidence).items():
        said = [[record.refusal for record in group], [record.sentence for record in group if not record.is_rival]]
        for sentences in ([one for one in each if one] for each in said):
            if sentences:
                some = f" ({len(sentences)} of {len(group)} cells)" if len(sentences) < len(group) else ""
                told.setdefault(sentences[0], []).append(f"{name}{some}")
    if parse(evidence).shots:
        seeing = [name for name, group in grouped(records, protocol, evidence).items() if sees_queries(group[0])]
        told |= {"all test pictures are seen at once beside the labelled ones": seeing} if seeing else {}
    return [f"{', '.join(names)}: {sentence}" for sentence, names in told.items()]


def sees_queries(record: Finished) -> bool:
    """Whether it is a rival that looks at all test pictures together, so that it knows more than the others."""
    return record.is_rival and not record.refusal and RIVALS[record.method].sees_queries


def estimate_rows(records: Sequence[Finished], protocol: str) -> tuple[Row, list[Row]]:
    """A row a method of what validation lets expect; no rows where the tests have measured H, or nothing was validated.

    Means ± standard deviation over seeds, or over class splits; the interval is the mean over runs of those over folds.
    """
    over_splits = class_splits_of(records) > 1
    rows = []
    for name, group in grouped(records, protocol).items():
        known = [record for record in group if math.isnan(record.H) and record.estimate]
        if not known:
            continue
        found = [mean_sd(summary_of(known, number, over_splits=over_splits, estimated=True)) for number in MEASURED]
        intervals = [record.estimate["H"] for record in known if record.estimate]
        low, high = ([one[end] for one in intervals if one[end] is not None] for end in ("low", "high"))
        between = f"{sum(low) / len(low):.1f} to {sum(high) / len(high):.1f}" if low else ""
        rows.append([name, *found, between, count_of(known, over_splits=over_splits)])
    return ["estimate", *MEASURED, "95 % of H, over folds", unit_of(records)], rows


def paired_rows(records: Sequence[Finished], protocol: str, evidence: str = "none") -> tuple[Row, list[Row]]:
    """Each method less the first, over the same seeds or class splits, and on validation over their folds."""
    groups = grouped([record for record in records if not record.refusal], protocol, evidence)
    over_splits = class_splits_of(records) > 1
    first = next(iter(groups), "")
    header = [f"less {first}", "T1", "H", "wins / losses in H"]
    has_folds = protocol == "validated" and evidence == "none"
    if has_folds:
        header.append("H on validation folds")
    rows = []
    for name, group in list(groups.items())[1:]:
        t1, h = (pairs(group, groups[first], number, by_seed, over_splits=over_splits) for number in ("T1", "H"))
        row = [name, difference(t1), difference(h), f"{h.wins} / {h.losses}" if h else ""]
        if has_folds:
            row.append(difference(pairs(group, groups[first], "H", by_fold, over_splits=over_splits)))
        rows.append(row)
    return header, rows


def protocol_rows(records: Sequence[Finished]) -> tuple[Row, list[Row]]:
    """What choosing on the test sets seems to give: each method's published less its validated numbers."""
    honest, numbers = grouped(records, "validated"), ("T1", "H", "H_raw")
    over_splits = class_splits_of(records) > 1
    rows = [
        [name, *(difference(pairs(group, honest[name], n, by_seed, over_splits=over_splits)) for n in numbers)]
        for name, group in grouped(records, "published").items()
        if name in honest
    ]
    return ["selected on test less validated", *numbers], rows


def by_seed(record: Finished, name: str) -> dict[Key, float]:
    """One number of a record by its class split and seed; nothing where it was not measured."""
    value = getattr(record, name)
    return {} if math.isnan(value) else {(record.class_split, record.seed): value}


def by_fold(record: Finished, name: str) -> dict[Key, float]:
    """H on each validation fold of a record, by class split, seed and fold."""
    by_fold: Mapping[Any, float] = record.chosen["validation_H_by_fold"]
    return {(record.class_split, record.seed, int(fold)): h for fold, h in by_fold.items()}


def pairs(
    one: Sequence[Finished],
    other: Sequence[Finished],
    name: str,
    by: Callable[[Finished, str], dict[Key, float]],
    *,
    over_splits: bool,
) -> Paired | None:
    """One group less the other in one number, pair by pair; over class splits, each one's mean pair counts once."""
    a, b = ({key: value for record in group for key, value in by(record, name).items()} for group in (one, other))
    both = a.keys() & b.keys()
    a, b = (
        replicates({key: value for key, value in values.items() if key in both}, over_splits=over_splits)
        for values in (a, b)
    )
    return paired(a, b)


def difference(found: Paired | None) -> str:
    """A mean difference with its interval."""
    if found is None:
        return "no pairs"
    d = found.difference
    return f"{d.mean:+.1f}" if math.isnan(d.low) else f"{d.mean:+.1f} ({d.low:+.1f} to {d.high:+.1f})"
