"""What coherence and the bounds of packings say about reading every support by one threshold.

``guaranteed_active(coherence)`` is what a largest |t| is enough for; ``most_active(n, m)`` what no
n directions in R^m exceed. Equiangular tight frames come close to both.
"""

from __future__ import annotations

import math
import sys

from theory.checks import check_integer, check_real

_TINY = 1e-12  # relative, for 1/coherence that should be a whole number


def guaranteed_active(coherence: float) -> int | None:
    """Return how many items may be active with every support read, if no |t| exceeds this.

    Scores of k items that are on are at least 1 - (k - 1) μ, of the others at most k μ: enough for
    k < (1 + 1/μ)/2 (Tropp 2004). Frames whose overlaps have all the same size and both signs in
    each row reach it.

    Parameters
    ----------
    coherence : float
        μ in [0, 1].

    Returns
    -------
    int or None
        The largest k; None (no limit) for orthogonal directions.

    Examples
    --------
    >>> guaranteed_active(1 / 3), guaranteed_active(0.1), guaranteed_active(0)
    (1, 5, None)
    """
    coherence = check_real("coherence", coherence, 0, 1)
    if coherence == 0:
        return None
    coherence = max(coherence, sys.float_info.min)  # 1/coherence is a float
    return max(math.ceil((1 + 1 / coherence) / 2 * (1 - _TINY)) - 1, 0)


def most_active(n: int, m: int) -> int | None:
    """Return how many items may be active at most, with every support read, for any directions.

    If one threshold reads all supports of size k >= 2 of n unit vectors in R^m, then
    (2k - 1)² < (n - 1)/(T - 1) with T = (n - m - 1)/(m + 1), for T >= 13/9.

    Proof. The criterion 1 + μ⁻_{k-1} > μ⁺_k does not change under t → (t - s)/(1 - s), s < 1,
    which keeps the 1 on the diagonal and makes the rank of the matrix at most m + 1. Choose s so
    that a = μ⁺_k and b = -μ⁻_{k-1} satisfy a/k = b/(k - 1) >= 0; then a + b < 1 gives
    a/k < 1/(2k - 1). In a row whose k largest entries are positive the squares of the positive
    ones sum to at most a² or, all being a/k, to (a/k)² each (the sum is convex in the k-th
    largest); if fewer are positive, to less than (a + b)² < 1, and likewise for the negative ones.
    So the squares of a row sum to less than 1 + max(4/9, (n - 1)/(2k - 1)²). Their mean over rows
    is at least T, since n² = (trace)² <= rank · Σ t².

    Parameters
    ----------
    n, m : int
        Directions and dimension.

    Returns
    -------
    int or None
        The largest k; None where T < 13/9, about n < 2.4 (m + 1): no statement.

    Examples
    --------
    >>> most_active(1000, 100), most_active(50_000, 1000), most_active(100, 90)
    (6, 16, None)
    """
    n, m = check_integer("n", n, 2), check_integer("m", m, 1)
    mean = (n - m - 1) / (m + 1)
    if mean < 13 / 9:
        return None
    root = math.sqrt((n - 1) / (mean - 1))
    # The largest k with 2 k - 1 below the root; a single item is always read.
    return max(math.ceil((1 + root) / 2) - 1, 1)
