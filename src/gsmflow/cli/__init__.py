"""The command line: parse, call, print. Torch is imported by the commands that need it, never for help."""

import os
import re
import sys
from collections.abc import Callable

from ..errors import InputError
from .compare import compare, reproduce
from .data import data
from .report import report
from .train import evaluate, train

__all__ = ["COMMANDS", "main"]

COMMANDS: dict[str, Callable[[list[str]], None]] = {
    "train": train,
    "evaluate": evaluate,
    "compare": compare,
    "reproduce": reproduce,
    "report": report,
    "data": data,
}


def main() -> None:
    """Run the command that ``sys.argv`` names; bad input is one sentence and exit code 2."""
    arguments = sys.argv[1:]
    name, *rest = arguments or ["--help"]
    if name in ("-h", "--help"):
        print(overview())
    elif name == "--version":
        from .. import __version__

        print(f"gsmflow {__version__}")
    elif name not in COMMANDS:
        fail(f"there is no command {name!r}; choose one of {', '.join(COMMANDS)}.")
    else:
        try:
            refuse_twice(rest)
            COMMANDS[name](rest)
        except InputError as error:
            fail(str(error))
        except KeyboardInterrupt:
            sys.exit(130)
        except BrokenPipeError:  # the reader of our output is gone, as in `gsmflow ... | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def refuse_twice(arguments: list[str]) -> None:
    """Refuse an option that is given twice: one of its values would have no effect."""
    named = [argument.partition("=")[0] for argument in arguments if argument.startswith("--")]
    twice = next((option for option in named if named.count(option) > 1), None)
    if twice:
        raise InputError(f"{twice} is given twice; drop one of the two.")


def overview() -> str:
    """What ``gsmflow --help`` prints."""
    lines = [f"  {name:<10} {(command.__doc__ or '').splitlines()[0]}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: gsmflow COMMAND [OPTIONS]",
            "",
            "Recognise classes nobody has a picture of: generalized zero-shot learning with conditional flows.",
            "",
            *lines,
            "",
            "gsmflow COMMAND --help shows the options of a command.",
        ]
    )


OPTIONS = {"root": "--data-root"}
"""Options that are called otherwise than the parameter of Python."""
PARAMETER = re.compile(
    r"\b(allow_overlap|data_root|features|jobs|recognizer|root|semantics|threads|track)=(True)?(?=(.))"
)
SETTING = re.compile(r"\b(lower|raise|give|sets) ([a-z_]+\.[a-z_]+)\b(?! =)")


def as_options(sentence: str) -> str:
    """A sentence of the library, which names parameters of Python, with the options of the command line.

    >>> as_options("accept it with allow_overlap=True, choose recognizer=softmax, or lower selection.folds to 2.")
    'accept it with --allow-overlap, choose --recognizer softmax, or lower --selection.folds to 2.'
    """

    def option(found: re.Match[str]) -> str:
        name = OPTIONS.get(found[1], f"--{found[1].replace('_', '-')}")
        return name if found[2] or not found[3].isalnum() else f"{name} "

    sentence = PARAMETER.sub(option, sentence)
    return SETTING.sub(lambda found: f"{found[1]} --{found[2].replace('_', '-')}", sentence)


def fail(sentence: str) -> None:
    """Print one sentence and exit with code 2."""
    print(f"gsmflow: {as_options(sentence)}", file=sys.stderr)
    sys.exit(2)
