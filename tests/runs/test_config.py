"""What a run says of where it was made."""

import re
import subprocess
import sys

from gsmflow.runs import RunConfig, git_revision, versions
from tests.tiny import asked


def test_versions_are_those_of_what_the_numbers_depend_on():
    found = versions()
    assert found.keys() == {"python", "gsmflow", "torch", "numpy", "scipy", "scikit-learn"}
    assert found["python"] == sys.version.split()[0]
    assert all(re.match(r"\d+\.\d+", version) for version in found.values())


def test_the_revision_is_that_of_the_source_tree_or_none(monkeypatch):
    revision = git_revision()
    assert revision is None or re.fullmatch(r"\S*[0-9a-f]{7,}(-dirty)?", revision)

    def outside(*_, **__):
        raise subprocess.CalledProcessError(128, "git")

    monkeypatch.setattr(subprocess, "run", outside)
    assert git_revision() is None


def test_a_configuration_made_here():
    config = asked(track="tensorboard")
    assert isinstance(config, RunConfig)
    assert (config.versions, config.track, config.threads) == (versions(), "tensorboard", 1)
