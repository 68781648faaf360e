"""The command line: ``superscale predict``, ``train``, ``compare``, ``sweep``, ``fit`` and so on.

Each command has ``--help`` with an example, prints a table for people, ``--json`` or ``--csv`` for
machines, and writes figures and data to ``--output``. Bad input is one line on stderr and exit
code 2. Ctrl-C is 130; finished models of a comparison are reported, a training run goes on from its
last checkpoint.

To add a command, write its function in the file of its group and name it in ``COMMANDS``.
"""

from __future__ import annotations

import inspect
import re
import sys
import warnings
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperOption

from superscale import __version__
from superscale.commands import (
    comparisons,
    examples,
    explorer,
    ground_states,
    matrices,
    packings,
    predictions,
    training,
)
from superscale.commands.language_models import (
    axes,
    counts,
    mechanisms,
    reading,
    scaling_laws,
    unembeddings,
)
from superscale.commands.terminal import drop_streams, finish_streams, prepare_streams
from superscale.importing.lazy_packages import defer

# In the order of --help; a function's name is the command's, its docstring the help.
COMMANDS: tuple[Callable[..., Any], ...] = (
    predictions.predict,
    predictions.theories,
    predictions.required_width,
    training.train,
    comparisons.compare,
    unembeddings.analyze,
    reading.read,
    matrices.loss,
    matrices.overlaps,
    scaling_laws.fit,
    ground_states.ground_state,
    axes.plan,
    mechanisms.mechanisms,
    packings.bounds,
    packings.pack,
    training.sweep,
    comparisons.reproduce,
    counts.count,
    counts.zipf,
    examples.example,
    explorer.explore,
)

_INTERRUPTED = 130
# Options that are not named as the argument of Python to which their values go.
_OPTIONS = {"m": "forecast", "thresholds": "threshold", "value": "alpha_test", "seeds": "seed"}


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"superscale {__version__}")
        raise typer.Exit


class _Command(TyperCommand):
    """A command whose help names the theories that there are when it is shown."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        for parameter in self.params:
            if parameter.name == "theory" and isinstance(parameter, TyperOption):
                from theory.registry import THEORIES

                names = dict.fromkeys(name for one in THEORIES for name in (one.name, one.group))
                listed = ", ".join(name for name in names if name)
                parameter.help = (
                    f"{(parameter.help or '').partition(' There are ')[0]} There are {listed}."
                )
        super().format_help(ctx, formatter)


def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """Ask why loss falls with model width, and how far it will fall."""


def build_app() -> typer.Typer:
    """Return the parser with all commands."""
    app = typer.Typer(
        name="superscale",
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_common)
    for command in COMMANDS:
        # The first sentence, whole: the parser would cut it to fit one line.
        app.command(cls=_Command, short_help=_first_sentence(command))(command)
    return app


def _first_sentence(command: Callable[..., Any]) -> str:
    paragraph = " ".join((command.__doc__ or "").split("\n\n")[0].split())
    return paragraph.partition(". ")[0].rstrip(".")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; exit with 0, 2 for bad input, 1 for a failed run, 130 on Ctrl-C."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code; without arguments, show the commands."""
    prepare_streams()
    defer("pandas")
    try:
        code = _run((sys.argv[1:] if arguments is None else arguments) or ["--help"])
        finish_streams()
    except BrokenPipeError:
        code = 0  # the reader of our output has gone (as with "| head"): nothing is wrong
        drop_streams()
    except OSError as error:  # stdout is a file on a full disk
        drop_streams()
        code = _fail(f"cannot write the output: {error.strerror or error}", 2)
    return code


def _run(arguments: list[str]) -> int:
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            # The commands list each of them.
            warnings.filterwarnings("ignore", r"\d+ of \d+ runs failed")
            code = build_app()(arguments, prog_name="superscale", standalone_mode=False)
        if code == _INTERRUPTED:  # the parser's own answer to Ctrl-C
            raise KeyboardInterrupt
        return code if isinstance(code, int) else 0
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", _INTERRUPTED)
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.filename is None:
            finish_streams()  # raises if it is the output that cannot be written: said once
        named = f"{error.filename}: " if error.filename else ""
        return _fail(named + (error.strerror or str(error)), 2)
    except (ValueError, TypeError) as error:
        return _fail(_name_option(str(error), arguments), 2)
    except ArithmeticError as error:
        return _fail(_name_option(str(error), arguments), 1)
    except Exception as error:
        # The parser's own errors (an unknown option, a number that is none) know how to say it.
        say = getattr(error, "format_message", None)
        if say is None:
            raise
        text = say() or "give a command: superscale --help lists them"
        return _fail(_reword(text, arguments), 2)


def _name_option(message: str, arguments: list[str]) -> str:
    """Name an argument of Python, with which a message starts, as the command line does.

    Examples
    --------
    >>> _name_option("weight_decay = nan is not allowed", ["train", "--m", "4"])
    '--weight-decay = nan is not allowed'
    >>> _name_option("m = 9 is not allowed", ["zipf"]), _name_option("b = 1 is low", ["zipf"])
    ('--m = 9 is not allowed', 'b = 1 is low')
    >>> _name_option("m[0] = nan is not allowed", ["fit"])
    '--forecast[0] = nan is not allowed'
    """
    found = re.match(r"([a-zA-Z_]+)(?=\[\d+\] = | = | contains? )", message)
    parameters: Mapping[str, Any] = {}
    for command in COMMANDS:
        if arguments and command.__name__.replace("_", "-") == arguments[0]:
            parameters = inspect.signature(command).parameters
    name = found[1] if found else ""
    if name not in parameters:
        name = _OPTIONS.get(name, "")
    if found is None or name not in parameters:
        return message
    return f"--{name.replace('_', '-')}{message[found.end() :]}"


def _reword(message: str, arguments: list[str]) -> str:
    """Say in our words that what was typed for an option is no number.

    Examples
    --------
    >>> _reword("Invalid value for '--n': Input should be a valid integer, …", ["bounds", "--n=x"])
    "--n 'x' is not a whole number"
    """
    found = re.match(r"Invalid value for '(-[^' ]+).*(number|integer|float|int)\b", message)
    if found is None:
        return message
    option, kind = found[1], found[2]
    typed = [word for before, word in pairwise(arguments) if before == option]
    typed += [word.partition("=")[2] for word in arguments if word.startswith(f"{option}=")]
    what = "a whole number" if kind in ("integer", "int") else "a number"
    return f"{option} {typed[-1]!r} is not {what}" if typed else message


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print("superscale: warning: " + " ".join(str(message).split()), file=sys.stderr)


def _fail(message: str, code: int) -> int:
    print("superscale: " + " ".join(message.split()), file=sys.stderr)
    return code
