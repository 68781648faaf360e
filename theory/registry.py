"""Every theory there is: ``predict`` asks all that apply, or those that are named.

``THEORIES`` is the table of theories, one record each. To add a theory, write its module (a
function from ``Request`` to ``Estimate`` and one from ``Features`` to ``Derivation``) and append
its record here: ``predict``, plots, tables and the command line take it from the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor

import numpy as np
from numpy.typing import ArrayLike

from theory.checks import Sampling, check_sampling, check_widths, read_only
from theory.estimate import (
    LineStyle,
    Request,
    Theory,
    choose_sampling,
    need_equal_importance,
    need_independence,
    need_uniform,
)
from theory.features import Features, as_features
from theory.frequencies import Frequencies
from theory.mean_field.derivation import (
    estimate_gaussian,
    estimate_mean_field,
    gaussian_derivation,
    mean_field_derivation,
)
from theory.prediction import Prediction
from theory.regimes.equiangular import equiangular_derivation, estimate_equiangular
from theory.regimes.hard_wall import estimate_hard_wall, hard_wall_derivation
from theory.regimes.published import (
    estimate_even,
    estimate_skewed,
    even_derivation,
    refuse_unskewed,
    skewed_derivation,
)
from theory.regimes.weak import estimate_weak
from theory.regimes.weak_derivation import weak_derivation

# In the order of tables and legends. Line styles differ, so that they tell theories apart where
# colors tell curves apart.
THEORIES: tuple[Theory, ...] = (
    Theory(
        "weak",
        "the m features that cost most are kept, the rest lost; exact",
        estimate_weak,
        weak_derivation,
        LineStyle("weak", "black"),
        superposition="weak",
    ),
    Theory(
        "equiangular",
        "one active feature, all |overlaps| equal, interference just silenced",
        estimate_equiangular,
        equiangular_derivation,
        LineStyle("equiangular", "tab:blue", "--"),
        refuses=need_uniform,
        undefined="n directions overlap equally only where m < n <= m(m + 1)/2",
    ),
    Theory(
        "strong_even",
        "published exponent 1 (no loss is published with it)",
        estimate_even,
        even_derivation,
        LineStyle("strong_even", "gray", ":"),
        refuses=need_equal_importance,
        group="asymptotic",
    ),
    Theory(
        "strong_skewed",
        "published exponent 2(alpha - 1), power laws with alpha > 1 (no loss either)",
        estimate_skewed,
        skewed_derivation,
        LineStyle("strong_skewed", "tab:brown", (0, (1, 3))),
        refuses=refuse_unskewed,
        group="asymptotic",
    ),
    Theory(
        "hard_wall",
        "one active feature, overlaps that end where random-like ones do",
        estimate_hard_wall,
        hard_wall_derivation,
        LineStyle("hard_wall", "tab:purple", "-."),
        refuses=need_uniform,
        by_default=False,
        undefined="no wall below the largest overlap, or no loss and so no exponent",
    ),
    Theory(
        "gaussian",
        "isotropic Gaussian interference, best norms and biases",
        estimate_gaussian,
        gaussian_derivation,
        LineStyle("gaussian", "tab:green", (0, (5, 1, 1, 1, 1, 1))),
        refuses=need_independence,
        samplings=("bernoulli", "one_hot"),
        cost="solver",
        by_default=False,
    ),
    Theory(
        "mean_field",
        "the same over the best overlaps that R^m allows",
        estimate_mean_field,
        mean_field_derivation,
        LineStyle("mean_field", "tab:red", (0, (8, 2))),
        refuses=need_independence,
        samplings=("bernoulli", "one_hot"),
        cost="solver",
        by_default=False,
    ),
)


def predict(
    features: Features | Frequencies,
    m: ArrayLike,
    theory: str | Iterable[str] | None = None,
    *,
    sampling: Sampling = "bernoulli",
    executor: Executor | None = None,
    progress: Callable[[int], None] | None = None,
) -> Prediction:
    """Predict loss and local exponent at each width, by every theory that applies.

    No prediction uses a trained model.

    Parameters
    ----------
    features : Features or Frequencies
        What the model is shown. A bare ``Frequencies`` stands for equally important features with
        v ~ U(0, 2).
    m : int or array_like of int
        Widths, 1 <= m <= n.
    theory : str or iterable of str, optional
        Only these; by default all that apply but "hard_wall", "gaussian" and "mean_field", which
        are given when named (the last two take seconds for each width). "asymptotic" stands for
        those of "strong_even" and "strong_skewed" that apply.
    sampling : {"bernoulli", "one_hot"}
        Whether features are active independently or exactly one at a time (E <= 1); only
        "gaussian" and "mean_field" take "one_hot".
    executor : concurrent.futures.Executor, optional
        Solves for several widths at once, the same numbers as one by one.
    progress : callable, optional
        Called as progress(rounds) after each round of the solver of "gaussian" or "mean_field" at
        each width (see ``solve_mean_field``), unless an executor does the work.

    Returns
    -------
    Prediction
        ``loss``, ``exponent`` and ``parts`` by theory name, numbers for one width and arrays for a
        list of widths; ``expression``, ``latex``, ``explain``.

    Raises
    ------
    TypeError
        If ``features`` is neither a ``Features`` nor a ``Frequencies``.
    ValueError
        For widths outside 1..n, no theory, an unknown one, or one that does not apply to these
        features or this sampling (the message says why and lists those that do); for "one_hot"
        with E > 1.
    ConvergenceError
        If the solver of "gaussian" or "mean_field" does not converge.

    Examples
    --------
    >>> words = Frequencies.power_law(n=1000, alpha=1.75)
    >>> prediction = predict(words, m=[10, 25, 63])
    >>> prediction.theories
    ('weak', 'equiangular', 'strong_even', 'strong_skewed')
    >>> prediction.exponent["strong_skewed"]
    array([1.5, 1.5, 1.5])
    >>> round(predict(words, m=10).loss["weak"], 4)
    0.1504
    """
    features = as_features(features)
    widths = read_only(check_widths(m, features.n))
    check_sampling(sampling, features.density)
    chosen = _choose(features, theory, sampling)
    if need_independence(features) is None:
        sampling = choose_sampling(features, sampling)
    request = Request(features, widths, sampling, executor, progress)
    estimates = {one.name: one.estimate(request) for one in chosen}
    scalar = np.ndim(m) == 0
    if scalar:
        estimates = {name: one.at_the_only_width() for name, one in estimates.items()}
    return Prediction(
        features,
        int(widths[0]) if scalar else widths,
        estimates,
        {one.name: one for one in chosen},
    )


def line_styles(names: Iterable[str]) -> dict[str, LineStyle]:
    """Return the style of each theory's line; other names, such as "random", get one as well.

    Examples
    --------
    >>> styles = line_styles(["weak", "random"])
    >>> styles["weak"].color, styles["random"].label
    ('black', 'random')
    """
    known = {one.name: one.line for one in THEORIES}
    others = [name for name in dict.fromkeys(names) if name not in known]
    # Color cycle and dashes of growing length: any number of names can be told apart.
    generic = {
        name: LineStyle(name, f"C{k % 10}", "-" if k == 0 else (0, (2 * k, 2)))
        for k, name in enumerate(others)
    }
    return {name: known.get(name) or generic[name] for name in names}


def _choose(
    features: Features, theory: str | Iterable[str] | None, sampling: Sampling
) -> list[Theory]:
    applying = [one for one in THEORIES if one.applies(features)]
    if theory is None:
        chosen = [one for one in applying if one.by_default]
    else:
        names = [theory] if isinstance(theory, str) else list(theory)
        chosen = [one for name in names for one in _look_up(name, features, applying)]
    if not chosen:
        raise ValueError(f"theory = {theory!r} names none; those that apply: {_list(applying)}")
    unable = [one.name for one in chosen if sampling not in one.samplings]
    if unable:
        able = " or ".join(one.name for one in applying if sampling in one.samplings)
        raise ValueError(
            f"theory {unable[0]!r} does not take sampling = {sampling!r}: name {able} as theory"
        )
    return list(dict.fromkeys(chosen))


def _look_up(name: str, features: Features, applying: list[Theory]) -> list[Theory]:
    """Return the theory of this name, or those of a group that apply."""
    found = [one for one in THEORIES if name == one.name or (name and name == one.group)]
    able = [one for one in found if one in applying]
    if not found:
        raise ValueError(f"theory {name!r}: unknown; those that apply: {_list(applying)}")
    if not able:
        raise ValueError(
            f"theory {name!r} does not apply here: {found[0].refuses(features)}; "
            f"those that apply: {_list(applying)}"
        )
    return able


def _list(theories: list[Theory]) -> str:
    return ", ".join(one.name for one in theories)
