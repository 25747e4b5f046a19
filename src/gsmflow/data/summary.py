"""A data set in a table, as ``gsmflow data check`` shows it."""

from __future__ import annotations

from typing import Any

import numpy as np

from .dataset import ZeroShotDataset
from .rows import chunks

__all__ = ["summarize"]


def summarize(data: ZeroShotDataset) -> dict[str, str]:
    """What there is, in words and numbers, beside the notes and the warnings."""
    p = data.provenance
    splits = {"trainval": data.trainval, "test_seen": data.test_seen, "test_unseen": data.test_unseen}
    summary = {
        "layout": f"{p.layout} ({', '.join(p.files)})" if p.files else p.layout,
        "classes": f"{data.num_classes}: {len(data.seen)} seen, {len(data.unseen)} unseen",
        "features": f"{p.features}, {data.dim} dimensions, {span(data.features)}",
        "semantics": f"{p.semantics}, {data.semantic_dim} dimensions, {span(data.semantics)}",
    }
    for name, rows in splits.items():
        counts = np.bincount(data.labels[rows])
        counts = counts[counts > 0]
        if not len(rows):
            summary[name] = "no samples"
            continue
        summary[name] = (
            f"{len(rows)} samples of {len(counts)} classes, "
            f"{counts.min()} / {np.median(counts):g} / {counts.max()} a class (least / median / most)"
        )
    unused = len(data.features) - len(np.unique(np.concatenate(list(splits.values()))))
    if unused:
        summary["in no split"] = f"{unused} samples"
    summary["fingerprint"] = data.fingerprint()[:16]
    return summary


def span(array: Any) -> str:
    """Least and greatest value, and the share of zeros where it is large; of an array or of `Rows`."""
    found = [(chunk.min(), chunk.max(), (chunk == 0).sum()) for chunk in chunks(array)]
    least, most, zeros = zip(*found, strict=True)
    text = f"values {min(least):.4g} to {max(most):.4g}"
    share = sum(zeros) / array.size
    return f"{text}, {share:.0%} zeros" if share > 0.01 else text
