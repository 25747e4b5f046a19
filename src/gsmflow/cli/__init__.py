"""The command line: parse, call, print. Torch is imported by the commands that need it, never for help."""

import os
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
            COMMANDS[name](rest)
        except InputError as error:
            fail(str(error))
        except KeyboardInterrupt:
            sys.exit(130)
        except BrokenPipeError:  # the reader of our output is gone, as in `gsmflow ... | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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


def fail(sentence: str) -> None:
    """Print one sentence and exit with code 2."""
    print(f"gsmflow: {sentence}", file=sys.stderr)
    sys.exit(2)
