"""The exact expected loss of a given model: no sampling, with a bound on its error.

Use ``population_loss(model, frequencies)`` for the loss of the toy model as trained (independent
Bernoulli features), ``sampling="one_hot"`` for exactly one active feature at a time (arXiv
2505.10465, eq. 8). ``gradient=True`` adds the gradient. ``monte_carlo_loss`` is the sampled check,
and the way for sizes beyond this one: the cost goes as n².
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from numerics.loss.laplace_kernels import expected_rows, expected_slopes
from numerics.loss.laplace_plan import THETA, plan_rows
from numerics.loss.one_active_kernels import few_active_rows, one_hot_rows
from numerics.toy_model import ToyModel, check_same_n
from theory.activation import UNIFORM
from theory.checks import check_real, read_only
from theory.features import Features, as_features
from theory.frequencies import Frequencies
from theory.regimes.one_active import self_loss

Sampling = Literal["bernoulli", "one_hot"]

# Entries of the block of Gram rows held at once: 64 MB.
_BLOCK = 8_000_000
_ROUNDS = 7
# Beyond these, powers of overlaps leave double precision.
_NOTHING, _HUGE = 1e-60, 1e200
_NONE = np.empty((0, 0))


@dataclass(frozen=True, eq=False)
class LossReport:
    """An exact expected loss.

    Attributes
    ----------
    loss : float
        Expected squared error, summed over features, per sample.
    error_bound : float
        Bound on its absolute error, for the Gram matrix W Wᵀ as double precision has it.
    per_feature : ndarray, shape (n,)
        Loss of each output.
    parts_per_feature : mapping of str to ndarray
        The same as named contributions:
        "lost", what lost features err by themselves: those with |W_i| < 1/2 (not represented, by
        the published measure) or silent to their own input alone (b_i + 2 G_ii <= 0);
        "self", what the others err by themselves: shrinkage, threshold and bias;
        "interference_silent", what other features cause while the own one is off;
        "interference_active", what they change while it is on.
    lost : ndarray of bool, shape (n,)
        Which features are lost.
    sampling : str
        "bernoulli" or "one_hot".
    gradient_W, gradient_b : ndarray or None
        Gradient by W (n x m) and b (n), if asked for.
    """

    loss: float
    error_bound: float
    per_feature: NDArray[np.float64]
    parts_per_feature: Mapping[str, NDArray[np.float64]]
    lost: NDArray[np.bool_]
    sampling: str
    gradient_W: NDArray[np.float64] | None = None
    gradient_b: NDArray[np.float64] | None = None

    @property
    def parts(self) -> Mapping[str, float]:
        """The named contributions, summed over features; together they are the loss."""
        return MappingProxyType(
            {name: float(part.sum()) for name, part in self.parts_per_feature.items()}
        )

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each feature: its loss, the parts, and whether it is lost."""
        return pd.DataFrame(
            {"loss": self.per_feature, **self.parts_per_feature, "is_lost": self.lost}
        )

    def plot(self, ax: Any = None) -> Any:
        """Draw the loss of each feature and its parts against the rank; return the axes."""
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots()
        rank = np.arange(1, self.per_feature.size + 1)
        ax.plot(rank, self.per_feature, "k", label="loss")
        for name, part in self.parts_per_feature.items():
            drawn = ax.plot(rank, np.where(part > 0, part, np.nan), ".", ms=3, label=name)
            if np.any(part < 0):  # others can help: the size of what they take off
                below, color = np.where(part < 0, -part, np.nan), drawn[0].get_color()
                ax.plot(rank, below, "x", ms=3, color=color, label=f"{name}, taken off")
        ax.set(xscale="log", yscale="log", xlabel="feature rank i", ylabel="loss of the feature")
        ax.legend(fontsize="small")
        return ax

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {value:.4g}" for name, value in self.parts.items())
        return f"loss {self.loss:.10g} (error below {self.error_bound:.1g}; {parts})"


