"""What a terminal or pipe can show: its characters, its width, and whether anyone still reads.

``prepare_streams`` is called before a command, ``finish_streams`` after it; ``lay_out`` makes the
lines of a table for a width. A table that is too wide is cut between columns, never within a
number.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import sys
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TextIO

# Columns of a pipe, which has no width of its own.
_PIPE = 200
_GAP = "  "
# A cell is longer than this only if it is text, which may be wrapped: no number is.
_LONGEST_NUMBER = 24
# Headers of a table that is too wide are wrapped to this, or to the width of their column.
_HEADER = 12

_ASCII = str.maketrans(
    {
        "–": "-", "—": "-", "−": "-", "─": "-", "±": "+-", "…": "...", "→": "->", "←": "<-",
        "·": ".", "×": "x", "∞": "inf", "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~", "≫": ">>",
        "≪": "<<", "⟨": "<", "⟩": ">", "‖": "||", "∝": "~", "√": "sqrt ", "∫": "integral ",
        "∇": "grad ", "∂": "d", "∈": "in", "°": " deg", "‘": "'", "’": "'", "“": '"', "”": '"',
        "⊙": "*", "∪": "or", "∩": "and", "¼": "1/4", "½": "1/2", "¾": "3/4", "⁄": "/",
        "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta",
        "η": "eta", "θ": "theta", "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi",
        "π": "pi", "ρ": "rho", "σ": "sigma", "τ": "tau", "φ": "phi", "χ": "chi", "ψ": "psi",
        "ω": "omega", "Γ": "Gamma", "Δ": "Delta", "Λ": "Lambda", "Σ": "sum ", "Φ": "Phi",
        "Ψ": "Psi", "Ω": "Omega", "ℓ": "l", "Π": "prod ", "⪰": ">=", "∓": "-+",
    }
)  # fmt: skip
_HANDLER = "superscale.ascii"
# What Python does with other characters by default: an exception, or an escape sequence (stderr).
_UNREADABLE = ("strict", "surrogateescape", "backslashreplace")


def _in_ascii(error: UnicodeError) -> tuple[str | bytes, int]:
    """Put ASCII for what an encoding lacks (an error handler of codecs)."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return _to_ascii(error.object[error.start : error.end]), error.end


def _to_ascii(text: str) -> str:
    """Write a text in ASCII.

    Examples
    --------
    >>> _to_ascii("⟨t²⟩ ≈ 10⁻¹² ± é"), _to_ascii("日")
    ('<t^2> ~ 10^-12 +- e', '?')
    """
    written, before = "", ""
    for letter in text:
        kind = unicodedata.decomposition(letter).partition(" ")[0]
        mark = {"<super>": "^", "<sub>": "_"}.get(kind, "")
        plain = letter.translate(_ASCII)
        if plain == letter:
            plain = unicodedata.normalize("NFKD", letter).translate(_ASCII)
        written += mark * (mark != before) + (plain.encode("ascii", "ignore").decode() or "?")
        before = mark
    return written


codecs.register_error(_HANDLER, _in_ascii)


def prepare_streams() -> None:
    """Let stdout and stderr take any character, and be there though they were closed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # Also takes the descriptor, which the next file opened would get.
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        elif getattr(stream, "errors", None) in _UNREADABLE:
            with contextlib.suppress(AttributeError):  # replaced by what has no encoding
                stream.reconfigure(errors=_HANDLER)


def finish_streams() -> None:
    """Write what is left in stdout; raise OSError if that fails (a full disk, a closed pipe)."""
    sys.stdout.flush()


def drop_streams() -> None:
    """Send what is left to nowhere, so that the interpreter does not fail on it as it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with contextlib.suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)


def as_shown(text: str, stream: TextIO | None = None) -> str:
    """Return a text with ASCII for the characters that a stream (default stdout) cannot take.

    Examples
    --------
    >>> import io
    >>> as_shown("1.5 ± 0.2 → café", io.TextIOWrapper(io.BytesIO(), "ascii"))
    '1.5 +- 0.2 -> cafe'
    """
    encoding = getattr(stream or sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, _HANDLER).decode(encoding)


