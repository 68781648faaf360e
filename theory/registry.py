"""Every theory there is: ask for a prediction by all that apply, or by some of them.

Use ``predict(frequencies, m)``; the ``Prediction`` it returns holds one ``Estimate`` for each
theory, keyed by name:

=============== ==========================================================================
"weak"          the m most frequent features kept, the rest lost; exact
"equiangular"   one active feature, all |overlaps| equal, interference just silenced
"strong_even"   published exponent 1 (no loss is published with it)
"strong_skewed" published exponent 2(alpha - 1), power laws with alpha > 1 (no loss either)
"hard_wall"     one active feature, overlaps that end where random-like ones do; on request
"gaussian"      isotropic Gaussian interference, best norms and biases; on request
"mean_field"    the same over the best overlaps that R^m allows; on request
"asymptotic"    not one more: names whichever published exponents apply
=============== ==========================================================================

"gaussian" and "mean_field" solve for the loss at each width (seconds).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from types import MappingProxyType
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from theory.activation import UNIFORM, Activation
from theory.checks import Sampling, check_widths, read_only
from theory.derivation import Derivation
from theory.derivation import p as frequency_symbol
from theory.features import Features
from theory.frequencies import Frequencies
from theory.mean_field.derivation import ASSUMPTIONS, derive_solved, solve_theory
from theory.prediction import Estimate, Prediction
from theory.regimes.equiangular import derive_equiangular, equiangular_parts
from theory.regimes.hard_wall import derive_hard_wall, hard_wall_parts
from theory.regimes.published import derive_even, derive_skewed, published_exponents
from theory.regimes.weak import weak_exponent, weak_parts
from theory.regimes.weak_derivation import derive_feature_loss, derive_weak
from theory.tails import case_of

Builder = Callable[[Frequencies, NDArray[np.int64], Activation], Estimate]


def predict(
    frequencies: Frequencies,
    m: ArrayLike,
    theory: str | Iterable[str] | None = None,
    activation: Activation = UNIFORM,
    *,
    one_hot: bool = False,
    executor: Executor | None = None,
) -> Prediction:
    """Predict loss and local exponent at each width, by every theory that applies.

    No prediction uses a trained model.

    Parameters
    ----------
    frequencies : Frequencies
        How often features occur.
    m : int or array_like of int
        Widths, 1 <= m <= n.
    theory : str or iterable of str, optional
        Only these; by default all that apply but "hard_wall", "gaussian" and "mean_field", which
        are given when named (the last two take seconds for each width).
    activation : Activation
        The law of v. Of the strong losses only those of "gaussian" and "mean_field" are known for
        other laws than U(0, 2).
    one_hot : bool
        For "gaussian" and "mean_field": whether exactly one feature is active at a time (E <= 1)
        instead of each independently.
    executor : concurrent.futures.Executor, optional
        Solves for several widths at once, the same numbers as one by one.

    Returns
    -------
    Prediction
        ``loss``, ``exponent`` and ``parts`` by theory name; ``expression``, ``latex``, ``explain``.

    Raises
    ------
    TypeError
        If frequencies are no ``Frequencies``.
    ValueError
        For widths outside 1..n, no theory, an unknown one, or one that does not apply to these
        frequencies (the message lists those that do); for ``one_hot`` with other theories than the
        two, or with E > 1.
    ConvergenceError
        If "gaussian" or "mean_field" does not settle.

    Examples
    --------
    >>> words = Frequencies.power_law(n=1000, alpha=1.75)
    >>> prediction = predict(words, m=[10, 25, 63])
    >>> prediction.theories
    ('weak', 'equiangular', 'strong_even', 'strong_skewed')
    >>> prediction.exponent["strong_skewed"]
    array([1.5, 1.5, 1.5])
    """
    if not isinstance(frequencies, Frequencies):
        raise TypeError(
            f"frequencies is a {type(frequencies).__name__}: build it with Frequencies.power_law, "
            ".exponential, .linear, .from_counts or .from_probabilities"
        )
    widths = read_only(check_widths(m, frequencies.n))
    known = _applicable(frequencies, activation)
    if theory is None:
        names = tuple(name for name in known if name not in _ON_REQUEST)
    else:
        names = (theory,) if isinstance(theory, str) else tuple(theory)
        published = tuple(published_exponents(frequencies))
        names = tuple(
            name for one in names for name in (published if one == "asymptotic" else (one,))
        )
    if not names:
        raise ValueError(f"theory = {theory!r} names none; those that apply: {', '.join(known)}")
    fixed = [name for name in names if name not in _SOLVED]
    if one_hot and fixed:
        raise ValueError(
            f"one_hot = True with theory {fixed[0]!r}: only {' and '.join(_SOLVED)} "
            "choose how many features are active; name one of these as theory"
        )
    for name in names:
        if name not in known:
            there = name in (*_THEORIES, *_SOLVED)
            reason = f"does not apply to {frequencies.law} frequencies here" if there else "unknown"
            raise ValueError(f"theory {name!r}: {reason}; those that apply: {', '.join(known)}")
    estimates = {
        name: _solved(name, frequencies, widths, activation, one_hot, executor)
        if name in _SOLVED
        else _THEORIES[name](frequencies, widths, activation)
        for name in names
    }
    return Prediction(frequencies, widths, MappingProxyType(estimates))


def _applicable(frequencies: Frequencies, activation: Activation) -> tuple[str, ...]:
    applies = ["weak"]
    if activation == UNIFORM:
        applies.append("equiangular")
    applies.extend(published_exponents(frequencies))
    if activation == UNIFORM:
        applies.append("hard_wall")
    return (*applies, *_SOLVED)


def _estimate(
    theory: str,
    m: NDArray[np.int64],
    loss: NDArray[np.float64],
    exponent: NDArray[np.float64],
    parts: Mapping[str, NDArray[np.float64]],
    assumptions: tuple[str, ...],
    expressions: Mapping[tuple[str, str], Any],
    derivation: Derivation,
    details: tuple[Any, ...] = (),
) -> Estimate:
    frozen = MappingProxyType({name: read_only(part) for name, part in parts.items()})
    return Estimate(
        theory,
        m,
        read_only(loss),
        read_only(exponent),
        frozen,
        assumptions,
        MappingProxyType(dict(expressions)),
        derivation,
        details,
    )


def _weak(frequencies: Frequencies, m: NDArray[np.int64], activation: Activation) -> Estimate:
    parts = weak_parts(Features(frequencies, activation), m)
    assumptions = [
        "the m features that cost most when lost, the most frequent ones, are represented exactly, "
        "without interference",
        "every other feature has W_i = 0 and its best constant output",
    ]
    # Exchanging feature 1 for feature m + 1 loses less if p_1 > p_(m+1) and p_1 + p_(m+1) > ratio.
    ratio = float(activation.moment(2) / activation.moment(1) ** 2)
    below = m[m < frequencies.n]
    next_p = frequencies.frequency(below + 1)
    cheap = below[(frequencies.largest > next_p) & (frequencies.largest + next_p > ratio)]
    if cheap.size:
        assumptions.append(
            f"at m = {', '.join(map(str, cheap))} the most frequent features are cheap to lose "
            f"(p_1 + p_(m+1) > ⟨v²⟩/⟨v⟩² = {ratio:.3g}) and not kept; the expressions, which keep "
            "the m most frequent, do not hold there"
        )
    expressions: dict[tuple[str, str], Any]
    if frequencies.law == "table":
        least, steps = derive_feature_loss(activation)
        index, first, last = sp.symbols("i m n", integer=True)
        term = least.subs(frequency_symbol, sp.IndexedBase("p")[index])
        total = sp.Sum(term, (index, first + 1, last))
        derivation = Derivation("Weak superposition, any frequencies: the loss", steps)
        expressions = {("loss", "exact"): total}
    else:
        form = derive_weak(case_of(frequencies), activation)
        derivation = form.derivation
        expressions = {("loss", limit): expr for limit, expr in form.loss.items()}
        expressions |= {("exponent", limit): expr for limit, expr in form.exponent.items()}
        assumptions.append(f"the leading term holds for {form.regime}")
    return _estimate(
        "weak",
        m,
        np.add(*parts.values()),
        weak_exponent(Features(frequencies, activation), m),
        parts,
        tuple(assumptions),
        expressions,
        derivation,
    )


def _equiangular(
    frequencies: Frequencies, m: NDArray[np.int64], activation: Activation
) -> Estimate:
    parts = equiangular_parts(frequencies, m)
    form = derive_equiangular()
    assumptions = (
        "all n directions have the same |overlap| κ, the Welch value; such a frame can exist only "
        "for n <= m(m+1)/2 (NaN elsewhere) and does exist for few (n, m)",
        "one active feature at a time (E → 0); at E near 1 several active features cost more",
        "one norm and one bias for all features, the bias just silencing all interference (a "
        "slightly higher one would lose slightly less)",
    )
    return _estimate(
        "equiangular",
        m,
        parts.pop("loss"),
        parts.pop("exponent"),
        parts,
        assumptions,
        {("loss", "exact"): form.loss, ("exponent", "exact"): form.exponent},
        form.derivation,
    )


def _hard_wall(frequencies: Frequencies, m: NDArray[np.int64], activation: Activation) -> Estimate:
    parts = hard_wall_parts(frequencies, m)
    form = derive_hard_wall()
    return _estimate(
        "hard_wall",
        m,
        parts["loss"],
        parts["exponent"],
        {"own output": parts["loss"]},
        (
            "no scaled overlap exceeds h = √(2 ln(n/m)), where those of n random-like directions "
            "end (heuristic); none is positive for n <= 2m, which loses nothing",
            "one active feature at a time (E → 0); at E near 1 several active features cost more",
            "one norm and one bias for all features, the bias just silencing all interference",
        ),
        {
            ("loss", "exact"): form.loss,
            ("loss", "leading"): form.leading_loss,
            ("exponent", "exact"): form.exponent,
            ("exponent", "leading"): form.leading_exponent,
        },
        form.derivation,
    )


def _published(name: str) -> Builder:
    def build(frequencies: Frequencies, m: NDArray[np.int64], activation: Activation) -> Estimate:
        published = derive_even() if name == "strong_even" else derive_skewed()
        value = published_exponents(frequencies)[name]
        return _estimate(
            name,
            m,
            np.full(m.shape, np.nan),
            np.full(m.shape, value),
            {},
            (published.claimed, "an exponent only: no loss is published with it"),
            {("exponent", "exact"): published.exponent},
            published.derivation,
        )

    return build


def _solved(
    name: str,
    frequencies: Frequencies,
    m: NDArray[np.int64],
    activation: Activation,
    one_hot: bool,
    executor: Executor | None,
) -> Estimate:
    sampling: Sampling = "one_hot" if one_hot else "bernoulli"
    found = solve_theory(name, Features(frequencies, activation), m, sampling, executor)

    def column(quantity: str) -> NDArray[np.float64]:
        return np.array([np.nan if one is None else getattr(one, quantity) for one in found])

    parts = {"lost": "lost", "self": "self_error", "interference": "interference"}
    return _estimate(
        name,
        m,
        column("loss"),
        column("exponent"),
        {part: column(quantity) for part, quantity in parts.items()},
        ASSUMPTIONS[name],
        {},
        derive_solved(name),
        found,
    )


_SOLVED = ("gaussian", "mean_field")
_ON_REQUEST = ("hard_wall", *_SOLVED)
_THEORIES: dict[str, Builder] = {
    "weak": _weak,
    "equiangular": _equiangular,
    "hard_wall": _hard_wall,
    "strong_even": _published("strong_even"),
    "strong_skewed": _published("strong_skewed"),
}
