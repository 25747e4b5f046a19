"""What holds for all tests."""

import os
import sys
from types import SimpleNamespace

import pytest

from gsmflow import cli
from tests.data.twins import make_truth, write_xlsa17
from tests.tiny import RECIPE, TRAIN


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Tensors are tiny here: on a busy machine several threads wait for each other forty times as long as they work."""
    import torch

    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"  # for the processes that tests start
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def one_revision():
    """Two runs of a session are of one source tree, though somebody commits meanwhile."""
    from gsmflow.runs import config

    with pytest.MonkeyPatch.context() as patch:
        revision = config.git_revision()
        patch.setattr(config, "git_revision", lambda: revision)
        yield


@pytest.fixture
def gsmflow(monkeypatch, capsys):
    """Call the command line in this process: exit code, standard output and error."""

    def call(*arguments: object) -> SimpleNamespace:
        monkeypatch.setattr(sys, "argv", ["gsmflow", *map(str, arguments)])
        capsys.readouterr()
        try:
            cli.main()
            code = 0
        except SystemExit as stop:
            code = stop.code
        printed = capsys.readouterr()
        return SimpleNamespace(code=code, out=printed.out, err=printed.err)

    return call


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with the twin of a benchmark and a tiny recipe, to work in."""
    write_xlsa17(tmp_path / "data" / "TWIN", make_truth())
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(gsmflow, place):
    assert gsmflow(*TRAIN, "--out", "run").code == 0
    return place / "run"
