"""The features that die under a recipe with random biases at the start; nothing is fitted.

Start with ``predict_dead_features``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from theory.checks import check_integer, read_only
from theory.computing.argument_kinds import check_kinds
from theory.dead_features.classes import Classes, make_classes
from theory.dead_features.dynamics import run
from theory.dead_features.recipe import Recipe, check_bias
from theory.estimate import need_uniform
from theory.features import Features, as_features
from theory.figures.style import BLUE, RANK, VERMILION, finish, open_axes
from theory.frequencies import Frequencies
from theory.results import result

_TOP = 2.0  # largest v
_SQUARE = 4 / 3  # ⟨v²⟩


@dataclass(frozen=True, eq=False)
@result
class DeadFeatures:
    """Which features a recipe loses for good, by their bias at the start.

    Attributes
    ----------
    n, m : int
        Features and width.
    p : ndarray, shape (n,)
        Frequencies, falling.
    bias : ndarray, shape (n,)
        Biases at the start.
    dead : ndarray of bool, shape (n,)
        Features that end with 2 r² + b <= 0: silent even on their own largest input.
    threshold : ndarray, shape (n,)
        Bias at the start below which a feature of this rank dies; ±inf where all or none do.
    loss : float
        Loss of the dead features, Σ 4/3 p over them.
    expected_loss : float
        Its mean over biases N(0, 1) with these thresholds.
    """

    n: int
    m: int
    p: NDArray[np.float64]
    bias: NDArray[np.float64]
    dead: NDArray[np.bool_]
    threshold: NDArray[np.float64]
    loss: float
    expected_loss: float

    @property
    def share(self) -> float:
        """Share of features that die."""
        return float(self.dead.mean())

    @property
    def probability(self) -> NDArray[np.float64]:
        """Probability that a feature of each rank dies, for a bias ~ N(0, 1)."""
        return np.asarray(ndtr(self.threshold), dtype=float)

    def to_dataframe(self) -> pd.DataFrame:
        """Return a row for each feature."""
        return pd.DataFrame(
            {"p": self.p, "bias": self.bias, "threshold": self.threshold, "dead": self.dead}
        )

    def __repr__(self) -> str:
        return (
            f"n = {self.n}, m = {self.m}: {self.share:.1%} of the features die, with "
            f"{self.loss:.4g} of the loss ({self.expected_loss:.4g} on average over starts)"
        )

    def plot(self, ax: Any = None) -> Any:
        """Draw the bias at the start against rank, dead features marked; return the axes."""
        ax = open_axes(ax)
        rank = np.arange(1, self.n + 1)
        for label, which, color in (("live", ~self.dead, BLUE), ("dead", self.dead, VERMILION)):
            if which.any():
                ax.plot(rank[which], self.bias[which], ".", ms=3, color=color, label=label)
        return finish(ax, RANK, "bias at the start of training", log="x")


@check_kinds
def predict_dead_features(
    features: Features | Frequencies,
    m: int,
    recipe: Recipe | None = None,
    *,
    bias: ArrayLike | None = None,
    seed: np.random.Generator | int = 0,
) -> DeadFeatures:
    """Predict which features die, by a reduced model of training from its start to its end.

    Three numbers a class of features are trained by the recipe's own AdamW: the component along the
    one direction that all rows are pushed along, the norm of the rest, and the bias
    (``theory.dead_features.dynamics``). It assumes n much above m; it does not know that rows turn
    away from frequent features, nor that few dimensions bear few features, so that it is wrong
    where the mean field keeps few of them.

    Parameters
    ----------
    features : Features or Frequencies
        Independent, equally important features with v ~ U(0, 2).
    m : int
        Width, 2 <= m <= n.
    recipe : Recipe, optional
        By default the published one for small models with weight decay -1.
    bias : array_like, shape (n,), optional
        Biases at the start, by falling frequency; drawn from N(0, 1) unless given.
    seed : int or Generator
        Seed, or source of randomness, for the biases.

    Returns
    -------
    DeadFeatures
        The dead features, thresholds, and the loss of the dead.

    Raises
    ------
    ValueError
        For m out of range, features that are not independent, equally important and uniform, or
        biases that are not finite or not n of them.

    Examples
    --------
    >>> found = predict_dead_features(Frequencies.power_law(200, alpha=1.0), m=20)
    >>> found.bias[found.dead].max() < found.bias[~found.dead].max()
    np.True_
    """
    features = as_features(features)
    reason = need_uniform(features)
    if reason:
        raise ValueError(f"{features} cannot be taken here: {reason}")
    check_integer("m", m, 2, features.n)
    p = np.asarray(features.frequencies.p, dtype=float)
    start = np.random.default_rng(seed).standard_normal(p.size)
    if bias is not None:
        start = check_bias(bias, p.size)
    classes = make_classes(p, start)
    end = run(classes, m, recipe or Recipe())
    reserve = end.b + _TOP * (end.c**2 + end.q**2)
    threshold = find_thresholds(classes, reserve)[classes.stratum][classes.label]
    dead = (reserve <= 0)[classes.label]
    return DeadFeatures(
        p.size,
        m,
        read_only(p),
        read_only(start),
        read_only(dead),
        read_only(threshold),
        float(_SQUARE * p[dead].sum()),
        float(_SQUARE * p @ ndtr(threshold)),
    )


def find_thresholds(classes: Classes, reserve: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return, for each stratum, the bias at the start at which the reserve b + 2 r² is 0.

    As many of its classes lie below as are dead.

    Examples
    --------
    >>> classes = make_classes(np.full(3, 0.1), np.array([-1.0, 0.0, 1.0]))
    >>> find_thresholds(classes, np.array([-1.0, 1.0, 2.0]))
    array([-0.5])
    """
    thresholds = np.empty(classes.stratum.max() + 1)
    for a in range(thresholds.size):
        here = np.flatnonzero(classes.stratum == a)
        here = here[np.argsort(classes.bias[here], kind="stable")]
        dead = int(np.sum(reserve[here] <= 0))
        if dead in (0, here.size):
            thresholds[a] = np.inf if dead else -np.inf
            continue
        low, high = classes.bias[here[dead - 1]], classes.bias[here[dead]]
        below, above = reserve[here[dead - 1]], reserve[here[dead]]
        part = below / (below - above) if below <= 0 < above else 0.5
        thresholds[a] = low + part * (high - low)
    return thresholds
