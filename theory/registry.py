"""Every theory there is: ``predict`` asks all that apply, or those that are named.

``THEORIES`` is the table of theories, one record each. To add a theory, write its module (a
function from ``Request`` to ``Estimate`` and one from ``Features`` to ``Derivation``) and append
its record here: ``predict``, plots, tables and the command line take it from the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from contextlib import nullcontext
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from theory.checks import Sampling, check_sampling, check_widths, read_only
from theory.computing.argument_kinds import check_kinds
from theory.computing.progress import show_progress
from theory.dead_features.recipe import Recipe, check_bias, check_recipe
from theory.dead_features.theory import (
    estimate_paper_recipe,
    need_one_mean_field,
    paper_recipe_derivation,
)
from theory.estimate import (
    Estimate,
    Evidence,
    LineStyle,
    Request,
    SolverProgress,
    Superposition,
    Theory,
    choose_sampling,
    need_equal_importance,
    need_independence,
    need_two_features,
    need_uniform,
    refuse_many,
)
from theory.features import Features, as_features
from theory.figures.style import BLACK, BLUE, BROWN, GREEN, GREY, ORANGE, PURPLE, VERMILION, curve
from theory.frequencies import Frequencies
from theory.mean_field.derivation import (
    estimate_gaussian,
    estimate_mean_field,
    gaussian_derivation,
    mean_field_derivation,
)
from theory.mean_field.solver.state import ConvergenceError
from theory.prediction import Prediction
from theory.regimes.equiangular import equiangular_derivation, estimate_equiangular
from theory.regimes.hard_wall import estimate_hard_wall, hard_wall_derivation
from theory.regimes.large_deviations import (
    estimate_large_deviations,
    large_deviations_derivation,
    refuse_uneven,
)
from theory.regimes.published import (
    estimate_even,
    estimate_skewed,
    even_derivation,
    refuse_unskewed,
    skewed_derivation,
)
from theory.regimes.weak import estimate_weak
from theory.regimes.weak_derivation import weak_derivation

# The theory of what a recipe ends at.
_RECIPE = "paper_recipe"
_PAGE = "docs/science/theories.md"
_STUDY = "studies/mean_field/theories.json"
_CELLS = "the trained losses of studies/mean_field/cells.csv, strong superposition"

# In the order of tables and legends: what is solved, what was published, cheaper forms. Line styles
# differ, so that they tell theories apart where colors tell curves apart.
THEORIES: tuple[Theory, ...] = (
    Theory(
        "mean_field",
        "strong superposition, solved: the best norms, biases and overlaps that R^m allows",
        estimate_mean_field,
        mean_field_derivation,
        LineStyle("mean field", BLUE, "-"),
        refuses=need_two_features,
        samplings=("bernoulli", "one_hot"),
        cost="solver",
        undefined="it needs m >= 2: one dimension has no law of overlaps",
        assumes="overlaps of different pairs are independent draws; half of their degrees of "
        "freedom can be optimised (a heuristic); nothing is fitted",
        evidence=Evidence(
            _CELLS,
            42,
            0.0311,
            0.0754,
            "studies/mean_field/against_training.json",
            "docs/science/mean_field.md",
        ),
        seconds="1 to 8 s, up to a minute for steep frequencies",
        not_by_default=refuse_many,
    ),
    Theory(
        "strong_even",
        "published exponent 1 (no loss is published with it)",
        estimate_even,
        even_derivation,
        LineStyle("published, even", GREY, ":"),
        refuses=need_equal_importance,
        group="asymptotic",
        assumes="overlaps of all features are isotropic, with mean square 1/m",
        evidence=Evidence(
            "slopes of models trained at alpha = 0 to 2, n/m = 85 to 11",
            63,
            0.652,
            1.13,
            _STUDY,
            "docs/science/exponents.md",
            "exponent",
        ),
    ),
    Theory(
        "strong_skewed",
        "published exponent 2(alpha - 1), power laws with alpha > 1 (no loss either)",
        estimate_skewed,
        skewed_derivation,
        LineStyle("published, skewed", BROWN, (0, (1, 3))),
        refuses=refuse_unskewed,
        group="asymptotic",
        assumes="about m²/2 frequent features have equal overlaps, and the rest is the loss",
        evidence=Evidence(
            "slopes of models trained at alpha = 1.25 to 2, n/m = 85 to 11",
            28,
            0.637,
            1.41,
            _STUDY,
            "docs/science/exponents.md",
            "exponent",
        ),
    ),
    Theory(
        "weak",
        "weak superposition: the m features that cost most are kept, the rest lost; exact",
        estimate_weak,
        weak_derivation,
        LineStyle("weak", BLACK, (0, (5, 2))),
        superposition="weak",
        assumes="kept features do not interfere; the m kept are those that cost most",
        evidence=Evidence(
            "models trained with weight decay 0.56 to 1, alpha = 0 to 2, n = 1000",
            306,
            0.181,
            0.436,
            _STUDY,
            _PAGE,
        ),
    ),
    Theory(
        "equiangular",
        "one active feature, all |overlaps| equal, interference just silenced",
        estimate_equiangular,
        equiangular_derivation,
        LineStyle("equiangular", PURPLE, "--"),
        refuses=need_uniform,
        by_default=False,
        undefined="n directions overlap equally only where m < n <= m(m + 1)/2",
        assumes="one feature is active at a time, of all equally often; all rows overlap equally",
        evidence=Evidence(
            f"{_CELLS}, where it has a loss", 15, 6.94, 50.6, _STUDY, _PAGE, "factor"
        ),
    ),
    Theory(
        "hard_wall",
        "one active feature, overlaps that end where random-like ones do",
        estimate_hard_wall,
        hard_wall_derivation,
        LineStyle("hard wall", ORANGE, "-."),
        refuses=need_uniform,
        by_default=False,
        undefined="no wall below the largest overlap, or no loss and so no exponent",
        assumes="one feature is active at a time, of all equally often; no overlap exceeds "
        "√(2 ln(n/m)/m)",
        evidence=Evidence(
            f"{_CELLS}, where it has a loss", 36, 2.04, 138.0, _STUDY, _PAGE, "factor"
        ),
    ),
    Theory(
        "large_deviations",
        "even frequencies, n → ∞: interference ends at a large deviation; the rest is lost",
        estimate_large_deviations,
        large_deviations_derivation,
        LineStyle("large deviations", PURPLE, (0, (3, 1, 1, 1, 1, 1))),
        refuses=refuse_uneven,
        by_default=False,
        assumes="isotropic Gaussian overlaps; leading order in ln(n/E), any E; equal features",
        evidence=Evidence(
            "the mean field at alpha = 0, n = 300 to 10 000, E = 0.1 to 30, m from m_c/2 to 4 m_c",
            96,
            1.502,
            3.311,
            "studies/transition/limits.json",
            "docs/science/transition.md",
            "factor",
        ),
    ),
    Theory(
        "gaussian",
        "isotropic Gaussian interference, best norms and biases",
        estimate_gaussian,
        gaussian_derivation,
        LineStyle("Gaussian", GREEN, (0, (5, 1, 1, 1, 1, 1))),
        refuses=need_two_features,
        samplings=("bernoulli", "one_hot"),
        cost="solver",
        by_default=False,
        undefined="it needs m >= 2: one dimension has no law of overlaps",
        assumes="overlaps are Gaussian with the Welch mean square: not optimised",
        evidence=Evidence(_CELLS, 42, 1.88, 10.2, _STUDY, _PAGE, "factor"),
        seconds="0.2 to 2 s",
    ),
    Theory(
        _RECIPE,
        "the published training: features that die of their random biases, and the mean field of "
        "the others",
        estimate_paper_recipe,
        paper_recipe_derivation,
        LineStyle("published recipe", VERMILION, (0, (4, 1, 1, 1))),
        refuses=need_one_mean_field,
        cost="solver",
        by_default=False,
        undefined="it needs m >= 2, and as many features alive",
        assumes="three numbers a feature under Adam; private directions are isotropic, except from "
        "the most frequent rows; weight decay of 0 or less; nothing is fitted",
        evidence=Evidence(
            "the published losses of Figures 7b and 1d",
            36,
            1.10,
            1.61,
            "studies/dead_features/losses.json",
            "docs/science/dead_features.md",
            "factor",
        ),
        seconds="6 to 30 s",
    ),
)


@check_kinds
def predict(
    features: Features | Frequencies,
    m: ArrayLike,
    theory: str | Iterable[str] | None = None,
    *,
    sampling: Sampling = "bernoulli",
    recipe: Literal["paper"] | Recipe | None = None,
    weight_decay: float | None = None,
    bias: ArrayLike | None = None,
    executor: Executor | None = None,
    progress: bool | Callable[[SolverProgress], None] = False,
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
        Only these; by default, of those that apply, the solved theory "mean_field" (about a second
        for each width), the published exponents "strong_even" and "strong_skewed", and "weak".
        Others by name: see ``THEORIES``, or ``superscale theories``. "asymptotic" stands for those
        of "strong_even" and "strong_skewed" that apply. Above 100 000 features "mean_field" is
        given when named.
    sampling : {"bernoulli", "one_hot"}
        Whether features are active independently or exactly one at a time (E <= 1); only
        "mean_field" and "gaussian" take "one_hot".
    recipe : "paper" or Recipe, optional
        Predicts what this training ends at, by the theory "paper_recipe" unless others are named,
        instead of the least loss. "paper" is the published recipe for small models; a
        ``theory.dead_features.recipe.Recipe`` names other rates, batch and steps. Biases start at
        N(0, 1), so that features die (docs/science/dead_features.md).
    weight_decay : float, optional
        Of the recipe "paper", -1 unless given; not above 0.
    bias : array_like, shape (n,), optional
        Biases at the start, in the order of the frequencies, for a recipe. Without them the loss
        is the mean over biases N(0, 1).
    executor : concurrent.futures.Executor, optional
        Solves for several widths at once, the same numbers as one by one.
    progress : bool or callable
        True shows on stderr, from two seconds of work on, what is solved for. A function is called
        with a ``SolverProgress`` after each round of a solver, unless an executor does the work.

    Returns
    -------
    Prediction
        ``loss``, ``exponent`` and ``parts`` by theory name, numbers for one width and arrays for a
        list of widths; ``expression``, ``latex``, ``explain``. Where a solver does not converge at
        some widths, or a theory is left out by default, ``notes`` says so.

    Raises
    ------
    TypeError
        If ``features`` is neither a ``Features`` nor a ``Frequencies``.
    ValueError
        For widths outside 1..n, no theory, an unknown one, or one that does not apply to these
        features or this sampling (the message says why and lists those that do); for "one_hot"
        with E > 1; for a recipe with weight decay above 0; for weight decay or biases
        without a recipe.
    ConvergenceError
        If a theory that is named converges at no width, or no other theory is left.

    Examples
    --------
    >>> words = Frequencies.power_law(n=1000, alpha=1.75)
    >>> prediction = predict(words, m=[10, 25])
    >>> prediction.theories
    ('mean_field', 'strong_even', 'strong_skewed', 'weak')
    >>> prediction.loss["mean_field"].round(3)
    array([0.062, 0.011])
    >>> prediction.exponent["strong_skewed"]
    array([1.5, 1.5])
    >>> round(predict(words, m=10, theory="weak").loss["weak"], 4)
    0.1504
    >>> found = predict(Frequencies.power_law(100, alpha=1.0), m=10, recipe="paper")
    >>> found.theories, bool(0 < found.parts["paper_recipe"]["dead"] < found.loss["paper_recipe"])
    (('paper_recipe',), True)
    """
    features = as_features(features)
    widths = read_only(check_widths(m, features.n))
    check_sampling(sampling, features.density)
    trained = check_recipe(recipe, weight_decay)
    if trained is None and bias is not None:
        raise ValueError('bias is where a recipe begins: give recipe="paper" with it')
    start = None if bias is None else features.frequencies.by_rank(check_bias(bias, features.n))
    if trained is not None and theory is None:
        theory = _RECIPE
    chosen, notes = _choose(features, theory, sampling)
    if trained is not None and _RECIPE not in [one.name for one in chosen]:
        raise ValueError(
            f"recipe is for the theory {_RECIPE!r}: name it too, or leave the recipe out"
        )
    if need_independence(features) is None:
        sampling = choose_sampling(features, sampling)
    watch = show_progress("predicting") if progress is True else nullcontext(progress or None)
    estimates: dict[str, Estimate] = {}
    with watch as tell:
        request = Request(features, widths, sampling, executor, tell, trained, start)
        for one in chosen:
            try:
                estimates[one.name] = one.estimate(request)
            except ConvergenceError as error:
                if theory is not None or len(chosen) == 1:
                    raise
                notes.append(f"{one.name} left out: {error}")
    scalar = np.ndim(m) == 0
    if scalar:
        estimates = {name: one.at_the_only_width() for name, one in estimates.items()}
    return Prediction(
        features,
        int(widths[0]) if scalar else widths,
        estimates,
        {one.name: one for one in chosen if one.name in estimates},
        (*notes, *(note for one in estimates.values() for note in one.notes)),
    )


