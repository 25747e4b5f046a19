"""Run every benchmark and write docs/benchmarks.md: ``make bench``."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.harness import THREADS, arguments

NAMES = ("startup", "step", "synthesis", "softmax", "whole", "threads", "predict", "extract", "scaling", "gpu")
DOCS = Path(__file__).parent.parent / "docs"


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--data-root", help="folder that holds CUB, for the benchmark of the whole command")
    parser.add_argument("--only", nargs="*", choices=NAMES, default=NAMES)
    asked = parser.parse_args()
    lines = []
    for name in asked.only:
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "rows.json"
            command = [sys.executable, "-m", f"benchmarks.{name}", "--json", str(out)]
            command += ["--tiny"] if asked.tiny else []
            command += ["--data-root", asked.data_root] if name == "whole" and asked.data_root else []
            command += ["--picture", str(DOCS / "scaling.png")] if name == "scaling" and not asked.tiny else []
            subprocess.run(command, check=True)
            lines += ["| {what} | {peer} | {goal} | {measured} |".format(**row) for row in json.loads(out.read_text())]
        print(f"{name}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    if not asked.tiny and set(asked.only) == set(NAMES):
        write(lines)


def write(lines: list[str]) -> None:
    """The table as a page."""
    about = f"{THREADS} threads of {platform.processor() or platform.machine()}, torch {torch.__version__}"
    text = [
        "# Benchmarks",
        "",
        f"Made by `make bench` ({about}).",
        "Ratios of medians of alternating runs in one process; `benchmarks/README.md` tells what is compared and how.",
        "",
        "| what | peer, same work, same run | goal | measured |",
        "| --- | --- | --- | --- |",
        *lines,
        "",
        "![time and memory against samples, classes and dimension](scaling.png)",
    ]
    (DOCS / "benchmarks.md").write_text("\n".join(text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