def population_loss(
    model: ToyModel,
    features: Features | Frequencies,
    sampling: Sampling = "bernoulli",
    *,
    rtol: float = 1e-6,
    gradient: bool = False,
) -> LossReport:
    """Compute the expected loss of a model exactly, for v ~ U(0, 2).

    Parameters
    ----------
    model : ToyModel
        The model, n x m.
    frequencies : Frequencies
        Of the same n.
    sampling : {"bernoulli", "one_hot"}
        Independent features, as trained; or exactly one active feature, L = Σ_j p_j [Σ_{i≠j}
        A(G_ij, b_i) + B(G_jj, b_j)].
    rtol : float
        Wanted bound on the relative error of the Bernoulli loss, at least 1e-12. (A loss below
        1e-12 of that of a model that learns nothing is known to that absolute error only.)
    gradient : bool
        Also return the gradient by W and b, by the same rule at the same tolerance. No bound is
        given for it; benchmarks/population_loss.py measures its error.

    Returns
    -------
    LossReport
        Loss, error bound, loss per feature and its parts.

    Raises
    ------
    ValueError
        If the model and the frequencies differ in n, or for an unknown sampling or an rtol out of
        range.
    ArithmeticError
        If rounding keeps the bound above rtol; the message names the bound reached.

    Notes
    -----
    The method and the three errors of the Bernoulli loss (two bounded, rounding estimated) are in
    ``numerics.loss.laplace_kernels``. The cost is O(n² K); K, the number of ordinates, grows as
    rtol^(-1/4).

    Examples
    --------
    >>> f = Frequencies.power_law(20, alpha=1.0)
    >>> keep_five = ToyModel(np.eye(20, 5), np.where(np.arange(20) < 5, 0, f.p))
    >>> report = population_loss(keep_five, f)
    >>> from theory.regimes.weak import weak_loss
    >>> abs(report.loss - weak_loss(f, 5)) < 1e-12
    True
    """
    features = as_features(features)
    check_same_n(model, features)
    if not features.has_equal_importance or features.activation != UNIFORM:
        raise ValueError(f"{features!r}: only v ~ U(0, 2) and equal importance")
    frequencies = features.frequencies
    rtol = check_real("rtol", rtol, 1e-12, 0.5)
    if sampling == "one_hot":
        return _one_hot(model, frequencies, gradient)
    if sampling != "bernoulli":
        raise ValueError(f"sampling = {sampling!r} is not allowed: give 'bernoulli' or 'one_hot'")
    return _bernoulli(model, frequencies, rtol, gradient)