def default_theories(
    features: Features | Frequencies,
    superposition: Superposition = "strong",
    sampling: Sampling = "bernoulli",
) -> tuple[str, ...]:
    """Return the theories that are shown unasked, in order, beside models of one kind.

    Beside weak superposition stands the weak theory alone, beside strong superposition all that
    ``predict`` gives by default.

    Examples
    --------
    >>> words = Frequencies.power_law(n=1000, alpha=1.0)
    >>> default_theories(words), default_theories(words, "weak")
    (('mean_field', 'strong_even', 'weak'), ('weak',))
    """
    features = as_features(features)
    return tuple(
        one.name
        for one in THEORIES
        if one.by_default
        and one.applies(features)
        and sampling in one.samplings
        and one.not_by_default(features) is None
        and (superposition == "strong" or one.superposition == "weak")
    )


@check_kinds
def theories(features: Features | Frequencies | None = None) -> pd.DataFrame:
    """Return a table of the theories: what each assumes, where it was checked, its error and cost.

    Parameters
    ----------
    features : Features or Frequencies, optional
        Adds the column "applies": "yes", or why a theory does not apply to these.

    Returns
    -------
    DataFrame
        A row for each theory: theory, summary, assumes, checked, error, source (the file that holds
        these results), page, cost (of one width), shown ("by default" or "by name").

    Examples
    --------
    >>> table = theories(Frequencies.power_law(n=1000, alpha=1.0)).set_index("theory")
    >>> table.loc["mean_field", "error"]
    '3.1 % (median), 90 % within 7.5 %'
    >>> table.loc["strong_skewed", "applies"]
    'its exponent is claimed for power laws with alpha > 1'
    """
    rows = []
    for one in THEORIES:
        evidence = one.evidence
        row = {"theory": one.name, "summary": one.summary, "assumes": one.assumes}
        row["checked"] = evidence.where if evidence else "nowhere"
        row["error"] = evidence.error if evidence else ""
        row["source"] = evidence.source if evidence else ""
        row["page"] = evidence.page if evidence else ""
        row |= {"cost": one.seconds, "shown": "by default" if one.by_default else "by name"}
        if features is not None:
            row["applies"] = one.refuses(as_features(features)) or "yes"
        rows.append(row)
    return pd.DataFrame(rows)


