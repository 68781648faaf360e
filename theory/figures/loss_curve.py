"""A smooth curve of the loss between the widths at which it was solved for: ``interpolate_loss``.

For figures. A theory that solves gives the loss and its local exponent at each width; both together
fix a cubic polynomial of ln m between two neighbours (cubic Hermite interpolation of ln L).
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

# Points from one width to the next: more are not seen.
POINTS = 24


def interpolate_loss(
    m: ArrayLike, loss: ArrayLike, exponent: ArrayLike | None = None
) -> tuple[Array, Array]:
    """Return widths between those given, and the loss there.

    Parameters
    ----------
    m : array_like, shape (k,)
        Different widths, in any order.
    loss : array_like, shape (k,)
        Losses; the curve has a gap where one is not finite or not positive.
    exponent : array_like, shape (k,), optional
        Local exponents -d ln L/d ln m. Without them, or where one is not finite, the slopes are
        those of a monotone cubic interpolation.

    Returns
    -------
    ndarray, ndarray
        Widths, ascending, and losses; NaN in gaps.

    Examples
    --------
    >>> m, loss = interpolate_loss([10, 40], [0.4, 0.1], [1.0, 1.0])
    >>> bool(np.allclose(loss, 4 / m))
    True
    """
    m, loss = np.asarray(m, dtype=float), np.asarray(loss, dtype=float)
    slopes = np.full(m.size, np.nan) if exponent is None else -np.asarray(exponent, dtype=float)
    order = np.argsort(m)
    m, loss, slopes = m[order], loss[order], slopes[order]
    good = np.isfinite(loss) & (loss > 0)
    widths: list[Array] = []
    losses: list[Array] = []
    # Runs of neighbours that have a loss.
    for run in np.split(np.arange(m.size), np.flatnonzero(np.diff(good.astype(int))) + 1):
        if not good[run[0]]:
            widths.append(m[run])
            losses.append(np.full(run.size, np.nan))
            continue
        x, y = np.log(m[run]), np.log(loss[run])
        fine = x if run.size == 1 else _refine(x)
        widths.append(np.exp(fine))
        losses.append(np.exp(_through(x, y, slopes[run], fine)))
    return np.concatenate(widths), np.concatenate(losses)


def _refine(x: Array) -> Array:
    parts = [np.linspace(a, b, POINTS, endpoint=False) for a, b in itertools.pairwise(x)]
    return np.concatenate([*parts, x[-1:]])


def _through(x: Array, y: Array, slopes: Array, at: Array) -> Array:
    if x.size == 1:
        return y
    from scipy.interpolate import CubicHermiteSpline, PchipInterpolator  # slow to load

    monotone = np.asarray(PchipInterpolator(x, y).derivative()(x))
    given = np.where(np.isfinite(slopes), slopes, monotone)
    values: Array = np.asarray(CubicHermiteSpline(x, y, given)(at))
    return values
