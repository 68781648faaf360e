"""What the Lagrangian of the mean field curves by, so that an optimizer sees it curve evenly.

Use ``Curvatures(groups, laws, m)`` inside theory/mean_field/augmented_lagrangian.py: ``scale``
gives the factors of the optimizer's variables, ``probe`` learns from gradients what the loss curves
by with overlaps of each pair of groups. That varies by orders of magnitude where frequencies are
steep: rare features with large thresholds hardly feel what lies below these.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from theory.mean_field.groups import FeatureGroups
from theory.mean_field.interference.overlap_laws import OverlapLaws

Array = NDArray[np.float64]
# At first: of the loss by r_g and b_g, over n_g p_g; of the loss by t, over (p_g + p_h)/m; of the
# budgets, over the loss of random directions.
_BY_NORM, _BY_OVERLAP, _BY_BUDGET = 4.0, 0.3, 0.1
# Probes of a round, their least and largest steps, and the largest correction of each.
_PROBES, _NEARBY, _FURTHER, _TRUSTED = 4, 1e-3, 20.0, 30.0
# The loss is taken to curve by so much more, as limits curve too.
_CAREFUL = 4.0


class Curvatures:
    """Curvatures of the loss by norms, biases and overlaps, as far as they are known.

    Parameters
    ----------
    groups : FeatureGroups
        K groups.
    laws : OverlapLaws
        Their overlaps.
    m : float
        Width.

    Attributes
    ----------
    assumed : ndarray, shape (pairs,)
        By the overlaps of each pair of groups, before anything is known.
    """

    def __init__(self, groups: FeatureGroups, laws: OverlapLaws, m: float) -> None:
        p = groups.p
        self._laws = laws
        self._by_norm = _BY_NORM * groups.sizes * p
        self.assumed: Array = _BY_OVERLAP * laws.pairs * (p[laws.first] + p[laws.second]) / m
        self._found = self.assumed

    def probe(self, slope: Callable[[Array], Array], D: Array) -> None:
        """Learn from the derivatives of the loss by the overlaps (pairs, Z) at and around D.

        A pair's nodes move by ±δ: its own curvature adds up in Σ ±slope/δ, all others cancel by
        and by. The less a pair is thought to curve the further it moves: the next probe puts that
        right.
        """
        if not np.any(self._found > 0):
            return  # no pair of features
        signs = np.random.default_rng(0).choice((-1.0, 1.0), (_PROBES, *D.shape))
        here = slope(D)
        for sign in signs:
            far = np.sqrt(self._found.max() / np.maximum(self._found, 1e-99))
            step = _NEARBY * np.minimum(far, _FURTHER)
            change = slope(D + step[:, None] * sign) - here
            seen = np.abs((sign * change).sum(1)) / step
            seen = np.clip(seen, self._found / _TRUSTED, self._found * _TRUSTED)
            self._found = np.sqrt(self._found * seen)

    def scale(self, prices: Array, loss: float) -> Array:
        """Return the roots of the curvatures by r, b and, node by node, overlaps."""
        laws = self._laws
        least = _BY_BUDGET * loss * np.maximum(laws.charge[-1], 1e-9)
        budget = 2 * np.maximum(prices @ laws.charge, least)
        by_t = (budget + _CAREFUL * self._found)[:, None] * laws.weights
        return np.sqrt(np.concatenate([self._by_norm, self._by_norm, by_t.ravel()]))
