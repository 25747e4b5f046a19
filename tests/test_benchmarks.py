"""Every benchmark still runs, at sizes that take a moment; what they measure is not tested."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("FrEIA", reason="the peer of the benchmarks is not installed")
from benchmarks.__main__ import NAMES
from benchmarks.step import first_losses


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_runs(name, tmp_path):
    out = tmp_path / "rows.json"
    command = [sys.executable, "-m", f"benchmarks.{name}", "--tiny", "--json", out]
    done = subprocess.run(command, cwd=Path(__file__).parent.parent, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    rows = json.loads(out.read_text())
    assert rows
    assert all(row["what"] and row["measured"] for row in rows)


def test_the_published_step_is_ours_in_double():
    np.testing.assert_allclose(
        first_losses("published, float64", tiny=True), first_losses("ours, float64", tiny=True), 1e-12
    )
