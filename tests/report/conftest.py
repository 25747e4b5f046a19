"""Runs that are trained once, and a page that is written once, for all tests of the report."""

import shutil
import sys
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from gsmflow import cli
from tests.data.twins import make_truth, write_xlsa17
from tests.report.pages import Page
from tests.tiny import RECIPE, TRAIN

RUN = (*TRAIN, "--out")


def call(place: Path, *arguments: object) -> None:
    """Call the command line in a folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setattr(sys, "argv", ["gsmflow", *map(str, arguments)])
        with suppress(SystemExit):
            cli.main()


@pytest.fixture(scope="session")
def workshop(tmp_path_factory) -> Path:
    """A folder with the twin of a benchmark and a tiny recipe, which no test alters."""
    place = tmp_path_factory.mktemp("workshop")
    write_xlsa17(place / "data" / "TWIN", make_truth())
    (place / "tiny.yaml").write_text(RECIPE)
    return place


@pytest.fixture(scope="session")
def made(workshop):
    """A run of these arguments, trained in the workshop the first time that it is asked for; no test alters it."""
    known: dict[tuple, Path] = {}

    def get(*arguments: object) -> Path:
        if arguments not in known:
            folder = workshop / f"run-{len(known)}"
            call(workshop, *(arguments or TRAIN), "--out", folder.name)
            assert (folder / "metrics.json").exists()
            known[arguments] = folder
        return known[arguments]

    return get


@pytest.fixture
def bring(made, workshop, place):
    """A copy of a run, as if it had been trained in this test's own folder."""

    def get(name: str, *arguments: object) -> Path:
        folder = shutil.copytree(made(*arguments), place / name)
        config = folder / "config.yaml"
        config.write_text(config.read_text().replace(str(workshop), str(place)))
        return folder

    return get


@pytest.fixture
def run(bring) -> Path:
    return bring("run")


@pytest.fixture(scope="session")
def shown(made, tmp_path_factory) -> SimpleNamespace:
    """The page of a run: ``run`` with all its files, and ``page``."""
    run = shutil.copytree(made(), tmp_path_factory.mktemp("shown") / "run")
    call(run.parent, "report", "run")
    return SimpleNamespace(run=run, page=Page(run / "report.html"))
