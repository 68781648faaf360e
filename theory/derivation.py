"""Derivations: named steps, each a sentence and the expression that sympy reached by it.

A ``Derivation`` holds how a formula was derived; it prints, and gives the result of one step by
name. The symbols that every derivation shares are defined here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy as sp
from sympy.printing.pretty.pretty import PrettyPrinter
from sympy.printing.pretty.pretty_symbology import pretty_use_unicode

# Shared symbols, with the assumptions that the simplifier needs.
m, n, i, alpha, density, v = sp.symbols("m n i alpha E v", positive=True)
scale = sp.Symbol("s", positive=True)
b = sp.Symbol("b", real=True)
p = sp.Symbol("p", positive=True)


def plain(expression: Any) -> Any:
    """Replace each symbol by one of the same name without assumptions.

    Expressions that leave the package are plain, so that ``expr.subs({"m": 10})`` and
    ``sympy.symbols("m n alpha")`` find their symbols.

    Examples
    --------
    >>> plain(2 * m).subs({"m": 10})
    20
    """
    # Among the free symbols of p[i] is p[i] itself, which is no Symbol.
    symbols = [symbol for symbol in expression.free_symbols if isinstance(symbol, sp.Symbol)]
    return expression.xreplace({symbol: sp.Symbol(symbol.name) for symbol in symbols})


class _Printer(PrettyPrinter):  # type: ignore[misc]  # sympy has no types
    """Write the natural logarithm as ln, as the text does."""

    def _print_log(self, expression: Any) -> Any:
        return self._helper_print_function(expression.func, expression.args, func_name="ln")


def _write(expression: Any) -> str:
    """Return a formula in lines of text."""
    before = pretty_use_unicode(True)
    try:
        return str(_Printer({"num_columns": 100}).doprint(expression))
    finally:
        pretty_use_unicode(before)


@dataclass(frozen=True)
class Step:
    """One step of a derivation: its name, its text, and the expression that it leads to."""

    name: str
    text: str
    expression: Any = None


@dataclass(frozen=True, repr=False)
class Derivation:
    """An ordered, printable derivation.

    Attributes
    ----------
    title : str
        What is derived.
    steps : tuple of Step
        In order.
    expressions : mapping
        What it arrives at: sympy expressions keyed by (of, limit), as ("loss", "exact").

    Examples
    --------
    >>> d = Derivation("A sum", (Step("square", "Square both sides.", sp.Eq(m**2, n)),))
    >>> d["square"]
    Eq(m**2, n)
    >>> print(d)
    A sum
    <BLANKLINE>
    1. square: Square both sides.
           2
          m  = n
    """

    title: str
    steps: tuple[Step, ...]
    expressions: Mapping[tuple[str, str], Any] = field(default_factory=dict, repr=False)

    def __getitem__(self, name: str) -> Any:
        for step in self.steps:
            if step.name == name:
                return step.expression
        raise KeyError(f"no step {name!r}: the steps are {[s.name for s in self.steps]}")

    def __str__(self) -> str:
        lines = [self.title, ""]
        for number, step in enumerate(self.steps, start=1):
            lines.append(f"{number}. {step.name}: {step.text}")
            if step.expression is not None:
                shown = _write(step.expression)
                lines += ["      " + line.rstrip() for line in shown.splitlines()]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def latex(self) -> str:
        """Return the steps as LaTeX, one displayed formula each."""
        blocks = []
        for step in self.steps:
            block = f"% {step.name}: {step.text}"
            if step.expression is not None:
                block += f"\n\\[ {sp.latex(step.expression, ln_notation=True)} \\]"
            blocks.append(block)
        return "\n".join(blocks)

    def markdown(self) -> str:
        """Return the steps as Markdown with LaTeX formulas, as notebooks render it."""
        blocks = [f"**{self.title}**"]
        for number, step in enumerate(self.steps, start=1):
            blocks.append(f"{number}. *{step.name}*: {step.text}")
            if step.expression is not None:
                blocks.append(f"$$ {sp.latex(step.expression, ln_notation=True)} $$")
        return "\n\n".join(blocks)
