"""The exact loss and its gradient as one function of W and b, for descents: ``LossFunction``.

``population_loss`` certifies one loss; a descent calls thousands. Independent features go through
the same kernels here, once and at a fixed tolerance, without parts and report. Everything else (one
active feature at a time, dependent features) is asked of ``population_loss``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.loss.exact import population_loss
from numerics.loss.laplace_kernels import expected_rows, expected_slopes
from numerics.loss.laplace_plan import THETA, plan_rows
from numerics.loss.law_table import law_tables
from numerics.loss.one_active_kernels import few_active_rows
from numerics.row_threads import over_rows
from numerics.toy_model import ToyModel
from theory.checks import Sampling
from theory.features import Features

Array = NDArray[np.float64]
# Whether each mean is that of the reflection, and its abscissa, step and number of ordinates.
Plan = tuple[NDArray[np.bool_], Array]

# Overlaps of two features below this are taken as 0. To first order they act as a shift of the
# bias, by which the loss has no slope at a minimum.
_NOTHING = 1e-7
# Number of features from which rows are computed in threads.
_THREADED = 40
# Compiled: means and their slopes.
_KERNELS: tuple[Any, Any] = expected_rows, expected_slopes
# Norm of W and size of b, in the units of a represented feature, beyond which no minimum lies.
_FAR = 1e3
# Tightest relative tolerance that is asked of ``population_loss``.
_TIGHTEST = 1e-11


@dataclass(frozen=True, eq=False)
class LossFunction:
    """Loss and gradient over the vector x = (W row by row, b), in units of ``scale``.

    Attributes
    ----------
    features : Features
        What the model is shown.
    m : int
        Width.
    sampling : {"bernoulli", "one_hot"}
        Which features are active together.

    Examples
    --------
    >>> from theory.frequencies import Frequencies
    >>> words = Features(Frequencies.power_law(6, alpha=1.0))
    >>> f = LossFunction(words, 2)
    >>> value, gradient = f(f.pack(np.eye(6, 2), np.zeros(6)), 1e-8)
    >>> model = ToyModel(np.eye(6, 2), np.zeros(6))
    >>> abs(value * f.scale - population_loss(model, words).loss) < 1e-6
    True
    """

    features: Features
    m: int
    sampling: Sampling = "bernoulli"

    @property
    def n(self) -> int:
        """Number of features."""
        return self.features.n

    @property
    def size(self) -> int:
        """Number of coordinates, n (m + 1)."""
        return self.n * (self.m + 1)

    @cached_property
    def scale(self) -> float:
        """Loss of a model that learns nothing, the unit of the values."""
        return float(self.features.lost_losses.sum())

    @cached_property
    def _law(self) -> tuple[Array, Array | None]:
        return law_tables(self.features.activation)

    @cached_property
    def _share(self) -> Array:
        p = self.features.p
        return self.features.weights[:, None] * np.stack([1 - p, p], axis=1)

    @cached_property
    def is_light(self) -> bool:
        """Whether features are independent, so that the kernels are called directly."""
        return self.sampling == "bernoulli" and self.features.dependence is None

    def pack(self, W: Array, b: Array) -> Array:
        """Return W and b as one vector."""
        return np.concatenate([np.ravel(W), b])

    def unpack(self, x: Array) -> tuple[Array, Array]:
        """Return W and b of a vector."""
        return x[: self.n * self.m].reshape(self.n, self.m), x[self.n * self.m :]

    def model(self, x: Array) -> ToyModel:
        """Return the toy model of a vector."""
        return ToyModel(*self.unpack(x))

    def plan(self, x: Array, rtol: float) -> Plan | None:
        """Return the quadrature rules at x: the loss with them is a smooth function around x.

        Differences of gradients are taken with one plan; None where ``population_loss`` plans.
        """
        if not self.is_light:
            return None
        W, b = self.unpack(x)
        return self._plan_rows(*self._rows(W, b)[:2], b, rtol * self.scale)

    def __call__(self, x: Array, rtol: float, plan: Plan | None = None) -> tuple[float, Array]:
        """Return loss and gradient, each divided by ``scale``; the loss to about ``rtol`` of it.

        Far from every minimum, where the kernels would be out of reach, a parabola takes the
        place of the loss. With a ``plan`` the quadrature rules are those, as far as they fit.
        """
        W, b = self.unpack(x)
        reach = np.abs(W).max() + np.abs(b).max() / self.features.activation.high
        if not reach < _FAR:
            return 1e6 + float(x @ x), 2 * x
        if self.is_light:
            loss, by_W, by_b = self._independent(W, b, rtol * self.scale, plan)
        else:
            loss, by_W, by_b = self._other(W, b, max(rtol, _TIGHTEST))
        return loss / self.scale, self.pack(by_W, by_b) / self.scale

    def _other(self, W: Array, b: Array, rtol: float) -> tuple[float, Array, Array]:
        """Return loss and gradient of what the kernels here do not know."""
        model = ToyModel(W, b)
        found = population_loss(model, self.features, self.sampling, rtol=rtol, gradient=True)
        if found.gradient_W is None or found.gradient_b is None:
            raise ArithmeticError(f"no gradient of the loss of {self.features} is known")
        return found.loss, found.gradient_W, found.gradient_b

    def _rows(self, W: Array, b: Array) -> tuple[tuple[Array, ...], NDArray[np.bool_], Any, Array]:
        """Return Gram rows with what is felt of them, the turned means, closed parts and slopes."""
        gram = W @ W.T
        gram[(np.abs(gram) < _NOTHING) & ~np.eye(self.n, dtype=bool)] = 0.0
        slopes = np.empty_like(gram)
        closed: Any = few_active_rows(gram, 0, self.features.p, b, *self._law, slopes)
        # Frequencies of the other inputs, 0 where there is no overlap with them.
        felt = np.where(gram == 0, 0.0, self.features.p)
        np.fill_diagonal(felt, 0.0)
        with np.errstate(divide="ignore"):
            atom = np.exp(np.log1p(-felt).sum(axis=1))
        rows = (gram, felt, atom, np.ascontiguousarray(np.diagonal(gram)))
        return rows, closed[:, 4:6] > 0, closed, slopes

    def _plan_rows(
        self, rows: tuple[Array, ...], turned: NDArray[np.bool_], b: Array, tolerance: float
    ) -> Plan:
        kernel: Any = plan_rows
        by_row, rest = (*rows, self._share, b, turned), (tolerance / self.n, *self._law, THETA)
        return turned, self._follow(lambda some: kernel(*(x[some] for x in by_row), *rest))

    def _follow(self, task: Callable[[slice], Any]) -> Any:
        """Return what a task gives for all rows, in threads where there are enough of them."""
        return task(slice(0, self.n)) if self.n < _THREADED else over_rows(self.n, task)

    def _independent(
        self, W: Array, b: Array, tolerance: float, plan: Plan | None
    ) -> tuple[float, Array, Array]:
        """Return loss and gradient of independent features, as ``numerics.loss.exact`` has them."""
        p, law, share = self.features.p, self._law, self._share
        rows, turned, closed, slopes = self._rows(W, b)
        if plan is None or not np.array_equal(plan[0], turned):
            plan = self._plan_rows(rows, turned, b, tolerance)
        plans, mean_rows, slope_rows = plan[1], *_KERNELS
        means = self._follow(
            lambda some: mean_rows(
                *(x[some] for x in rows), b[some], turned[some], *law, plans[some]
            )
        )
        by_gram, by_own, by_b = self._follow(
            lambda some: slope_rows(
                *(x[some] for x in rows), p[some], b[some], turned[some], *law, plans[some]
            )
        )
        loss = float(np.sum(share * (closed[:, :2] + closed[:, 2:4] + means[:, :2])))
        slopes += by_gram
        by_b = by_b + closed[:, 6]
        # An overlap of 0 that grows moves z by the mean of its input, whatever else is active.
        unfelt, mean = rows[0] == 0, law[0][0, 7]
        slopes[unfelt] = (by_b[:, None] * (mean * p))[unfelt]
        slopes[np.arange(self.n), np.arange(self.n)] += by_own
        weights = self.features.weights
        slopes *= weights[:, None]
        return loss, slopes @ W + slopes.T @ W, weights * by_b
