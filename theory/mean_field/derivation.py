"""Theories whose loss is solved for at each width, in seconds: "gaussian" and "mean_field".

``predict(features, m, theory="mean_field")`` calls ``estimate_mean_field``, which solves at each
width; ``prediction["mean_field"].details`` then holds the solutions.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from theory.derivation import Derivation, Step, m, n
from theory.estimate import Estimate, Request, SolverProgress
from theory.features import Features
from theory.mean_field.solution import MeanField
from theory.mean_field.solver.state import ConvergenceError

_INDEPENDENT = (
    "each output sees a sum of independent terms: the overlaps of different pairs are drawn "
    "independently from the law of the pair's groups"
)
_KEPT = (
    "features whose loss is larger live than lost, I_i (⟨v²⟩ p_i - ⟨v⟩² p_i²), are lost, the least "
    "I_i p_i first"
)
_CHECKED = (
    "checked against trained losses at n = 300 … 3000, n/m = 7 … 86, alpha = 0 … 2, exponential "
    "and linear frequencies, E = 0.3 … 3 (docs/science/mean_field.md); beyond, it is unchecked"
)
ASSUMPTIONS = {
    "gaussian": (
        _INDEPENDENT,
        "overlaps are Gaussian with the Welch mean square: an isotropic frame, not optimised",
        _KEPT,
    ),
    "mean_field": (
        _INDEPENDENT,
        "the displacements D of overlaps among the s most important features, for every s, are at "
        "most Σ_{i<j<=s} ⟨D_ij²⟩ <= s m/2: half of their degrees of freedom, a heuristic",
        "averaged over groups the Gegenbauer matrices of degree 1 to 6 are positive semidefinite: "
        "a theorem, for any rows",
        _KEPT,
        "if antipodal pairs of features lose less (at n < 3m), they are the result, exactly",
        "norms are free: weight growth and decay (gamma) do not enter",
        _CHECKED,
    ),
}


def estimate_gaussian(request: Request) -> Estimate:
    """Return loss and exponent over Gaussian overlaps, for ``predict``.

    Examples
    --------
    >>> from theory.frequencies import Frequencies
    >>> even = Frequencies.power_law(40, alpha=0.0)
    >>> found = estimate_gaussian(Request(Features(even), np.array([20])))
    >>> bool(0 < found.loss[0] < 1)
    True
    """
    return _estimate("gaussian", request)


def estimate_mean_field(request: Request) -> Estimate:
    """Return loss and exponent over the best overlaps, for ``predict``."""
    return _estimate("mean_field", request)


def _estimate(name: str, request: Request) -> Estimate:
    """Solve at each width, one by one or by the executor.

    NaN at width 1 (no law of overlaps) and where the solver does not converge, with the reason;
    where it converges at no width, its error is raised.
    """
    optimised = name == "mean_field"
    widths = [int(width) for width in request.m]
    solve = partial(_solve, request.features, sampling=request.sampling, optimised=optimised)
    if request.executor is None:
        found = [solve(m, progress=_tell(name, request, k)) for k, m in enumerate(widths)]
    else:
        found = list(request.executor.map(solve, widths))
    failed = {m: one for m, one in zip(widths, found, strict=True) if isinstance(one, Exception)}
    if failed and not any(isinstance(one, MeanField) for one in found):
        raise next(iter(failed.values()))
    solved = tuple(one if isinstance(one, MeanField) else None for one in found)

    def column(quantity: str) -> NDArray[np.float64]:
        return np.array([np.nan if one is None else getattr(one, quantity) for one in solved])

    parts = {"lost": "lost", "self": "self_error", "interference": "interference"}
    return Estimate(
        column("loss"),
        column("exponent"),
        {part: column(quantity) for part, quantity in parts.items()},
        ASSUMPTIONS[name],
        solved,
        tuple(f"{name} has no loss at m = {m}: {error}" for m, error in failed.items()),
    )


def _tell(name: str, request: Request, k: int) -> Callable[[int], None] | None:
    """Return what the solver calls after each round at the k-th width."""
    progress, widths = request.progress, request.m.size
    if progress is None:
        return None
    width = int(request.m[k])
    return lambda rounds: progress(SolverProgress(name, width, k + 1, widths, rounds))


def _solve(features: Features, width: int, **how: Any) -> MeanField | ArithmeticError | None:
    from theory.mean_field.solve import solve_mean_field  # loads numba, which few predictions need

    if width < 2:
        return None
    try:
        return solve_mean_field(features, width, **how)
    except (ConvergenceError, np.linalg.LinAlgError) as error:
        return error if isinstance(error, ConvergenceError) else ConvergenceError(str(error))


def gaussian_derivation(features: Features) -> Derivation:
    """Return the steps from the model to what "gaussian" minimises."""
    return derive_solved("gaussian")


def mean_field_derivation(features: Features) -> Derivation:
    """Return the steps from the model to what "mean_field" minimises."""
    return derive_solved("mean_field")


@lru_cache(maxsize=2)
def derive_solved(name: str) -> Derivation:
    """Return the steps from the model to what is minimised."""
    t, z, s, b = sp.symbols("t z s b")
    M = sp.Function("M")
    transform = 2 * sp.exp(s * b) * M(s) / s**3
    steps = [
        Step(
            "transform",
            "Output i sees b_i + S, S a sum of independent terms r_i r_j t_ij x_j/√m with the "
            "transform M(s). While its own input is silent it costs ⟨ReLU(b + S)²⟩, the inverse "
            "Laplace transform of",
            transform,
        ),
    ]
    if name == "gaussian":
        variance = (n - m) / (n - 1)
        steps.append(
            Step("overlaps", "Scaled overlaps t are Gaussian, with the Welch variance", variance)
        )
    else:
        D = sp.Function("D_gh")
        number = sp.Symbol("s")
        steps += [
            Step(
                "overlaps",
                "Random directions have t = z of variance 1; optimisation displaces it",
                sp.Eq(t, z + D(z)),
            ),
            Step(
                "budget",
                "s rows have s m degrees of freedom, of which half can be used (a heuristic): the "
                "sum of ⟨D²⟩ over pairs of the s most important features is at most",
                number * m / 2,
            ),
            Step(
                "budget of equal features",
                "Over n(n - 1)/2 pairs this bounds the Wasserstein distance W² of the laws of t "
                "and z by",
                m / (n - 1),
            ),
            Step(
                "positivity",
                "Gegenbauer polynomials of u_i·u_j are positive semidefinite matrices (Schoenberg "
                "1942), also averaged over groups; of degree 2 that is the Welch bound on ⟨t²⟩",
                sp.Ge(sp.Symbol("t2"), (n - m) / (n - 1)),
            ),
        ]
    steps.append(Step("minimum", "The loss is the minimum over norms, biases and displacements."))
    return Derivation(f"Strong superposition solved: {name.replace('_', ' ')}", tuple(steps))
