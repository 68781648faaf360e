"""The command line: ``superscale predict``, ``train``, ``compare``, ``sweep``, ``fit`` and so on.

Each command has ``--help`` with an example, prints a table for people, ``--json`` or ``--csv`` for
machines, and writes figures and data to ``--output``. Bad input is one line on stderr and exit
code 2. Ctrl-C is 130; finished models of a comparison are reported, a training run goes on from its
last checkpoint.

To add a command, write its function in the file of its group and name it in ``COMMANDS``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from superscale import __version__
from superscale.commands import (
    comparisons,
    counts,
    matrices,
    packings,
    predictions,
    scaling_laws,
    training,
    unembeddings,
)

# In the order of --help; a function's name is the command's, its docstring the help.
COMMANDS: tuple[Callable[..., Any], ...] = (
    predictions.predict,
    training.train,
    comparisons.compare,
    unembeddings.analyze,
    matrices.loss,
    matrices.overlaps,
    scaling_laws.fit,
    packings.bounds,
    packings.pack,
    training.sweep,
    comparisons.reproduce,
    counts.count,
    counts.zipf,
)

_INTERRUPTED = 130


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"superscale {__version__}")
        raise typer.Exit


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
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_common)
    for command in COMMANDS:
        app.command()(command)
    return app


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; exit with 0, 2 for bad input, 1 for a failed run, 130 on Ctrl-C."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        code = build_app()(arguments, standalone_mode=False)
        if code == _INTERRUPTED:  # the parser's own answer to Ctrl-C
            raise KeyboardInterrupt
        return code if isinstance(code, int) else 0
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", _INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has gone (as with "| head"): nothing is wrong.
        sys.stderr.close()
        return 0
    except (ValueError, OSError) as error:
        return _fail(str(error), 2)
    except ArithmeticError as error:
        return _fail(str(error), 1)
    except Exception as error:
        # The parser's own errors (an unknown option, a number that is none) know how to say it.
        say = getattr(error, "format_message", None)
        if say is None:
            raise
        return _fail(say() or "give a command: superscale --help lists them", 2)


def _fail(message: str, code: int) -> int:
    print("superscale: " + " ".join(message.split()), file=sys.stderr)
    return code
