"""Where is computed, and with how many threads: small problems with one, and all is as it was afterwards."""

import os

import pytest
import torch
from threadpoolctl import threadpool_info

from gsmflow import devices, experiment
from gsmflow.devices import pick_device, pick_threads, using_threads
from gsmflow.errors import InputError
from tests.tiny import GAUSSIAN, problem


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def threads_inside(monkeypatch, **options) -> set[tuple[int, ...]]:
    """What torch and all pools of linear algebra have while a model is fitted, by `gsmflow.train`."""
    from gsmflow.generators import Gaussian

    found, fit = [], Gaussian.fit

    def spy(*arguments, **more):
        found.append((torch.get_num_threads(), *{pool["num_threads"] for pool in threadpool_info()}))
        return fit(*arguments, **more)

    monkeypatch.setattr(Gaussian, "fit", spy)
    result = experiment.train(problem(), GAUSSIAN, **options)
    assert result.config.threads == found[0][0]
    return set(found)


def test_a_small_problem_gets_one_thread_whatever_torch_has(three_threads, monkeypatch):
    assert threads_inside(monkeypatch) == {(1, 1)}
    assert torch.get_num_threads() == 3


def test_the_threads_asked_for_are_used(three_threads, monkeypatch):
    ((torchs, *_),) = threads_inside(monkeypatch, threads=2)
    assert torchs == 2
    assert torch.get_num_threads() == 3


def test_threads_are_restored_when_a_run_fails(three_threads, monkeypatch):
    monkeypatch.setattr("gsmflow.generators.Gaussian.fit", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        experiment.train(problem(), GAUSSIAN)
    assert torch.get_num_threads() == 3


@pytest.mark.parametrize("count", [1, 2])
def test_pools_are_limited_and_restored(count):
    before = [pool["num_threads"] for pool in threadpool_info()], torch.get_num_threads()
    with using_threads(count):
        assert torch.get_num_threads() == count
        assert all(pool["num_threads"] <= count for pool in threadpool_info())
    assert ([pool["num_threads"] for pool in threadpool_info()], torch.get_num_threads()) == before


@pytest.mark.parametrize(
    ("cores", "load", "torchs", "expected"),
    [(8, 0.0, 8, 8), (8, 5.2, 8, 3), (8, 9.0, 8, 1), (2, 1.0, 2, 1), (8, 0.0, 4, 4), (2, 0.4, 2, 2)],
)
def test_a_large_problem_gets_the_idle_cores(monkeypatch, cores, load, torchs, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0, 0))
    monkeypatch.setattr(torch, "get_num_threads", lambda: torchs)
    assert pick_threads(devices.SMALL) == expected
    assert pick_threads(devices.SMALL - 1) == 1


@pytest.mark.parametrize("threads", [0, -1, 10**9])
def test_no_threads_are_refused(threads):
    with pytest.raises(InputError, match=rf"threads must be at least 1 and at most \d+; found {threads}\."):
        experiment.train(problem(), GAUSSIAN, threads=threads)


def test_devices():
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device() == (torch.accelerator.current_accelerator() or torch.device("cpu"))
    for name in ("abacus", "meta", "cuda:99"):
        with pytest.raises(InputError, match=rf"There is no device '{name}' here; choose auto or cpu\."):
            pick_device(name)
