"""All tables of a comparison in their order: for the terminal, and as a page of Markdown to be pasted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..runs import versions
from ..selection import PROTOCOLS
from .cells import Finished
from .shots import shows_shots
from .tables import (
    ESTIMATES,
    class_splits_of,
    estimate_rows,
    evidence_of,
    method_rows,
    notes_on,
    paired_rows,
    protocol_rows,
    title_of,
)

__all__ = ["Section", "Table", "comparison_page", "sections", "what_counts"]


@dataclass(frozen=True)
class Table:
    """Rows under a header, and a title over them where the section's does not say it all."""

    header: list[str]
    rows: list[list[str]]
    title: str = ""


@dataclass(frozen=True)
class Section:
    """What is compared with each other: one kind of evidence, one protocol."""

    title: str
    tables: list[Table]
    notes: list[str] = field(default_factory=list)


def sections(records: Sequence[Finished]) -> Iterator[Section]:
    """The sections of a comparison: inductive, transductive and few-shot, and what choosing on test seems to give."""
    unit = "class splits" if class_splits_of(records) > 1 else "seeds"
    for evidence in evidence_of(records):
        for protocol in PROTOCOLS:
            header, rows = method_rows(records, protocol, evidence)
            if not rows:
                continue
            tables = [Table(header, rows)]
            if evidence == "none":
                tables.append(Table(*estimate_rows(records, protocol), ESTIMATES))
            tables.append(Table(*paired_rows(records, protocol, evidence), f"paired over {unit}, with 95 % intervals"))
            notes = notes_on(records, protocol, evidence)
            title = title_of(records, protocol, evidence)
            yield Section(title, [table for table in tables if table.rows], notes)
    header, rows = protocol_rows(records)
    if rows:
        note = "Selected on test, H has no calibration constant, as published; H_raw compares like with like."
        yield Section("What choosing on the test sets seems to give", [Table(header, rows)], [note])


def what_counts(records: Sequence[Finished]) -> str:
    """What means, deviations and intervals of the tables are over."""
    splits = class_splits_of(records)
    if splits == 1:
        return "Mean ± standard deviation over seeds, in percent; intervals are bootstrap intervals of the mean."
    return (
        f"Mean ± standard deviation over {splits} class splits, in percent: which classes are unseen is drawn anew, "
        "the official choice is one of them, and the mean over the seeds of each counts once; intervals are bootstrap "
        "intervals of the mean over class splits."
    )


def comparison_page(records: Sequence[Finished]) -> str:
    """All tables of a comparison as one page of Markdown."""
    if not records:
        return "No cell is finished.\n"
    first = records[0]
    parts = [f"# {first.dataset} ({first.features}, {first.semantics})", what_counts(records)]
    for section in sections(records):
        parts.append(f"## {section.title}")
        for table in section.tables:
            parts += [f"### {table.title}"] if table.title == ESTIMATES else []
            parts.append(markdown(table))
        parts += section.notes
    if any(record.evidence == "none" for record in records):
        parts += ["![H with intervals](comparison.png)"]
    if shows_shots(records):
        parts += ["![T1 and H against the number of labelled pictures](shots.png)"]
    parts += ["Made with " + ", ".join(f"{name} {version}" for name, version in versions().items()) + "."]
    return "\n\n".join(parts) + "\n"


def markdown(table: Table) -> str:
    """A table in Markdown."""
    lines = [table.header, ["---"] * len(table.header), *table.rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