def line_width() -> int:
    """Return the columns of the terminal, or of a pipe."""
    if not sys.stdout.isatty():
        return _PIPE
    from rich.console import Console

    return Console().width


def lay_out(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int,
    lead: int = 1,
    justify: str = "right",
) -> list[str]:
    """Return the lines of a table; if it is too wide, of several, one below the other.

    Parameters
    ----------
    columns : sequence of str
        Headers.
    rows : sequence of sequence of str
        Cells.
    width : int
        Characters in a line. Only text of more than 24 characters is wrapped.
    lead : int
        First columns, which each of the tables repeats.
    justify : {"right", "left"}
        Where cells stand in their column; text that is wrapped stands left.

    Examples
    --------
    >>> for line in lay_out(["m", "loss", "slope"], [["10", "0.5", "1.1"]], width=10):
    ...     print(line)
     m  loss
    ────────
    10   0.5
    <BLANKLINE>
     m  slope
    ─────────
    10    1.1
    """
    shown = [[as_shown(cell) for cell in row] for row in rows]
    heads = [as_shown(head) for head in columns]
    made = [_Column(head, [row[k] for row in shown], None, justify) for k, head in enumerate(heads)]
    if sum(one.width for one in made) + len(_GAP) * (len(made) - 1) > width:
        longest = max(_LONGEST_NUMBER, width // 2)
        made = [
            _Column(head, [row[k] for row in shown], longest, justify)
            for k, head in enumerate(heads)
        ]
    lines: list[str] = []
    for block in _blocks(made, width, lead):
        if lines:
            lines.append("")
        lines += _block_lines(block)
    return lines


class _Column:
    """A column of cells, each a list of lines, as wide as the widest."""

    def __init__(self, head: str, cells: list[str], longest: int | None, justify: str) -> None:
        from rich.cells import cell_len

        wrapped = longest is not None and any(cell_len(cell) > longest for cell in cells)
        self.cells = [
            textwrap.wrap(cell, longest) or [""] if wrapped and longest else [cell]
            for cell in cells
        ]
        body = max((cell_len(line) for cell in self.cells for line in cell), default=0)
        self.head = [head]
        if longest is not None:
            self.head = textwrap.wrap(head, max(body, _HEADER), break_long_words=False) or [""]
        self.width = max(body, *(cell_len(line) for line in self.head))
        self._left = wrapped or justify == "left"
        self._length = cell_len

    def pad(self, text: str) -> str:
        blanks = " " * (self.width - self._length(text))
        return text + blanks if self._left else blanks + text


def _blocks(columns: list[_Column], width: int, lead: int) -> Iterator[list[_Column]]:
    """Share columns out to tables of at most a width, each with the first columns before it."""

    def total(some: list[_Column]) -> int:
        return sum(one.width for one in some) + len(_GAP) * (len(some) - 1)

    while lead > 1 and total(columns[:lead]) > width // 2:
        lead -= 1
    if total(columns) <= width or lead >= len(columns):
        yield columns
        return
    first, block = columns[:lead], columns[:lead]
    for one in columns[lead:]:
        if len(block) > lead and total([*block, one]) > width:
            yield block
            block = first
        block = [*block, one]
    yield block


def _block_lines(block: list[_Column]) -> list[str]:
    def rows(cells: Iterable[list[str]]) -> Iterator[str]:
        for parts in zip_longest(*cells, fillvalue=""):
            yield _GAP.join(c.pad(x) for c, x in zip(block, parts, strict=True)).rstrip()

    height = max(len(c.head) for c in block)
    heads = ([""] * (height - len(c.head)) + c.head for c in block)
    rule = as_shown("─") * (sum(c.width for c in block) + len(_GAP) * (len(block) - 1))
    body = [line for row in zip(*(c.cells for c in block), strict=True) for line in rows(row)]
    return [*rows(heads), rule, *body]
