"""The one exception that means: the user can mend this; and the warning that means: this looks odd."""

__all__ = ["DataWarning", "InputError"]


class InputError(ValueError):
    """Bad input, told in one sentence: what was found, where, and what to do.

    The command line prints the sentence without a traceback and exits with code 2.

    Example:
        >>> import gsmflow
        >>> gsmflow.load_recipe("cubs")
        Traceback (most recent call last):
        ...
        gsmflow.errors.InputError: There is no recipe 'cubs': choose one of apy, awa1, ...
    """


class DataWarning(UserWarning):
    """What looks odd in a data set but can be worked with."""
