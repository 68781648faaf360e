"""Loss against parameters N and tokens D: L = E + A/N^alpha_N + B/D^alpha_D.

``fit_chinchilla(N, D, loss)`` fits it (Hoffmann et al., arXiv 2203.15556, section 3.3);
``width_exponent`` converts alpha_N to an exponent of the width m, and ``fit_power_law`` fits losses
against the width alone.
"""

from __future__ import annotations

import math
import warnings as messages
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.stats import f as f_law

from empirical.scaling_laws.chinchilla.surface import Surface
from empirical.scaling_laws.profile_likelihood import Interval, check_level
from theory.checks import (
    MOST_REPEATS,
    Numbers,
    as_generator,
    broadcast_numbers,
    check_finite,
    check_integer,
    check_real,
    scalar_like,
)
from theory.computing.argument_kinds import check_kinds
from theory.figures.style import BLACK, COLOR_MAP, add_color_bar, finish, open_axes
from theory.results import result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

_FEWEST = 6  # points, for five parameters and a residual
_NAMES = ("E", "A", "B", "alpha_N", "alpha_D")


@dataclass(frozen=True, eq=False)
@result
class ChinchillaFit:
    """L = E + A/N^alpha_N + B/D^alpha_D.

    Attributes
    ----------
    E, A, B, alpha_N, alpha_D : float
        The law; E, A and B in the unit of the loss.
    stderr : dict
        Standard error of each by the curvature at the best law; NaN for a robust fit.
    objective : float
        Sum of squares; of Huber's losses of ln(fitted) - ln(loss) for a robust fit.
    r_squared : float
        1 - sum of squares/sum of squares about the mean.
    dof : int
        Points less five.
    huber : float or None
        Threshold of a robust fit.
    warnings : tuple of str
        Limits of these numbers (also given as ``UserWarning``).
    N, D, loss : ndarray
        The data.
    """

    E: float
    A: float
    B: float
    alpha_N: float
    alpha_D: float
    stderr: Mapping[str, float]
    objective: float
    r_squared: float
    dof: int
    huber: float | None
    warnings: tuple[str, ...]
    N: Array
    D: Array
    loss: Array

    @check_kinds
    def predict(self, N: ArrayLike, D: ArrayLike) -> Numbers:
        """Return the loss at N parameters and D tokens (they broadcast)."""
        n, d = broadcast_numbers(N=N, D=D)
        if np.any(~(n > 0)) or np.any(~(d > 0)):
            raise ValueError("N and D must be above 0")
        loss = self.E + self.A * n**-self.alpha_N + self.B * d**-self.alpha_D
        return scalar_like(np.asarray(loss), N, D)

    @check_kinds
    def interval(self, name: str = "alpha_N", level: float = 0.95) -> Interval:
        """Return the profile-likelihood interval of alpha_N or alpha_D, for independent errors."""
        if name not in ("alpha_N", "alpha_D"):
            raise ValueError(f"name = {name!r} is not allowed: give alpha_N or alpha_D")
        if self.huber is not None or self.dof <= 0:
            raise ValueError("no profile likelihood: the fit is robust, or has too few points")
        level = check_level(level)
        surface = Surface(self.N, self.D, self.loss, None)
        which = name == "alpha_D"
        rise = f_law.ppf(level, 1, self.dof) * self.objective / self.dof
        grid = surface.grids[int(which)]

        def excess(value: float) -> float:
            return float(surface.profile(value, int(which)) - self.objective - rise)

        here = getattr(self, name)
        below, above = grid[grid < here][::-1], grid[grid > here]
        ends = []
        for side in (below, above):
            inside = here
            for value in side:
                if excess(value) > 0:
                    # Data without noise: the interval is shorter than rounding.
                    exact = excess(inside) >= 0
                    end = inside if exact else brentq(excess, inside, value, xtol=1e-10)
                    ends.append(float(end))
                    break
                inside = value
            else:
                ends.append(0.0 if side is below else math.inf)
        return Interval(ends[0], ends[1], level, "profile", ends[0] == 0, math.isinf(ends[1]))

    @check_kinds
    def bootstrap(self, samples: int = 199, seed: np.random.Generator | int = 0) -> pd.DataFrame:
        """Refit resampled points; return a row of parameters for each resample."""
        samples = check_integer("samples", samples, 2, MOST_REPEATS)
        generator = as_generator(seed)
        rows = []
        for _ in range(samples):
            picked = generator.integers(0, self.loss.size, self.loss.size)
            try:
                with messages.catch_warnings():
                    messages.simplefilter("ignore", UserWarning)
                    again = fit_chinchilla(
                        self.N[picked], self.D[picked], self.loss[picked], huber=self.huber
                    )
            except ValueError:  # too few different points were drawn
                continue
            rows.append({name: getattr(again, name) for name in _NAMES})
        return pd.DataFrame(rows)

    def to_dataframe(self) -> pd.DataFrame:
        """Return a row for each parameter."""
        return pd.DataFrame(
            {
                "parameter": _NAMES,
                "value": [getattr(self, name) for name in _NAMES],
                "stderr": [self.stderr[name] for name in _NAMES],
            }
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw measured against fitted losses."""
        ax = open_axes(ax)
        fitted = np.asarray(self.predict(self.N, self.D))
        shown = ax.scatter(fitted, self.loss, c=np.log10(self.N), s=14, cmap=COLOR_MAP)
        ax.axline((float(fitted.min()),) * 2, slope=1, color=BLACK, lw=1)
        add_color_bar(ax, shown, "log₁₀ of the parameters N")
        return finish(ax, "fitted loss", "measured loss")

    def __str__(self) -> str:
        shown = ", ".join(
            f"{name} = {getattr(self, name):.5g}"
            + (f" ± {self.stderr[name]:.2g}" if math.isfinite(self.stderr[name]) else "")
            for name in _NAMES
        )
        return f"L = E + A/N^alpha_N + B/D^alpha_D: {shown} ({self.loss.size} points)"


@check_kinds
def fit_chinchilla(
    N: ArrayLike, D: ArrayLike, loss: ArrayLike, *, huber: float | None = None
) -> ChinchillaFit:
    """Fit L = E + A/N^alpha_N + B/D^alpha_D.

    For given exponents the law is linear in E, A and B (variable projection): the two exponents
    are scanned over a grid, and each valley is refined. No starting values; E, A and B are not
    bounded.

    Parameters
    ----------
    N, D : array_like, shape (k,)
        Parameters and training tokens, > 0.
    loss : array_like, shape (k,)
        Losses.
    huber : float, optional
        Threshold of Huber's loss of ln(fitted) - ln(loss), summed; Hoffmann et al. use 1e-3.
        Least squares of the losses without it.

    Returns
    -------
    ChinchillaFit
        The law.

    Raises
    ------
    ValueError
        For fewer than six points, values that are not positive, or N and D that vary together
        (as along one compute-optimal line), which cannot tell A from B.

    Examples
    --------
    >>> N, D = np.meshgrid([1e8, 3e8, 1e9, 3e9], [3e9, 1e10, 3e10, 1e11])
    >>> N, D = N.ravel(), D.ravel()
    >>> fit = fit_chinchilla(N, D, 1.69 + 406.4 / N**0.34 + 410.7 / D**0.28)
    >>> print(f"{fit.E:.3f}, {fit.alpha_N:.4f}, {fit.alpha_D:.4f}")
    1.690, 0.3400, 0.2800
    """
    y = check_finite("loss", loss)
    n, d = check_finite("N", N), check_finite("D", D)
    for name, values in (("N", n), ("D", d)):
        if values.size != y.size:
            raise ValueError(f"{name} has {values.size} entries and loss has {y.size}")
        if values.min() <= 0:
            raise ValueError(f"{name} contains {values.min():g}: give values above 0")
    if y.size < _FEWEST:
        raise ValueError(f"{y.size} points are too few for five parameters: give {_FEWEST} or more")
    if np.ptp(y) == 0 or np.abs(y).max() > 1e100:
        raise ValueError(
            f"loss lies in {y.min():g} … {y.max():g}: give losses that differ, of at most 1e100"
        )
    if huber is not None:
        huber = check_real("huber", huber, 1e-12, 1e12)
        if y.min() <= 0:
            raise ValueError(f"loss contains {y.min():g}: a robust fit needs positive losses")
    log_n, log_d = np.log(n), np.log(d)
    bends = np.stack([np.ones_like(y), log_n, log_n**2, log_d, log_d**2], axis=-1)
    bends[:, 1:] -= bends[:, 1:].mean(axis=0)
    bends /= np.maximum(np.linalg.norm(bends, axis=0), 1e-300)
    if np.linalg.matrix_rank(bends, 1e-8) < 5:
        raise ValueError(
            "N and D vary together, or take fewer than three values: give a grid of both"
        )
    surface = Surface(n, d, y, huber)
    objective, x = min(
        (surface.refine(start) for start in surface.local_minima()), key=lambda r: r[0]
    )
    dof = y.size - 5
    fit = _build(surface, x, objective, dof, n, d)
    for text in fit.warnings:
        messages.warn(text, UserWarning, stacklevel=2)
    return fit


def _warn(values: dict[str, float], surface: Surface) -> tuple[str, ...]:
    found = []
    for name, term, grid in zip(_NAMES[3:], "AB", surface.grids, strict=True):
        if values[name] <= grid[0]:
            found.append(f"{name} cannot be told from 0: a logarithm fits as well as a power law")
        elif values[term] <= 0:
            found.append(f"{term} is not positive: the loss does not fall along it")
    if values["E"] < 0:
        found.append(f"E = {values['E']:.3g} is below 0: the range is too short to see it")
    return tuple(found)


def _build(
    surface: Surface, x: Array, objective: float, dof: int, N: Array, D: Array
) -> ChinchillaFit:
    level, s, t, a, b = (float(value) for value in x)
    log_n, log_d = float(np.log(N).min()), float(np.log(D).min())
    values = {
        "E": level - s / a - t / b,
        "A": s / a * math.exp(a * log_n),
        "B": t / b * math.exp(b * log_d),
        "alpha_N": a,
        "alpha_D": b,
    }
    stderr = dict.fromkeys(_NAMES, math.nan)
    if surface.huber is None and dof > 0:
        J = surface.jacobian(x)
        scale = np.linalg.norm(J, axis=0)
        covariance = np.linalg.pinv(J / scale, rcond=1e-13)
        covariance = covariance @ covariance.T / np.outer(scale, scale) * objective / dof
        # d (E, A, B, alpha_N, alpha_D) / d (level, s, t, a, b)
        turn = np.zeros((5, 5))
        turn[0] = [1, -1 / a, -1 / b, s / a**2, t / b**2]
        turn[1, [1, 3]] = values["A"] / s, values["A"] * (log_n - 1 / a)
        turn[2, [2, 4]] = values["B"] / t, values["B"] * (log_d - 1 / b)
        turn[3, 3] = turn[4, 4] = 1
        size = np.abs(turn).max(axis=1)  # squares of A and B may leave the range of floats
        with np.errstate(invalid="ignore"):  # and so may A and B: their errors are NaN then
            turn = turn / size[:, None]
            errors = size * np.sqrt(np.diag(turn @ covariance @ turn.T))
        stderr = dict(zip(_NAMES, map(float, errors), strict=True))
    fitted = surface.fitted(x)
    about = float(np.sum((surface.y - surface.y.mean()) ** 2))
    r_squared = 1 - float(np.sum((surface.y - fitted) ** 2)) / about
    return ChinchillaFit(
        **values, stderr=stderr, objective=objective, r_squared=r_squared, dof=dof,
        huber=surface.huber, warnings=_warn(values, surface), N=N, D=D, loss=surface.y,
    )  # fmt: skip