def line_styles(names: Iterable[str]) -> dict[str, LineStyle]:
    """Return the style of each theory's line; other names, such as "random", get one as well.

    Examples
    --------
    >>> styles = line_styles(["weak", "random"])
    >>> styles["weak"].color, styles["random"].label
    ('#000000', 'random')
    """
    known = {one.name: one.line for one in THEORIES}
    others = [name for name in dict.fromkeys(names) if name not in known]
    # Dashes of growing length: any number of names can be told apart.
    generic = {
        name: LineStyle(
            name.replace("_", " "), curve(k)["color"], "-" if k == 0 else (0, (2 * k, 2))
        )
        for k, name in enumerate(others)
    }
    return {name: known.get(name) or generic[name] for name in names}


def _choose(
    features: Features, theory: str | Iterable[str] | None, sampling: Sampling
) -> tuple[list[Theory], list[str]]:
    """Return the theories to ask, and why some that are shown by default are not among them."""
    applying = [one for one in THEORIES if one.applies(features)]
    notes: list[str] = []
    if theory is None:
        shown = default_theories(features, sampling=sampling)
        chosen = [one for one in applying if one.name in shown]
        reasons = {one.name: one.not_by_default(features) for one in applying if one.by_default}
        notes = [f"{name} left out: {reason}" for name, reason in reasons.items() if reason]
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
    return list(dict.fromkeys(chosen)), notes


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
