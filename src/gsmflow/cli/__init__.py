"""The command line: parse, call, print. Torch is imported by the commands that need it, never for help."""

import difflib
import errno
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..errors import InputError
from .adapt import adapt
from .classes import classes
from .compare import compare, reproduce
from .data import data
from .describe import describe
from .export import export
from .extract import extract
from .hub import pull, push
from .learn import forget, learn
from .predict import predict
from .report import report
from .train import evaluate, train

__all__ = ["COMMANDS", "main"]

COMMANDS: dict[str, Callable[[list[str]], None]] = {
    "extract": extract,
    "describe": describe,
    "data": data,
    "train": train,
    "predict": predict,
    "classes": classes,
    "learn": learn,
    "adapt": adapt,
    "forget": forget,
    "evaluate": evaluate,
    "report": report,
    "compare": compare,
    "reproduce": reproduce,
    "export": export,
    "push": push,
    "pull": pull,
}


def main() -> None:
    """Run the command that ``sys.argv`` names; bad input is one sentence and exit code 2."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller, as in `gsmflow ... >&-`
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    arguments = sys.argv[1:]
    name, *rest = arguments or ["--help"]
    if name in ("-h", "--help", "help"):
        print(overview())
    elif name == "--version":
        from .. import __version__

        print(f"gsmflow {__version__}")
    elif name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        hint = f"did you mean {near[0]!r}? There are" if near else "choose one of"
        fail(f"there is no command {name!r}; {hint} {', '.join(COMMANDS)}.")
    else:
        try:
            with leaving_by_the_usual_way():
                refuse_empty(rest)
                refuse_twice(rest)
                COMMANDS[name](rest)
                sys.stdout.flush()
        except InputError as error:
            fail(str(error))
        except KeyboardInterrupt:
            sys.exit(130)
        except BrokenPipeError:  # the reader of our output is gone, as in `gsmflow ... | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the same again on leaving
                fail(f"the output could not be written: {error.strerror}; make room, or send it elsewhere.")
            if error.errno in NO_WAY_IN:
                fail(f"{str(error.filename)[:100]}: {error.strerror}; give another path.")
            raise


@contextmanager
def leaving_by_the_usual_way() -> Iterator[None]:
    """Let SIGTERM end the command as an error does, so that nothing half written is left behind."""
    before = signal.signal(signal.SIGTERM, lambda signum, frame: sys.exit(128 + signum))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def refuse_empty(arguments: list[str]) -> None:
    """Refuse an empty argument: as a path it would mean the current folder."""
    if "" in arguments:
        place = arguments.index("")
        behind = f" (behind {arguments[place - 1]})" if place else ""
        raise InputError(f"an argument is empty{behind}: is it a variable of the shell that is not set?")


def refuse_twice(arguments: list[str]) -> None:
    """Refuse an option that is given twice: one of its values would have no effect."""
    named = [argument.partition("=")[0] for argument in arguments if argument.startswith("--")]
    twice = next((option for option in named if named.count(option) > 1), None)
    if twice:
        raise InputError(f"{twice} is given twice; drop one of the two, or give all its values after one of them.")


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


NO_WAY_IN = (errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.ELOOP)
"""Why a path that was given cannot even be looked at."""
OPTIONS = {"root": "--data-root", "listing": "--list"}
"""Options that are called otherwise than the parameter of Python."""
PARAMETER = re.compile(
    r"\b(address|allow_overlap|attributes|batch|class_splits|classes|data_root|description|device|encoder|evidence|examples|"
    r"features|format|holdout|jobs|listing|mean|message|model|opset|out|output|overwrite|private|recognizer|reject|"
    r"revision|rivals|root|samples|semantics|size|skip_bad|std|sure|template|text_encoder|threads|token_file|top_k|track|"
    r"workers)=(True)?(?=(.))"
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
