"""The exponent of a loss against m: a straight line through logarithms, with its standard error.

``fit_exponent(m, loss)`` fits measured and predicted losses alike, so that the finite range affects
both in the same way; ``predicted_exponents`` fits every theory of a prediction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import linregress

from theory.checks import check_finite
from theory.computing.argument_kinds import check_kinds
from theory.prediction import Prediction
from theory.results import result


@dataclass(frozen=True)
@result
class FittedExponent:
    """Minus the log-log slope of loss against m; ``stderr`` is None for two points or a claim."""

    value: float
    stderr: float | None

    def __str__(self) -> str:
        return f"{self.value:.3f}" + ("" if self.stderr is None else f" ± {self.stderr:.3f}")


@check_kinds
def fit_exponent(m: ArrayLike, loss: ArrayLike) -> FittedExponent:
    """Fit ln loss = c - value ln m by least squares.

    Parameters
    ----------
    m, loss : array_like, shape (k,)
        Widths (repeats welcome) and positive losses.

    Returns
    -------
    FittedExponent
        The exponent; its standard error from the scatter about the line.

    Raises
    ------
    ValueError
        For fewer than two different widths, or a loss that is not positive.

    Examples
    --------
    >>> print(fit_exponent([10, 20, 40], [0.4, 0.2, 0.1]))
    1.000 ± 0.000
    """
    m, loss = check_finite("m", m), check_finite("loss", loss)
    if m.shape != loss.shape:
        raise ValueError(f"m has {m.size} entries and loss has {loss.size}: give one loss for each")
    if np.unique(m).size < 2:
        raise ValueError("an exponent needs at least two different widths m")
    for name, values in (("m", m), ("loss", loss)):
        if np.any(values <= 0):
            raise ValueError(f"{name} contains {values.min():g}: an exponent needs positive values")
    if np.ptp(loss) == 0:  # its standard error would be 0/0
        return FittedExponent(0.0, 0.0 if m.size > 2 else None)
    line = linregress(np.log(m), np.log(loss))
    return FittedExponent(float(-line.slope), float(line.stderr) if m.size > 2 else None)


def predicted_exponents(prediction: Prediction) -> dict[str, FittedExponent]:
    """Return each theory's exponent over these widths, fitted as measured losses are.

    A theory without a loss contributes the exponent it claims, without a standard error.

    Examples
    --------
    >>> from theory.frequencies import Frequencies
    >>> from theory.registry import predict
    >>> f = Frequencies.power_law(10**6, alpha=1.5)
    >>> fits = predicted_exponents(predict(f, [10, 100, 1000]))
    >>> print(fits["weak"], fits["strong_even"])
    0.501 ± 0.005 1.000
    """
    exponents = {}
    m = np.atleast_1d(prediction.m)
    for name, estimate in prediction.estimates.items():
        loss = np.atleast_1d(estimate.loss)
        good = np.isfinite(loss) & (loss > 0)
        if not estimate.has_loss:
            exponents[name] = FittedExponent(float(np.atleast_1d(estimate.exponent)[0]), None)
            continue
        fit = try_fit(m[good], loss[good])
        if fit is not None:
            exponents[name] = fit
    return exponents


def try_fit(m: ArrayLike, loss: ArrayLike) -> FittedExponent | None:
    """Fit if there are two widths to fit; a loss of 0 or one width alone has no exponent."""
    if np.unique(m).size < 2 or np.any(np.asarray(loss) <= 0):
        return None
    return fit_exponent(m, loss)
