"""A law of width, depth and tokens under a budget: its least loss, and how flat that is.

``plan_shape`` uses it. ``Transformer`` counts parameters, ``six_per_parameter`` compute.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize, minimize_scalar

Array = NDArray[np.float64]
Count = Callable[[float, float], float]

# ln of the largest value of an axis that is searched; a law that still gains there is refused.
_FARTHEST = 60.0
_STEP = 1e-4  # in logarithms, for the direction that keeps the parameters
_WIDE = 1e-3  # in logarithms, for second derivatives of the loss


@dataclass(frozen=True)
class BudgetedLaw:
    """A law of width, depth and tokens and a budget."""

    kind: str
    budget: float
    tokens: float | None  # at a budget of parameters
    exponents: tuple[float, ...]
    coefficients: tuple[float, ...]
    floor: float
    count_parameters: Count
    count_compute: Count

    def complete(self, width: float, depth: float) -> float:
        """Return the tokens that the budget leaves for a width and depth."""
        if self.kind == "parameters":
            return math.nan if self.tokens is None else self.tokens
        N = self.count_parameters(width, depth)

        def excess(log_tokens: float) -> float:
            return math.log(self.count_compute(N, math.exp(log_tokens)) / self.budget)

        guess = math.log(self.budget / (6 * N))
        if abs(excess(guess)) < 1e-12:
            return math.exp(guess)
        return math.exp(float(brentq(excess, guess - 20, guess + 20, xtol=1e-13)))

    def depth_of(self, width: float) -> float:
        """Return the depth that a budget of parameters leaves for a width, below 0 for none."""

        def excess(log_depth: float) -> float:
            return self.count_parameters(width, math.exp(log_depth)) - self.budget

        if excess(-_FARTHEST) >= 0 or excess(_FARTHEST) <= 0:
            return -1.0
        return math.exp(float(brentq(excess, -_FARTHEST, _FARTHEST, xtol=1e-13)))

    def loss(self, width: float, depth: float, tokens: float) -> float:
        """Return the loss of the law."""
        values = [width, depth] + ([] if math.isnan(tokens) else [tokens])
        terms = zip(self.coefficients, values, self.exponents, strict=False)
        return self.floor + math.fsum(c * x**-a for c, x, a in terms)

    def solve(self) -> tuple[float, float, float]:
        """Return the best width, depth and tokens."""
        if self.kind == "parameters":
            return self._solve_parameters()

        def objective(x: Array) -> float:
            if np.max(np.abs(x)) > _FARTHEST:
                return math.inf
            width, depth = math.exp(x[0]), math.exp(x[1])
            return math.log(self.loss(width, depth, self.complete(width, depth)) - self.floor)

        start = np.array([math.log(self.budget) / 8, math.log(self.budget) / 12])
        options = {"xatol": 1e-10, "fatol": 1e-15, "maxiter": 4000, "maxfev": 8000}
        found = minimize(objective, start, method="Nelder-Mead", options=options)
        found = minimize(objective, found.x, method="Nelder-Mead", options=options)
        if np.max(np.abs(found.x)) > _FARTHEST - 1:
            raise ValueError("the fitted law has no best shape: an axis gains without end")
        width, depth = (float(value) for value in np.exp(found.x))
        return width, depth, self.complete(width, depth)

    def _solve_parameters(self) -> tuple[float, float, float]:
        tokens = self.complete(1, 1)

        def objective(log_width: float) -> float:
            depth = self.depth_of(math.exp(log_width))
            return (
                math.log(self.loss(math.exp(log_width), depth, tokens) - self.floor)
                if depth > 0
                else math.inf
            )

        grid = np.linspace(-5, math.log(self.budget), 400)
        values = np.array([objective(x) for x in grid])
        k = int(np.argmin(values))
        if not 0 < k < grid.size - 1:
            raise ValueError("the fitted law has no best shape for this number of parameters")
        found = minimize_scalar(
            objective, bounds=(grid[k - 1], grid[k + 1]), method="bounded",
            options={"xatol": 1e-10},
        )  # fmt: skip
        width = math.exp(float(found.x))
        return width, self.depth_of(width), tokens


@dataclass(frozen=True)
class Transformer:
    """N = 12 m^2 l + V m: callable, so that a shape can be pickled."""

    vocabulary: float

    def __call__(self, width: float, depth: float) -> float:
        """Return N of a width and depth."""
        return 12 * width**2 * depth + self.vocabulary * width


def six_per_parameter(N: float, D: float) -> float:
    """Return C = 6 N D, in FLOP (Kaplan et al., arXiv 2001.08361, section 2.1)."""
    return 6 * N * D


def find_flat_directions(
    problem: BudgetedLaw, width: float, depth: float, tolerance: float
) -> pd.DataFrame:
    """Return the principal directions of the loss around its least, the flatter first."""
    basis = _along_parameters(problem, width) if problem.kind == "parameters" else np.eye(2)
    h = _WIDE

    def at(x: Array) -> float:
        m, layers = width * math.exp(x[0]), depth * math.exp(x[1])
        return problem.loss(m, layers, problem.complete(m, layers))

    count = len(basis)
    hessian = np.empty((count, count))
    here = at(np.zeros(2))
    for i in range(count):
        for j in range(count):
            a, b = h * basis[i], h * basis[j]
            if i == j:
                hessian[i, i] = (at(a) - 2 * here + at(-a)) / h**2
            else:
                hessian[i, j] = (at(a + b) - at(a - b) - at(b - a) + at(-a - b)) / (4 * h**2)
    values, vectors = np.linalg.eigh(hessian)
    rows = []
    left = problem.complete(width, depth)
    for value, vector in zip(values, vectors.T, strict=True):
        direction = vector @ basis
        direction = direction * np.sign(direction[0] or 1.0)
        move = direction * math.sqrt(2 * tolerance * here / max(float(value), 1e-300))
        m, layers = width * math.exp(move[0]), depth * math.exp(move[1])
        rows.append(
            {
                "width": m / width,
                "depth": layers / depth,
                "tokens": problem.complete(m, layers) / left,
            }
        )
    return pd.DataFrame(rows)


def _along_parameters(problem: BudgetedLaw, width: float) -> Array:
    """Return the direction (d ln m, d ln l) that keeps the number of parameters."""
    up, down = problem.depth_of(width * math.exp(_STEP)), problem.depth_of(width * math.exp(-_STEP))
    direction = np.array([1.0, math.log(up / down) / (2 * _STEP)])
    basis: Array = (direction / np.linalg.norm(direction))[None]
    return basis