def _blocks(model: ToyModel) -> list[tuple[int, int]]:
    rows = max(1, min(model.n, _BLOCK // model.n))
    return [(start, min(start + rows, model.n)) for start in range(0, model.n, rows)]


def _accumulate(
    gradient_W: NDArray[np.float64], W: NDArray[np.float64], start: int, by_gram: NDArray
) -> None:
    """Add what the slopes by a block of Gram rows mean for W: G = W Wᵀ."""
    stop = start + len(by_gram)
    gradient_W[start:stop] += by_gram @ W
    gradient_W += by_gram.T @ W[start:stop]


def _report(
    sampling: str,
    error_bound: float,
    model: ToyModel,
    parts: dict[str, NDArray[np.float64]],
    gradients: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
) -> LossReport:
    per_feature = np.sum(list(parts.values()), axis=0)
    return LossReport(
        float(per_feature.sum()),
        error_bound,
        read_only(per_feature),
        MappingProxyType({name: read_only(part) for name, part in parts.items()}),
        read_only(_find_lost(model)),
        sampling,
        *((read_only(g) for g in gradients) if gradients is not None else ()),
    )


def _split(
    model: ToyModel, alone: NDArray[np.float64], leak: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Split what features err alone, active or not, into that of lost ones and the rest."""
    lost, own = _find_lost(model), alone + leak
    return {"lost": np.where(lost, own, 0.0), "self": np.where(lost, 0.0, own)}


def _find_lost(model: ToyModel) -> NDArray[np.bool_]:
    return (model.norms < 0.5) | (model.b + 2 * model.norms**2 <= 0)


def _gram(model: ToyModel, some: slice) -> NDArray[np.float64]:
    """Rows of W Wᵀ; overlaps that only underflow can tell from 0 are 0."""
    gram = model.W[some] @ model.W.T
    gram[np.abs(gram) < _NOTHING] = 0.0
    return gram


def _one_hot(model: ToyModel, frequencies: Frequencies, gradient: bool) -> LossReport:
    W, b, p = model.W, model.b, frequencies.p
    silent, own, by_b = np.empty(model.n), np.empty(model.n), np.empty(model.n)
    gradient_W = np.zeros_like(W) if gradient else None
    for start, stop in _blocks(model):
        gram = _gram(model, slice(start, stop))
        slopes = np.empty_like(gram) if gradient else _NONE
        silent[start:stop], own[start:stop], by_b[start:stop] = one_hot_rows(
            gram, start, p, b, slopes
        )
        if gradient_W is not None:
            _accumulate(gradient_W, W, start, slopes)
    leak = np.maximum(b, 0) ** 2 * (p.sum() - p)
    parts = _split(model, p * own, leak)
    parts |= {"interference_silent": silent - leak, "interference_active": np.zeros(model.n)}
    # Closed forms, each good to a few units of rounding.
    bound = 1e-15 * math.sqrt(model.n) * float(np.sum(silent + p * own))
    gradients = None if gradient_W is None else (gradient_W, by_b)
    return _report("one_hot", bound, model, parts, gradients)


def _rows(
    model: ToyModel, p: NDArray[np.float64]
) -> Iterator[tuple[slice, NDArray, tuple[NDArray, NDArray, NDArray, NDArray]]]:
    """Yield blocks of Gram rows, with what their transforms need of them."""
    for start, stop in _blocks(model):
        some, inside = slice(start, stop), np.arange(stop - start)
        gram = _gram(model, some)
        # Frequencies of the other inputs, where there is an overlap to feel them by.
        felt = np.where(gram == 0, 0.0, p)
        felt[inside, start + inside] = 0.0
        with np.errstate(divide="ignore"):
            atom = np.exp(np.log1p(-felt).sum(axis=1))
        yield some, gram, (gram, felt, atom, gram[inside, start + inside])


def _bernoulli(
    model: ToyModel, frequencies: Frequencies, rtol: float, gradient: bool
) -> LossReport:
    b, p, n = model.b, frequencies.p, model.n
    closed = np.empty((n, 7))
    for start, stop in _blocks(model):
        gram = _gram(model, slice(start, stop))
        closed[start:stop] = few_active_rows(gram, start, p, b, _NONE)
    if not np.abs(closed).max() < _HUGE:
        raise ArithmeticError("the loss is beyond double precision: W or b is too large")
    share, reflected = np.stack([1 - p, p], axis=1), closed[:, 4:6] > 0
    # All terms are squares: the loss with few active inputs is below it, and sets the first scale.
    below = float(np.sum(share * closed[:, :2]))
    known = closed[:, :2] + closed[:, 2:4]
    nothing = float(np.sum(4 / 3 * p - p**2))
    floor = 1e-12 * nothing
    target = max(rtol * below, floor)
    if below < 1e-3 * nothing:  # dense: a rough first pass tells the scale
        target = max(target, 1e-3 * nothing)
    for _ in range(_ROUNDS):
        terms, errors = known.copy(), np.empty((n, 2))
        for some, _, rows in _rows(model, p):
            plans = plan_rows(*rows, p[some], b[some], reflected[some], target / n, THETA)
            means = expected_rows(*rows, b[some], reflected[some], plans)
            terms[some] += means[:, :2]
            errors[some] = plans[:, :, 3] + means[:, 2:]
        errors += 1e-15 * math.sqrt(n) * np.abs(closed[:, 2:4]) + 1e-15 * np.abs(terms)
        bound, loss = float(np.sum(share * errors)), float(np.sum(share * terms))
        wanted = max(rtol * (loss - bound), floor)
        if bound <= wanted:
            break
        target = min(0.5 * wanted, 0.5 * target)
    else:
        raise ArithmeticError(
            f"rtol = {rtol:g} is out of reach here: the loss {loss:.6g} is known to {bound:.2g} "
            "only; give a larger rtol, or, for very rare features, sampling='one_hot'"
        )
    leak = (1 - p) * np.maximum(b, 0) ** 2
    alone = p * self_loss(model.norms**2, b)
    parts = _split(model, alone, leak)
    parts["interference_silent"] = (1 - p) * terms[:, 0] - leak
    parts["interference_active"] = p * terms[:, 1] - alone
    gradients = _bernoulli_gradient(model, p, reflected, target / n) if gradient else None
    return _report("bernoulli", bound, model, parts, gradients)


def _bernoulli_gradient(
    model: ToyModel, p: NDArray[np.float64], reflected: NDArray[np.bool_], tolerance: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    gradient_W, gradient_b = np.zeros_like(model.W), np.empty(model.n)
    for some, gram, rows in _rows(model, p):
        where = p[some], model.b[some], reflected[some]
        plans = plan_rows(*rows, *where, tolerance, THETA)
        by_gram, by_own, by_b = expected_slopes(*rows, *where, plans)
        slopes = np.empty_like(gram)
        by_b += few_active_rows(gram, some.start, p, model.b, slopes)[:, 6]
        slopes += by_gram
        # An input that is not felt yet moves z by its mean, whatever else is active.
        unfelt = gram == 0
        slopes[unfelt] = (by_b[:, None] * p)[unfelt]
        inside = np.arange(len(gram))
        slopes[inside, some.start + inside] += by_own
        _accumulate(gradient_W, model.W, some.start, slopes)
        gradient_b[some] = by_b
    return gradient_W, gradient_b
