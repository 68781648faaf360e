"""Unembeddings of several models: how overlaps and norms change with the width m.

``analyze_many(sources)`` returns a table, log-log slopes against m, and a plot of overlaps against
1/m beside the 25 published models (arXiv 2505.10465, Figure 8).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import t as student

from empirical.comparisons.published import load_reference
from empirical.progress import Report, report
from empirical.scaling_laws.exponent_fit import FittedExponent, fit_exponent, try_fit
from empirical.unembeddings.report import UnembeddingReport, analyze
from empirical.unembeddings.unembedding import Unembedding
from numerics.tensors.row_matrix import RowMatrix
from theory.computing.argument_kinds import check_kinds
from theory.figures.style import BLACK, BLUE, GREEN, VERMILION, finish, open_axes, shorten
from theory.results import result, short_table

_TREATMENTS = ("raw", "centred", "removed")


@dataclass(frozen=True, eq=False)
@result
class UnembeddingFamily:
    """Reports of several models.

    Attributes
    ----------
    reports : tuple of UnembeddingReport
        One for each source that could be read.
    failures : tuple of str
        Why the others could not.
    """

    reports: tuple[UnembeddingReport, ...]
    failures: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """A name for each report: its own, or its path where names repeat."""
        names = [one.name for one in self.reports]
        return tuple(
            one.path if names.count(one.name) > 1 and one.path else one.name for one in self.reports
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Which rows were left out or seem untrained, model by model."""
        pairs = zip(self.labels, self.reports, strict=True)
        return tuple(f"{label}: {note}" for label, one in pairs for note in one.notes)

    @property
    def exponents(self) -> Mapping[str, FittedExponent]:
        """Minus the log-log slope against m, unweighted: 1 is 1/m.

        Of the mean squared overlap "raw", "centred" and "removed", and of "norm" (the mean norm)
        and "cost" (the size part of the centred cross entropy). Only those of positive quantities
        known for every model, at two widths or more.
        """
        columns = {x: f"mean_square_{x}" for x in _TREATMENTS}
        columns |= {"norm": "norm_mean", "cost": "size_part_centred"}
        table = self.to_dataframe()
        fits = {}
        for name, column in columns.items():
            if column in table and table[column].notna().all():
                fit = try_fit(table["m"], table[column])
                if fit is not None:
                    fits[name] = fit
        return fits

    def describe_exponents(self) -> str:
        """Return the slopes with standard errors as text, beside that of the published models."""
        if not self.exponents:
            return ""
        count = len(self.reports)
        fits = ", ".join(f"{name} {fit}" for name, fit in self.exponents.items())
        lines = [f"minus the log-log slope against m, {count} models: {fits}"]
        if count > 2:
            wide = float(student.ppf(0.975, count - 2))
            lines[0] += f" (a 95 % interval is ± {wide:.3g} standard errors)"
        published = load_reference("fig8_overlap")
        known = fit_exponent(published["m"], published["mean_square_overlap"])
        lines.append(f"the {len(published)} published models (raw): {known}")
        return "\n".join(lines)

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each model.

        ``ratio_…`` is the mean squared overlap over that of random directions (1/m, m less the
        directions removed); ``welch`` is its least value, raw. The cross entropies are in nats.
        """
        return pd.DataFrame(
            [_record(label, one) for label, one in zip(self.labels, self.reports, strict=True)]
        )

    def plot(self, ax: Any = None) -> Any:
        """Draw mean squared overlaps against 1/m beside the published models; return the axes."""
        ax = open_axes(ax)
        published = load_reference("fig8_overlap")
        for marker, (family, part) in zip("v<>Pp", published.groupby("family"), strict=False):
            ax.plot(
                part["inv_m"], part["mean_square_overlap"], marker, color="0.6", ms=5, ls="",
                label=f"{family}, published (raw)",
            )  # fmt: skip
        table = self.to_dataframe()
        for marker, colour, treatment in zip(
            "os^", (VERMILION, BLUE, GREEN), _TREATMENTS, strict=True
        ):
            column = f"mean_square_{treatment}"
            if column in table:
                label = {"removed": "leading directions removed"}.get(treatment, treatment)
                ax.plot(1 / table["m"], table[column], marker, color=colour, label=label)
        for one in table.to_dict("records"):
            ax.annotate(
                shorten([one["model"]])[0], (1 / one["m"], one["mean_square_raw"]), xytext=(4, 4),
                textcoords="offset points", fontsize=7, rotation=40,
            )  # fmt: skip
        inverse = pd.concat([published["inv_m"], 1 / table["m"]])
        ends = [inverse.min(), inverse.max()]
        ax.plot(ends, ends, color=BLACK, lw=1, label="1/m (random directions)")
        ax.margins(0.15)  # room for the names
        return finish(ax, "1/m, m the width", "mean squared overlap", log="xy")

    def __str__(self) -> str:
        columns = ["model", "n", "m", *(f"mean_square_{x}" for x in _TREATMENTS)]
        columns += [*(f"ratio_{x}" for x in _TREATMENTS), "norm_mean", "phi_half"]
        table = self.to_dataframe()
        table = table[[column for column in columns if column in table]]
        lines = [short_table(table, float_format=lambda x: f"{x:.4g}")]
        if self.exponents:
            lines.append(self.describe_exponents())
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join([*lines, *(f"did not finish: {failure}" for failure in self.failures)])

    def __repr__(self) -> str:
        return str(self)


def _record(label: str, one: UnembeddingReport) -> dict[str, Any]:
    record: dict[str, Any] = {
        "model": label,
        "n": one.n,
        "m": one.m,
        "rows_left_out": one.rows_left_out,
        "untrained_rows": one.untrained_rows,
        "tied": one.tied,
        "norm_mean": one.norms.mean,
        "norm_std": one.norms.std,
        "norm_median": one.norms.quantiles[0.5],
        "phi_half": one.norms.phi_half,
        "weak_share": one.weak_share,
        "random": 1 / one.m,
        "welch": one.overlaps.results[0].welch,
    }
    weighted = one.weighted_overlaps.results if one.weighted_overlaps else ()
    for results, start in ((one.overlaps.results, ""), (weighted, "weighted_")):
        for found in results:
            short = found.treatment.split()[-1]  # "top k removed"
            record[f"{start}mean_square_{short}"] = found.mean_square
            record[f"{start}ratio_{short}"] = found.mean_square * found.m
            if short == "removed":
                record["directions_removed"] = one.m - found.m
    for part in one.spectra:
        record[f"participation_{part.treatment}"] = part.participation
    for cost in (*one.cross_entropies, *one.weighted_cross_entropies):
        start = "weighted_" * cost.weighted
        for name in ("cross_entropy", "stderr", "floor", "size_part", "second_order", "published"):
            key = "cross_entropy_stderr" if name == "stderr" else name
            record[f"{start}{key}_{cost.treatment}"] = getattr(cost, name)
    return record


@check_kinds
def analyze_many(
    sources: Mapping[str, Any] | Iterable[Any],
    *,
    tensor: str | None = None,
    transpose: bool = False,
    rows: slice | ArrayLike | None = None,
    counts: ArrayLike | None = None,
    remove: int | None = None,
    seed: int | np.random.Generator = 0,
    pairs: Literal["all", "sample", "none"] | None = None,
    samples: int = 2**18,
    tokens: int = 2048,
    progress: bool | Report = False,
) -> UnembeddingFamily:
    """Analyse several unembeddings; one that cannot be read does not lose the others.

    Parameters
    ----------
    sources : iterable, or mapping of name to source
        Each as ``analyze`` takes it.
    tensor, transpose, rows, counts, remove, seed, pairs, samples, tokens
        As in ``analyze``, the same for each.
    progress : bool or callable
        True for a progress bar; a function is called as progress(done, total).

    Returns
    -------
    UnembeddingFamily
        Reports in the order of the sources; failures say what the others lack.

    Raises
    ------
    ValueError
        For no sources, or if not one could be analysed.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> family = analyze_many({str(m): rng.standard_normal((2000, m)) for m in (20, 40, 80)})
    >>> abs(family.exponents["raw"].value - 1) < 0.03
    True
    """
    one = isinstance(sources, (str, bytes, Path, RowMatrix, Unembedding))
    if one or hasattr(sources, "shape"):
        raise TypeError("sources must be a list of sources: give one alone to analyze")
    if not isinstance(sources, Iterable):
        raise TypeError(f"sources = {sources!r} is not a list of sources: give one, or a mapping")
    items = list(sources.items()) if isinstance(sources, Mapping) else [(None, x) for x in sources]
    if not items:
        raise ValueError("no sources: give at least one")
    reports, failures = [], []
    with report(progress, "analysing") as advance:
        for done, (name, source) in enumerate(items):
            advance(done, len(items))
            try:
                reports.append(
                    analyze(
                        source,
                        tensor=tensor,
                        transpose=transpose,
                        rows=rows,
                        counts=counts,
                        remove=remove,
                        seed=seed,
                        pairs=pairs,
                        samples=samples,
                        tokens=tokens,
                        name=name,
                    )
                )
            except (ValueError, TypeError, OSError, ImportError) as error:
                label = name or (source if isinstance(source, str) else f"source {done + 1}")
                text = " ".join(str(error).split())
                failures.append(text if str(label) in text else f"{label}: {text}")
    if not reports:
        raise ValueError("; ".join(failures))
    return UnembeddingFamily(tuple(reports), tuple(failures))
