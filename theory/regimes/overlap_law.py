"""The law of the overlap of two random directions, derived, and the Welch bound as an expression.

``theory.directions`` has the same as numbers, for which sympy is not loaded.
"""

from __future__ import annotations

from functools import lru_cache

import sympy as sp

from theory.derivation import Derivation, Step, m, n

_t, _k, _s = sp.symbols("t k s", positive=True)


@lru_cache(maxsize=1)
def derive_overlap_law() -> Derivation:
    """Derive the law of t and its moments ⟨|t|^(2k)⟩ by symbolic integration.

    Examples
    --------
    >>> derive_overlap_law()["mean square"]
    1/m
    >>> derive_overlap_law()["variance of square"]
    2*(m - 1)/(m**2*(m + 2))
    """
    # Slices of the sphere S^(m-1) at height t are spheres of radius (1-t²)^(1/2): density
    # ∝ (1-t²)^((m-3)/2), symmetric. In s = t² that is a Beta(1/2, (m-1)/2) density.
    q = sp.Symbol("q", positive=True)  # (m - 1)/2
    integral = sp.integrate(_s ** (_k - sp.Rational(1, 2)) * (1 - _s) ** (q - 1), (_s, 0, 1))
    integral = sp.gammasimp(sp.hyperexpand(integral)).subs(q, (m - 1) / 2)
    moment = sp.gammasimp(integral / integral.subs(_k, 0))
    second, fourth = (sp.factor(sp.gammasimp(moment.subs(_k, k))) for k in (1, 2))
    return Derivation(
        "Overlap t of two independent uniform directions in R^m",
        (
            Step(
                "density",
                "The slice of the unit sphere at height t is a sphere of radius √(1-t²) in m - 1 "
                "dimensions, so the density of t on (-1, 1) is proportional to",
                (1 - _t**2) ** ((m - 3) / 2),
            ),
            Step(
                "moment",
                "⟨|t|^(2k)⟩, by integration over s = t² (a Beta(1/2, (m-1)/2) law):",
                moment,
            ),
            Step("mean square", "k = 1:", second),
            Step("fourth moment", "k = 2:", fourth),
            Step("variance of square", "⟨t⁴⟩ - ⟨t²⟩²:", sp.factor(fourth - second**2)),
            Step("mean absolute", "k = 1/2:", sp.gammasimp(moment.subs(_k, sp.Rational(1, 2)))),
        ),
    )


# Least mean squared overlap of n directions in R^m, and the most that can all be equal.
welch_expression = (n - m) / (m * (n - 1))
capacity_expression = m * (m + 1) / 2
