"""The published recipe as a theory, "paper_recipe", for ``predict(…, recipe="paper")``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from theory.dead_features.recipe import Recipe
from theory.derivation import Derivation, Step, m, n, p
from theory.estimate import Estimate, Request, SolverProgress, need_uniform
from theory.features import Features
from theory.mean_field.solver.state import ConvergenceError

if TYPE_CHECKING:
    from theory.dead_features.loss import RecipeLoss

ASSUMPTIONS = (
    "the published recipe for small models: AdamW from b ~ N(0, 1); features that die keep the "
    "loss 4/3 p, the others reach the mean field",
    "each feature is three numbers: component along one common direction, private norm, bias; "
    "private directions are isotropic; like features begin at two components, 1/√m about the mean",
    "rows of the 20 most frequent features turn away from each output that they make fire; others "
    "turn until the overlaps that made outputs fire are undone: an estimate of size",
    "checked against the published losses of Figures 7b and 1d and 25 trained models "
    "(docs/science/dead_features.md): within 15 % on Figure 7b; up to 2.1 times too low where "
    "rates are those of Figure 1d, frequencies exponential and m large",
    "weight decay of 0 and below: rows that decay lose more than the mean field of those that live",
)
# What the reduced model was compared with, at the rates of the recipe: n, n/m, alpha, E.
_RANGE: dict[str, tuple[float, float]] = {"n": (300, 3000), "n/m": (6, 100), "E": (0.3, 3.5)}
# Widths are compared over this factor for the local exponent.
_SPAN = 1.25


def need_one_mean_field(features: Features) -> str | None:
    """Refuse what the reduced model does not know, and a single feature."""
    if features.n < 4:
        return "it is for many features: give at least four"
    return need_uniform(features)


def estimate_paper_recipe(request: Request) -> Estimate:
    """Return loss and exponent of the published recipe, for ``predict``.

    The exponent is the slope between the widths m and 1.25 m (m/1.25 and m where that is more than
    n). NaN where fewer than m features are left alive, or the mean field is not found.

    Examples
    --------
    >>> from theory.frequencies import Frequencies
    >>> words = Features(Frequencies.power_law(60, alpha=1.0))
    >>> found = estimate_paper_recipe(Request(words, np.array([10])))
    >>> bool(found.parts["dead"][0] > 0)
    True
    """
    features, widths = request.features, [int(width) for width in request.m]
    recipe = request.recipe or Recipe()
    needed = sorted({one for width in widths for one in _ends(width, features.n)})
    solve = partial(_solve, features, recipe=recipe, bias=request.bias)
    found: dict[int, RecipeLoss | Exception] = {}
    if request.executor is None:
        for k, width in enumerate(needed):
            if request.progress is not None:
                request.progress(SolverProgress("paper_recipe", width, k + 1, len(needed), 0))
            found[width] = solve(width)
    else:
        found = dict(zip(needed, request.executor.map(solve, needed), strict=True))
    if all(isinstance(found[width], Exception) for width in widths):
        reason = found[widths[0]]
        raise ConvergenceError(str(reason))

    def column(name: str) -> NDArray[np.float64]:
        values = [found[width] for width in widths]
        return np.array([_value(one, name) for one in values])

    slopes = []
    for width in widths:
        low, high = _ends(width, features.n)
        ratio = _value(found[high], "loss") / _value(found[low], "loss")
        slopes.append(-np.log(ratio) / np.log(high / low) if high > low else np.nan)
    failed = [
        f"paper_recipe has no loss at m = {width}: {found[width]}"
        for width in widths
        if isinstance(found[width], Exception)
    ]
    parts = {"dead": column("dead_loss"), "live": column("live_loss")}
    return Estimate(
        column("loss"),
        np.array(slopes),
        parts,
        ASSUMPTIONS,
        notes=(*failed, *_warn(features, widths)),
    )


def _ends(width: int, n: int) -> tuple[int, int]:
    """Return a width and a neighbour, in order, whose losses give the local exponent."""
    other = max(round(width * _SPAN), width + 1)
    if other > n:
        other = max(min(round(width / _SPAN), width - 1), 1)
    return min(width, other), max(width, other)


def _solve(
    features: Features, width: int, recipe: Recipe, bias: NDArray[np.float64] | None
) -> RecipeLoss | Exception:
    from theory.dead_features.loss import predict_recipe_loss  # loads numba and the solver

    if width < 2:
        return ConvergenceError("one dimension has no law of overlaps")
    try:
        return predict_recipe_loss(features, width, recipe, bias=bias)
    except (ValueError, ArithmeticError) as error:
        return error


def _value(found: RecipeLoss | Exception, name: str) -> float:
    return np.nan if isinstance(found, Exception) else float(getattr(found, name))


def _warn(features: Features, widths: list[int]) -> list[str]:
    """Say what lies outside the settings that the reduced model was compared with."""
    values: dict[str, list[float]] = {
        "n": [features.n],
        "n/m": [features.n / width for width in widths],
        "E": [features.density],
    }
    outside = [
        f"{name} = {min(given):.4g}" + (f" to {max(given):.4g}" if max(given) > min(given) else "")
        for name, given in values.items()
        if min(given) < _RANGE[name][0] or max(given) > _RANGE[name][1]
    ]
    if not outside:
        return []
    where = ", ".join(f"{name} {low:g} to {high:g}" for name, (low, high) in _RANGE.items())
    verb = "lie" if len(outside) > 1 else "lies"
    return [
        f"paper_recipe: {' and '.join(outside)} {verb} outside what it was checked on ({where})"
    ]


def paper_recipe_derivation(features: Features) -> Derivation:
    """Return the steps from the recipe to the loss that it ends at."""
    c, q, r, b, e, u = sp.symbols("c q r b e u")
    t = sp.Function("theta")
    k = sp.Symbol("k", integer=True)
    dead = sp.IndexedBase("p")
    gaussian = sp.Function("Phi")
    steps = (
        Step(
            "common direction",
            "Outputs with b > 0 err at every sample. Along C = Σ ReLU(b) W and P = Σ p W descent "
            "gives dC/dt = -(Σ ReLU(b)²) P and dP/dt = -(Σ p²) C: both grow along one direction e",
        ),
        Step("a row", "is a part along e and a private one, u isotropic", c * e + q * u),
        Step(
            "dynamics",
            "Mean gradients of c, q and b over samples, and their mean squares, are stepped by "
            "Adam with the rates, decay and batch of the recipe",
        ),
        Step(
            "death",
            "A feature does not hear its own largest input, v = 2, and never learns again, if",
            sp.Le(2 * r**2 + b, 0),
        ),
        Step(
            "threshold",
            "which happens to biases at the start below θ(rank); over b ~ N(0, 1) the dead lose",
            sp.Rational(4, 3) * sp.Sum(dead[k] * gaussian(t(k)), (k, 1, n)),
        ),
        Step(
            "the others",
            "reach the mean field of their own number at this width",
            sp.Function("L_mf")(m, (1 - gaussian(t(k))) * p),
        ),
    )
    return Derivation("The loss of the published recipe", steps)
