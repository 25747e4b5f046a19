"""The one exception that means: the user can mend this."""

__all__ = ["InputError"]


class InputError(ValueError):
    """Bad input, told in one sentence: what was found, where, and what to do.

    The command line prints the sentence without a traceback and exits with code 2.
    """
