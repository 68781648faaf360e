"""Laws of frequency against rank side by side: likelihoods, errors, a table and a picture.

``empirical.counts.zipf.compare_zipf`` returns a ``ZipfComparison``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student

from theory.computing.argument_kinds import check_kinds
from theory.figures.style import BLACK, GREY, curve, finish, open_axes
from theory.rank_frequency.fits import RankLawFit
from theory.rank_frequency.laws import PARAMETERS
from theory.results import result

Array = NDArray[np.float64]

LEAST_SQUARES = "zipf, log-log least squares (comparison only)"


@dataclass(frozen=True, eq=False)
@result
class ZipfComparison:
    """The laws side by side, each at its maximum of the likelihood.

    Attributes
    ----------
    counts : ndarray, shape (n,)
        All counts in falling order, zeros included.
    blocks : ndarray, shape (k, n)
        Counts of blocks of the text in the same order; k = 0 without them.
    first, last : int
        Ranks that were fitted.
    fits : mapping of str to RankLawFit
        By law: zipf, zipf_mandelbrot, broken_power_law.
    covariance : mapping of str to ndarray
        Covariance of each fit's theta, overdispersion included; see ``errors_from``.
    errors_from : str
        "blocks": from the scatter between blocks of the text (sandwich estimate; White,
        Econometrica 50, 1, 1982). "dispersion": the observed information over Pearson's chi-square
        per degree of freedom (quasi-likelihood; Wedderburn, Biometrika 61, 439, 1974), which gives
        the order of magnitude only, since misfit is not noise.
    overdispersion : float
        φ in the QBIC, at least 1: the variance of counts between blocks over that of independent
        draws; without blocks, the least of the laws' ``dispersion``.
    excess : ndarray
        Subtracted from the counts at ranks first..last, because the ranks come from the same counts
        (``estimate_rank_excess``); zeros where that correction does not hold.
    least_squares : (float, float)
        Exponent and standard error of a straight line through logarithms of positive counts. Every
        rank has the same weight, so the rare features dominate, and the error assumes independent
        ranks: for comparison only.
    notes : tuple of str
        Limits of these numbers.
    """

    counts: Array
    blocks: Array
    first: int
    last: int
    fits: Mapping[str, RankLawFit]
    covariance: Mapping[str, Array]
    errors_from: str
    overdispersion: float
    excess: Array
    least_squares: tuple[float, float]
    notes: tuple[str, ...]

    def __getitem__(self, law: str) -> RankLawFit:
        if law not in self.fits:
            raise ValueError(f"law {law!r} is not here: give {', '.join(self.fits)}")
        return self.fits[law]

    @property
    def window(self) -> Array:
        """The counts at ranks first..last, as they are."""
        return self.counts[self.first - 1 : self.last]

    @property
    def preferred(self) -> str:
        """The law with the smallest QBIC."""
        return min(self.fits, key=self.qbic)

    @check_kinds
    def errors(self, law: str) -> dict[str, float]:
        """Return the standard errors of a law's parameters, overdispersion included."""
        return self[law].errors(self.covariance[law])

    @property
    def quantile(self) -> float:
        """Half width of a 95 % interval in standard errors: Student's, by blocks, or normal."""
        freedom = len(self.blocks) - 1 if self.errors_from == "blocks" else math.inf
        return float(student.ppf(0.975, freedom))

    @check_kinds
    def dispersion(self, law: str) -> float:
        """Return Pearson's chi-square per degree of freedom; 1 or less if the law is right."""
        fit = self[law]
        expected = fit.total * fit.p
        square = np.sum(((self.window - self.excess - expected) / np.sqrt(expected)) ** 2)
        return float(square / (expected.size - 1 - fit.theta.size))

    @check_kinds
    def aic(self, law: str) -> float:
        """Return 2 k - 2 ln L, for counts that were drawn independently."""
        return 2 * self[law].theta.size - 2 * self[law].log_likelihood

    @check_kinds
    def bic(self, law: str) -> float:
        """Return k ln N - 2 ln L, with N occurrences."""
        return self[law].theta.size * math.log(self[law].total) - 2 * self[law].log_likelihood

    @check_kinds
    def qbic(self, law: str) -> float:
        """Return k ln N - 2 ln L / φ: the BIC with an overdispersion φ.

        After the QAIC of K. P. Burnham and D. R. Anderson, Model Selection and Multimodel Inference
        (2002), section 2.5.
        """
        fit = self[law]
        return fit.theta.size * math.log(fit.total) - 2 * fit.log_likelihood / self.overdispersion

    @check_kinds
    def lead(self, law: str, over: str) -> tuple[float, float]:
        """Return ln L of one law less that of another, with its standard error over the blocks.

        The test of Vuong (Econometrica 57, 307, 1989) with blocks of text as the sample. The error
        is NaN without blocks.
        """
        one, other = self[law], self[over]
        gap = one.log_likelihood - other.log_likelihood
        if self.errors_from != "blocks" or law == over:
            return gap, 0.0 if law == over else math.nan
        ratio = np.log(one.p) - np.log(other.p)
        blocks = self.blocks[:, self.first - 1 : self.last]
        totals = blocks.sum(axis=1)
        parts = blocks @ ratio
        parts = parts - totals * parts.sum() / totals.sum()
        return gap, float(np.sqrt((parts @ parts) * len(parts) / (len(parts) - 1)))

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each law, and one for least squares, for comparison only.

        ``stderr`` columns include the overdispersion, ``alpha_multinomial_stderr`` does not.
        """
        rows = []
        best = self.preferred
        for law, fit in self.fits.items():
            errors = self.errors(law)
            row: dict[str, Any] = {"law": law, "method": "maximum likelihood"}
            for name in PARAMETERS["broken_power_law"] + ("q",):
                row[name] = fit.values.get(name, math.nan)
                row[f"{name}_stderr"] = errors.get(name, math.nan)
            row["alpha_multinomial_stderr"] = fit.errors()["alpha"]
            behind, error = self.lead(best, law)
            row |= {"log_likelihood": fit.log_likelihood, "parameters": fit.theta.size}
            row |= {"aic": self.aic(law), "bic": self.bic(law), "qbic": self.qbic(law)}
            row |= {"behind": behind, "behind_stderr": error, "dispersion": self.dispersion(law)}
            rows.append(row)
        alpha, error = self.least_squares
        rows.append(
            {"law": LEAST_SQUARES, "method": "least squares", "alpha": alpha, "alpha_stderr": error}
        )
        return pd.DataFrame(rows)

    def plot(self, ax: Any = None) -> Any:
        """Draw counts against rank and the fits, dotted beyond their ranks; return the axes."""
        ax = open_axes(ax)
        positive = self.counts[self.counts > 0]
        ranks = np.arange(1, positive.size + 1)
        ax.plot(ranks, positive, ".", ms=3, color=GREY, label="counts")
        ax.axvspan(self.first, self.last, color="0.95", zorder=0, label="ranks fitted")
        for k, (law, fit) in enumerate(self.fits.items()):
            shown = ", ".join(f"{name} {value:.3g}" for name, value in fit.values.items())
            scale = fit.total * fit.p[0]
            style = curve(k) | {"marker": ""}
            label = f"{law.replace('_', ' ')}: {shown}"
            ax.plot(fit.ranks, scale * fit.p / fit.p[0], label=label, **style)
            if self.first == 1 and self.last < positive.size:
                # The law beyond the ranks fitted, joined to the fit.
                beyond = fit.frequencies(positive.size).p
                height = scale / beyond[0]
                ax.plot(ranks[self.last :], height * beyond[self.last :], ":", color=style["color"])
        alpha, _ = self.least_squares
        x, y = np.log(np.arange(self.first, self.last + 1)), self.window
        middle = np.log(y[y > 0]).mean() + alpha * x[y > 0].mean()
        line = np.exp(middle - alpha * x)
        label = f"least squares (comparison): {alpha:.3g}"
        ax.plot(np.exp(x), line, "--", color=BLACK, lw=0.8, label=label)
        finish(ax, "rank i", "occurrences", log="xy", place="lower left")
        ax.set_ylim(bottom=0.5 * positive.min())
        return ax

    def __str__(self) -> str:
        lines = [
            f"Ranks {self.first} to {self.last} of {self.counts.size}, "
            f"{self.window.sum():.0f} occurrences; overdispersion {self.overdispersion:.3g}"
        ]
        for law, fit in self.fits.items():
            errors = self.errors(law)
            shown = ", ".join(
                f"{name} {value:.4g} ± {errors[name]:.2g}" for name, value in fit.values.items()
            )
            gap, error = self.lead(law, self.preferred)
            behind = "preferred" if law == self.preferred else f"ln L {gap:+.4g}"
            if error > 0:
                behind += f" ± {error:.2g}"
            lines.append(f"{law}: {shown} ({behind}, dispersion {self.dispersion(law):.3g})")
        alpha, error = self.least_squares
        lines.append(f"{LEAST_SQUARES}: alpha {alpha:.4g} ± {error:.2g}")
        return "\n".join([*lines, *(f"note: {text}" for text in self.notes)])
