"""Every benchmark still runs, at sizes that take a moment; what they measure is not tested."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("FrEIA", reason="the peer of the benchmarks is not installed")
from benchmarks.__main__ import NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_runs(name, tmp_path):
    out = tmp_path / "rows.json"
    command = [sys.executable, "-m", f"benchmarks.{name}", "--tiny", "--json", out]
    done = subprocess.run(command, cwd=Path(__file__).parent.parent, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    rows = json.loads(out.read_text())
    assert rows
    assert all(row["what"] and row["measured"] for row in rows)
