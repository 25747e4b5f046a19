"""Results as tables: for the terminal, and as Markdown to be pasted."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ..evaluation.replicates import Paired, Summary, paired, summarize
from ..runs import versions
from ..selection import PROTOCOLS
from .cells import Finished

__all__ = [
    "ESTIMATES",
    "comparison_page",
    "estimate_rows",
    "grouped",
    "markdown",
    "method_rows",
    "paired_rows",
    "protocol_rows",
    "title_of",
]

Row = list[str]
NUMBERS = ("T1", "U", "S", "H", "H_raw", "AUSUC")
ESTIMATED = ("T1", "U", "S", "H")
ESTIMATES = "ESTIMATES on pseudo-unseen classes; no test has measured them"
"""Over the table of estimates."""


def grouped(records: Sequence[Finished], protocol: str) -> dict[str, list[Finished]]:
    """The records of one protocol by method, in the order in which they were planned.

    A method that was run with several recognizers is named with each.
    """
    asked: dict[str, set[str]] = {}
    for record in records:
        asked.setdefault(record.method, set()).add(record.asked)
    groups: dict[str, list[Finished]] = {}
    for record in records:
        name = f"{record.method} ({record.asked})" if len(asked[record.method]) > 1 else record.method
        if record.protocol == protocol:
            groups.setdefault(name, []).append(record)
    return groups


def title_of(records: Sequence[Finished], protocol: str) -> str:
    """Over the table of a protocol: how it chose, and whether there was a test."""
    title = PROTOCOLS[protocol].title
    has_tests = any(record.test_reads for record in records if record.protocol == protocol)
    return title if has_tests else f"{title.partition(',')[0]}; there are no test samples"


def mean_sd(found: Summary) -> str:
    """Mean ± standard deviation, to one decimal; a dash where nothing was measured."""
    if math.isnan(found.mean):
        return "-"
    return f"{found.mean:.1f}" if math.isnan(found.sd) else f"{found.mean:.1f}±{found.sd:.1f}"


def interval(found: Summary) -> str:
    """The bootstrap interval, to one decimal."""
    return "" if math.isnan(found.low) else f"{found.low:.1f} to {found.high:.1f}"


def method_rows(records: Sequence[Finished], protocol: str) -> tuple[Row, list[Row]]:
    """A row a method: mean ± standard deviation of each number over seeds, the interval of H, seconds a cell."""
    rows = []
    for name, group in grouped(records, protocol).items():
        found = {number: summarize([getattr(record, number) for record in group]) for number in NUMBERS}
        seconds = sorted(record.seconds for record in group)[len(group) // 2]
        numbers = [mean_sd(found[number]) for number in NUMBERS]
        rows.append([name, *numbers, interval(found["H"]), str(len(group)), f"{seconds:.0f}"])
    return ["method", *NUMBERS, "95 % of H", "seeds", "s"], rows


def estimate_rows(records: Sequence[Finished], protocol: str) -> tuple[Row, list[Row]]:
    """A row a method of what validation lets expect; no rows where the tests have measured H, or nothing was validated.

    Means ± standard deviation over seeds; the interval is the mean over seeds of those over folds.
    """
    rows = []
    for name, group in grouped(records, protocol).items():
        known = [record for record in group if math.isnan(record.H) and record.estimate]
        if not known:
            continue
        found = [mean_sd(summarize([record.estimated(number) for record in known])) for number in ESTIMATED]
        intervals = [record.estimate["H"] for record in known if record.estimate]
        low, high = ([one[end] for one in intervals if one[end] is not None] for end in ("low", "high"))
        between = f"{sum(low) / len(low):.1f} to {sum(high) / len(high):.1f}" if low else ""
        rows.append([name, *found, between, str(len(known))])
    return ["estimate", *ESTIMATED, "95 % of H, over folds", "seeds"], rows


def paired_rows(records: Sequence[Finished], protocol: str) -> tuple[Row, list[Row]]:
    """Each method less the first, over the same seeds, and on validation over the same seeds and folds."""
    groups = grouped(records, protocol)
    first = next(iter(groups), "")
    header = [f"less {first}", "T1", "H", "wins / losses in H"]
    if protocol == "validated":
        header.append("H on validation folds")
    rows = []
    for name, group in list(groups.items())[1:]:
        t1, h = (pairs(group, groups[first], number, by_seed) for number in ("T1", "H"))
        row = [name, difference(t1), difference(h), f"{h.wins} / {h.losses}" if h else ""]
        if protocol == "validated":
            row.append(difference(pairs(group, groups[first], "H", by_fold)))
        rows.append(row)
    return header, rows


def protocol_rows(records: Sequence[Finished]) -> tuple[Row, list[Row]]:
    """What choosing on the test sets seems to give: each method's published less its validated numbers."""
    honest = grouped(records, "validated")
    rows = [
        [name, *(difference(pairs(group, honest[name], number, by_seed)) for number in ("T1", "H", "H_raw"))]
        for name, group in grouped(records, "published").items()
        if name in honest
    ]
    return ["selected on test less validated", "T1", "H", "H_raw"], rows


def by_seed(record: Finished, name: str) -> dict[Any, float]:
    """One number of a record by its seed; nothing where it was not measured."""
    value = getattr(record, name)
    return {} if math.isnan(value) else {record.seed: value}


def by_fold(record: Finished, name: str) -> dict[Any, float]:
    """H on each validation fold of a record, by seed and fold."""
    return {(record.seed, fold): h for fold, h in record.chosen["validation_H_by_fold"].items()}


def pairs(
    one: Sequence[Finished], other: Sequence[Finished], name: str, by: Callable[[Finished, str], dict[Any, float]]
) -> Paired | None:
    """One group less the other in one number, pair by pair."""
    a, b = ({key: value for record in group for key, value in by(record, name).items()} for group in (one, other))
    return paired(a, b)


def difference(found: Paired | None) -> str:
    """A mean difference with its interval."""
    if found is None:
        return "no pairs"
    d = found.difference
    return f"{d.mean:+.1f}" if math.isnan(d.low) else f"{d.mean:+.1f} ({d.low:+.1f} to {d.high:+.1f})"


def markdown(header: Row, rows: list[Row]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def comparison_page(records: Sequence[Finished]) -> str:
    """All tables of a comparison as one page of Markdown."""
    if not records:
        return "No cell is finished.\n"
    first = records[0]
    parts = [
        f"# {first.dataset} ({first.features}, {first.semantics})",
        "Mean ± standard deviation over seeds, in percent; intervals are bootstrap intervals of the mean.",
    ]
    for protocol in PROTOCOLS.values():
        header, rows = method_rows(records, protocol.name)
        if rows:
            parts += [f"## {title_of(records, protocol.name)}", markdown(header, rows)]
            header, rows = estimate_rows(records, protocol.name)
            parts += [f"### {ESTIMATES}", markdown(header, rows)] if rows else []
            header, rows = paired_rows(records, protocol.name)
            parts += [markdown(header, rows)] if rows else []
    header, rows = protocol_rows(records)
    if rows:
        parts += ["## What choosing on the test sets seems to give", markdown(header, rows)]
        parts += ["Selected on test, H has no calibration constant, as published; H_raw compares like with like."]
    parts += ["![H with intervals](comparison.png)"]
    parts += ["Made with " + ", ".join(f"{name} {version}" for name, version in versions().items()) + "."]
    return "\n\n".join(parts) + "\n"
