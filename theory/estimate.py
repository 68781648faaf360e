"""What a theory is: one record that says where it applies, what it estimates and how it is drawn.

A theory's module defines a function ``Request -> Estimate`` (the numbers) and a function
``Features -> Derivation`` (the symbols); its record in ``theory.registry`` joins the two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from theory.activation import UNIFORM
from theory.checks import Sampling, check_sampling
from theory.dead_features.recipe import Recipe
from theory.derivation import Derivation
from theory.features import Features
from theory.results import result

Cost = Literal["formula", "solver"]
Superposition = Literal["strong", "weak"]
# Features from which a solver is not asked by default.
_MANY = 100_000
# A number for one width, an array of shape (k,) for a list of k widths.
Values = Any


@dataclass(frozen=True)
class LineStyle:
    """How every plot draws a theory.

    Attributes
    ----------
    label : str
        Its name in a legend.
    color : str
        Any matplotlib color. Where one plot shows several curves, the color tells the curves apart
        and ``line`` tells the theories apart.
    line : str or tuple
        Any matplotlib linestyle.
    marker : str
        Any matplotlib marker; none by default.
    """

    label: str
    color: str
    line: Any = "-"
    marker: str = ""

    def options(self, color: str | None = None) -> dict[str, Any]:
        """Return keyword arguments for ``Axes.plot``, with another color if one is given."""
        return {"ls": self.line, "color": color or self.color, "marker": self.marker}


@dataclass(frozen=True)
class SolverProgress:
    """What a solver is at: ``predict`` passes it to ``progress`` after each round.

    Attributes
    ----------
    theory : str
        Name of the theory.
    m : int
        Width that is solved for.
    position, widths : int
        This is the position-th of so many widths.
    rounds : int
        Rounds done at this width.

    Examples
    --------
    >>> print(SolverProgress("mean_field", 25, 3, 6, 12))
    solving mean_field at m = 25 (3 of 6), round 12
    """

    theory: str
    m: int
    position: int
    widths: int
    rounds: int

    def __str__(self) -> str:
        place = f" ({self.position} of {self.widths})" if self.widths > 1 else ""
        return f"solving {self.theory} at m = {self.m}{place}, round {self.rounds}"


@dataclass(frozen=True, eq=False)
class Request:
    """What ``predict`` asks a theory.

    Attributes
    ----------
    features : Features
        What the model is shown.
    m : ndarray of int, shape (k,)
        Widths, each from 1 to n.
    sampling : {"bernoulli", "one_hot"}
        Whether features are active independently, or exactly one at a time.
    executor : concurrent.futures.Executor or None
        Where a solver may solve for several widths at once.
    progress : callable or None
        Called with a ``SolverProgress`` after each round of a solver without an executor.
    recipe : Recipe or None
        How models are trained, for the theory of a recipe.
    bias : ndarray, shape (n,), or None
        Biases at the start, by falling frequency; None stands for the mean over N(0, 1).
    """

    features: Features
    m: NDArray[np.int64]
    sampling: Sampling = "bernoulli"
    executor: Executor | None = None
    progress: Callable[[SolverProgress], None] | None = None
    recipe: Recipe | None = None
    bias: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
@result
class Estimate:
    """The numbers of one theory at each width.

    Attributes
    ----------
    loss : float, or ndarray of shape (k,)
        Predicted loss, summed over features; NaN where the theory gives none.
    exponent : float, or ndarray of shape (k,)
        Local exponent -d ln L / d ln m.
    parts : mapping of str to float or ndarray
        Named contributions that sum to the loss; empty for a theory of the exponent alone.
    assumptions : tuple of str
        What was assumed, and where it is claimed to hold.
    details : tuple
        For each width what was solved for (``MeanField``), where a theory solves; None where
        nothing was found.
    notes : tuple of str
        Why there is no loss at a width, if that is known.
    """

    loss: Values
    exponent: Values
    parts: Mapping[str, Values]
    assumptions: tuple[str, ...]
    details: tuple[Any, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def uncertainty(self) -> Values:
        """Numerical uncertainty of the loss, 0 for a formula; a number or an array as ``loss``."""
        found = [0.0 if one is None else float(one.uncertainty) for one in self.details]
        errors = np.array(found or [0.0] * np.size(self.loss))
        return errors if np.ndim(self.loss) else float(errors[0])

    @property
    def has_loss(self) -> bool:
        """Whether the theory gives a loss, if perhaps not at these widths."""
        return bool(self.parts) or bool(np.isfinite(self.loss).any())

    def at_the_only_width(self) -> Estimate:
        """Return the estimate at one width with numbers instead of arrays of one entry."""
        return Estimate(
            float(self.loss[0]),
            float(self.exponent[0]),
            {name: float(part[0]) for name, part in self.parts.items()},
            self.assumptions,
            self.details,
            self.notes,
        )

    def __repr__(self) -> str:
        parts = f", parts: {', '.join(self.parts)}" if self.parts else ""
        return f"Estimate(loss {_span(self.loss)}, exponent {_span(self.exponent)}{parts})"


def _span(values: Values) -> str:
    ends = [f"{x:.4g}" for x in np.atleast_1d(values)[[0, -1]]]
    return ends[0] if np.size(values) == 1 else " to ".join(ends)


def accept(features: Features) -> str | None:
    """Refuse nothing: the theory applies to any features."""
    return None


def need_independence(features: Features) -> str | None:
    """Refuse features that depend on each other, but for one exclusive set of all of them."""
    forest = features.dependence
    if forest is None or forest.is_one_exclusive_set:
        return None
    return "it is for independent features: leave dependence out"


def choose_sampling(features: Features, sampling: Sampling) -> Sampling:
    """Return "one_hot" for one exclusive set of all features, else the sampling that was asked for.

    Raises
    ------
    ValueError
        For an unknown sampling, for "one_hot" with E > 1, with features that are no exclusive set,
        and for any other dependence, of which the caller knows nothing.
    """
    check_sampling(sampling, features.density)
    reason = need_independence(features)
    if reason:
        raise ValueError(f"{features} cannot be taken here: {reason}")
    return sampling if features.is_independent else "one_hot"


def need_equal_importance(features: Features) -> str | None:
    """Refuse importances, and features that depend on each other."""
    if features.has_equal_importance:
        return need_independence(features)
    return "it needs equal importance: leave importance out"


def need_uniform(features: Features) -> str | None:
    """Refuse importances, and any law of v but U(0, 2)."""
    if features.activation != UNIFORM:
        return "its loss is known for v ~ U(0, 2) only: leave activation out"
    return need_equal_importance(features)


def need_two_features(features: Features) -> str | None:
    """Refuse a single feature, which has no overlaps, and features that depend on each other."""
    if features.n < 2:
        return "a single feature has no overlaps: give at least two"
    return need_independence(features)


def refuse_many(features: Features) -> str | None:
    """Say that a solver takes minutes a width for very many features."""
    if features.n <= _MANY:
        return None
    return f"n = {features.n} is above {_MANY}, where it takes minutes a width: name it to solve it"


@dataclass(frozen=True)
@result
class Evidence:
    """Where a theory was checked, and how far it was off there.

    Attributes
    ----------
    where : str
        What it was compared with.
    cells : int
        Number of comparisons.
    median, of_90_percent : float
        Median of the errors, and the error that 90 % of the comparisons do not exceed:
        |predicted/measured - 1| of a loss, or the factor by which it is too large or too small;
        |predicted - measured| of an exponent.
    source : str
        File in the repository that holds the results, with the command that made them.
    page : str
        Page of the site that discusses them.
    quantity : {"loss", "factor", "exponent"}
        What the errors are.

    Examples
    --------
    >>> print(Evidence("trained models", 42, 0.031, 0.075, "a.json", "a.md").error)
    3.1 % (median), 90 % within 7.5 %
    """

    where: str
    cells: int
    median: float
    of_90_percent: float
    source: str
    page: str
    quantity: Literal["loss", "factor", "exponent"] = "loss"

    @property
    def error(self) -> str:
        """The two errors as text."""
        if self.quantity == "exponent":
            middle, most = (f"{x:.2f}" for x in (self.median, self.of_90_percent))
            return f"exponent off by {middle} (median), 90 % within {most}"
        if self.quantity == "factor":
            middle, most = (f"{x:.2g}" for x in (self.median, self.of_90_percent))
            return f"loss off by a factor of {middle} (median), 90 % within {most}"
        middle, most = (f"{100 * x:.2g} %" for x in (self.median, self.of_90_percent))
        return f"{middle} (median), 90 % within {most}"


@dataclass(frozen=True, eq=False)
@result
class Theory:
    """One theory of the loss: its record in the table ``theory.registry.THEORIES``.

    Attributes
    ----------
    name : str
        Its name in Python, on the command line and in tables.
    summary : str
        What it says, in one line.
    estimate : callable
        Takes a ``Request``, returns an ``Estimate`` with arrays of shape (k,).
    derive : callable
        Takes ``Features``, returns the ``Derivation`` behind the numbers, with its expressions.
    line : LineStyle
        How it is drawn.
    refuses : callable
        Takes ``Features``; returns why the theory does not apply to them, or None if it does.
    samplings : tuple of str
        The values of ``sampling`` that it takes.
    cost : {"formula", "solver"}
        "formula": microseconds a width; "solver": seconds a width.
    by_default : bool
        Whether ``predict`` gives it without being asked by name.
    superposition : {"strong", "weak"}
        Whether it is about negative weight decay (strong superposition) or positive: a sweep draws
        it beside models that were trained so.
    group : str
        A name for several theories; ``predict(theory=group)`` gives those that apply.
    undefined : str
        Where a theory that applies has no number (NaN): shown beneath tables.
    assumes : str
        What it assumes, in one line.
    evidence : Evidence, optional
        Where it was checked, and its error there.
    seconds : str
        What one width costs, for people.
    not_by_default : callable
        Takes ``Features``; returns why ``predict`` leaves the theory out of its default for them,
        or None if it does not.

    Examples
    --------
    >>> from theory.frequencies import Frequencies
    >>> from theory.registry import THEORIES
    >>> words = Features(Frequencies.power_law(1000, alpha=0.5))
    >>> [theory.name for theory in THEORIES if not theory.applies(words)]
    ['strong_skewed', 'large_deviations']
    """

    name: str
    summary: str
    estimate: Callable[[Request], Estimate] = field(repr=False)
    derive: Callable[[Features], Derivation] = field(repr=False)
    line: LineStyle
    refuses: Callable[[Features], str | None] = field(default=accept, repr=False)
    samplings: tuple[Sampling, ...] = ("bernoulli",)
    cost: Cost = "formula"
    by_default: bool = True
    superposition: Superposition = "strong"
    group: str = ""
    undefined: str = ""
    assumes: str = ""
    evidence: Evidence | None = None
    seconds: str = "microseconds"
    not_by_default: Callable[[Features], str | None] = field(default=accept, repr=False)

    def applies(self, features: Features) -> bool:
        """Return whether the theory applies to these features."""
        return self.refuses(features) is None
