"""The table of contents: what a person meets first."""

import gsmflow


def test_what_is_public_says_so():
    assert dir(gsmflow) == gsmflow.__all__ == sorted(gsmflow.__all__)
    assert all(getattr(gsmflow, name) is not None for name in gsmflow.__all__)


def test_every_public_name_teaches_by_an_example_that_runs():
    """Doctests run with the tests, those of the modules that define these names among them."""
    for name in gsmflow.__all__:
        text = getattr(gsmflow, name).__doc__
        assert ">>> " in text, name
        assert "SKIP" not in text, name


def test_types_are_shipped():
    from importlib.resources import files

    assert (files(gsmflow) / "py.typed").is_file()
