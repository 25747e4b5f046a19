"""The display: on a terminal, in a log, quiet and verbose."""

import io
import re
import warnings

import pytest
from rich.console import Console

from gsmflow import progress
from gsmflow.progress import Display

LONG = "fold 1 of 3, training.lr 0.0003, flow.hidden 512, gaussian.kernels ['linear', 'rbf'], softmax.epochs 30"
TERMS = {f"term{i}": i / 7 for i in range(12)}


def display(*, terminal: bool = False, width: int = 80, **options) -> Display:
    console = Console(file=io.StringIO(), force_terminal=terminal, force_interactive=terminal, width=width)
    return Display(console=console, **options)


def printed(shown: Display) -> str:
    return shown.console.file.getvalue()


def screen(shown: Display) -> list[str]:
    """The live lines as they stand."""
    with shown.console.capture() as captured:
        shown.console.print(shown.live.get_renderable())
    return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", captured.get()).splitlines()]


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("title", ["final", LONG])
def test_the_live_lines_are_two_at_any_width(width, title):
    shown = display(terminal=True, width=width)
    shown.begin(title, 4500)
    shown.note_best("best H", 71.23, "fold 1 of 3")
    shown.show(20, TERMS)
    lines = screen(shown)
    assert len(lines) == 2
    assert max(map(len, lines)) <= width
    assert lines[0].startswith(title[:5])
    assert lines[0].endswith("left")
    assert "20/4500" in lines[0]
    assert lines[1].startswith("best H 71.2")


def test_a_part_of_a_task_does_not_lose_where_the_task_stands():
    shown = display(terminal=True)
    shown.begin("fold 1", 300)
    shown.show(120, {"nll": 1.5})
    for _ in range(2):
        shown.begin("fold 1: softmax", 30)
        assert "0/30" in screen(shown)[0]
    shown.show(30, {})
    assert screen(shown)[1] == "nll 1.5"
    shown.begin("fold 1", 300)
    assert "120/300" in screen(shown)[0]
    assert screen(shown)[1] == "nll 1.5"
    shown.begin("fold 1", 300)  # another one of the same name
    assert "  0/300" in screen(shown)[0]
    assert screen(shown)[1] == ""
    assert len(shown.live.tasks) == 1


def test_the_best_h_names_its_phase_where_another_is_shown():
    shown = display(terminal=True)
    shown.note_best("best H", 50.0, "fold 1")
    for title, line in {"fold 1": "best H 50.0", "fold 1: softmax": "best H 50.0"}.items():
        shown.begin(title, 9)
        assert screen(shown)[1] == line
    shown.begin("fold 2", 9)
    assert screen(shown)[1] == "best H 50.0 in fold 1"
    shown.note_best("validation H", 45.0, "")
    shown.begin("final", 9)
    assert screen(shown)[1] == "validation H 45.0"


def test_nothing_stays_of_the_live_lines():
    with display(terminal=True) as shown:
        shown.begin("final", 10)
        shown.show(10, {"nll": 1.0})
        shown.say("this stays")
    assert printed(shown).endswith("\x1b[2K")  # the last line is erased


def test_a_log_has_plain_lines_now_and_then(monkeypatch):
    shown = display()
    shown.begin("final", 10)
    shown.show(1, {"nll": 1.0})
    assert printed(shown) == ""
    monkeypatch.setattr(progress, "LINE_EVERY_S", -1.0)
    shown.show(2, {"nll": 1.23456, "prototype": 0.5})
    shown.note_best("best H", 70.0, "fold 3 of 3")
    shown.show(3, {"nll": 1.0})
    lines = ["final: 2/10  nll 1.235  prototype 0.5", "final: 3/10  best H 70.0 in fold 3 of 3  nll 1", ""]
    assert printed(shown).split("\n") == lines


@pytest.mark.parametrize(("verbose", "lines"), [(False, 1), (True, 3)])
def test_verbose_leaves_out_nothing(verbose, lines):
    shown = display(verbose=verbose)
    for _ in range(3):
        shown.mention("an evaluation [of brackets]")
    assert printed(shown) == "an evaluation [of brackets]\n" * lines


def test_warnings_are_one_line_or_in_full():
    before = warnings.showwarning
    for verbose in (False, True):
        with warnings.catch_warnings(), display(verbose=verbose) as shown:
            warnings.simplefilter("always")
            warnings.warn("first line\nsecond line", RuntimeWarning, stacklevel=1)
        if verbose:
            assert re.search(r"test_progress\.py:\d+: RuntimeWarning: first line\nsecond line\n", printed(shown))
        else:
            assert printed(shown) == "warning: first line\n"
    assert warnings.showwarning is before


def test_quiet_shows_nothing(capsys):
    with Display(quiet=True) as shown:
        shown.begin("final", 10)
        shown.note_best("best H", 70.0, "final")
        shown.show(10, TERMS)
        shown.mention("a")
        shown.say("b")
        shown.warn("c", UserWarning, "d", 1)
    assert capsys.readouterr() == ("", "")
