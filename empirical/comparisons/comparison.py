"""Theory beside experiment, as a value: rows of predicted and measured, exponents, a picture.

``empirical.comparisons.trained.compare`` (trained models) and
``empirical.comparisons.published.compare_reference`` (published measurements) make a
``Comparison``; this module says what one can be asked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

import pandas as pd

from empirical.comparisons.finding import describe_finding
from empirical.scaling_laws.exponent_fit import FittedExponent
from empirical.training.run import TrainingRun
from theory import registry
from theory.prediction import Prediction
from theory.results import result, short_table

# Rows of a table that is shown: longer ones are cut in the middle.
_SHOWN_ROWS = 24


@dataclass(frozen=True, eq=False)
@result
class ComparisonRow:
    """One setting: what each theory predicts and what was measured.

    Attributes
    ----------
    curve : str
        Which series the row belongs to.
    m : int or None
        Width; None where the quantity is not about one width.
    density : float
        Activation density E.
    alpha : float or None
        Exponent of the frequencies, if they follow a power law.
    predicted : mapping of str to float
        By theory name; only theories that give this quantity here.
    measured, stderr : float
        Mean over seeds and its standard error (NaN if unknown).
    seeds : tuple of int
        Seeds that finished; empty for published data.
    details : mapping of str to float
        Further measurements on the trained models (means over seeds).
    """

    curve: str
    m: int | None
    density: float
    alpha: float | None
    predicted: Mapping[str, float]
    measured: float
    stderr: float
    seeds: tuple[int, ...]
    details: Mapping[str, float]

    def ratio(self, theory: str) -> float:
        """Return measured / predicted."""
        predicted = self.predicted[theory]
        return self.measured / predicted if predicted else math.nan


@dataclass(frozen=True, eq=False)
@result
class Comparison:
    """Predictions beside measurements.

    Attributes
    ----------
    rows : tuple of ComparisonRow
        One for each setting.
    exponents : mapping
        exponents[curve][name] for each theory and for "measured": the log-log slope over the same
        widths; for theories that claim an exponent without a loss, the claim.
    settings : mapping
        What repeats the comparison.
    quantity : str
        What is compared: "loss", "exponent", "mean_square_overlap" or "phi_one".
    x : {"m", "density", "alpha"}
        What varies along a curve.
    runs : tuple of TrainingRun
        The trained models behind the rows.
    failures : tuple of str
        Runs that did not finish, and why.
    predictions : mapping of str to Prediction
        By curve, where a curve is one of losses over m: what is drawn between the points.
    notes : tuple of str
        Why a theory is left out, or has no loss at a width.
    """

    rows: tuple[ComparisonRow, ...]
    exponents: Mapping[str, Mapping[str, FittedExponent]]
    settings: Mapping[str, Any]
    quantity: str = "loss"
    x: str = "m"
    runs: tuple[TrainingRun, ...] = ()
    failures: tuple[str, ...] = ()
    predictions: Mapping[str, Prediction] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def finding(self) -> str:
        """One sentence: how far the first theory is off, at worst and in the median."""
        return describe_finding(self.rows, self.quantity, self.x, bool(self.runs))

    @property
    def curves(self) -> tuple[str, ...]:
        """Names of the series, in order."""
        return tuple(dict.fromkeys(row.curve for row in self.rows))

    @property
    def theories(self) -> tuple[str, ...]:
        """Names of the theories that predict the compared quantity, in order."""
        found = dict.fromkeys(name for row in self.rows for name in row.predicted)
        known = [one.name for one in registry.THEORIES if one.name in found]
        return (*known, *(name for name in found if name not in known))

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each setting: predicted, measured, and measured / predicted."""
        records = []
        for row in self.rows:
            record: dict[str, Any] = {"curve": row.curve, "m": row.m, "density": row.density}
            record["alpha"] = row.alpha
            for name in self.theories:
                record[name] = row.predicted.get(name, math.nan)
            record |= {"measured": row.measured, "stderr": row.stderr}
            record["seeds"] = len(row.seeds) or math.nan  # published data name none
            for name in self.theories:
                has = name in row.predicted
                record[f"measured/{name}"] = row.ratio(name) if has else math.nan
            records.append(record | dict(row.details))
        return pd.DataFrame(records)

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain values for JSON; NaN becomes None.

        ``exponents`` are those of the first curve; ``exponents_by_curve`` has all of them.
        """
        rows = [
            {
                "curve": row.curve,
                "m": row.m,
                "density": row.density,
                "alpha": row.alpha,
                "predicted": {name: _number(value) for name, value in row.predicted.items()},
                "measured": _number(row.measured),
                "stderr": _number(row.stderr),
                "seeds": list(row.seeds),
                "details": {name: _number(value) for name, value in row.details.items()},
            }
            for row in self.rows
        ]
        by_curve = {
            curve: {
                name: {"value": _number(fit.value), "stderr": _number(fit.stderr)}
                for name, fit in fits.items()
            }
            for curve, fits in self.exponents.items()
        }
        record = {
            "quantity": self.quantity,
            "rows": rows,
            "exponents": next(iter(by_curve.values()), {}),
            "settings": _plain(self.settings),
            "finding": self.finding,
        }
        if self.notes:
            record["notes"] = list(self.notes)
        if len(by_curve) > 1:
            record["exponents_by_curve"] = by_curve
        if self.failures:
            record["failures"] = list(self.failures)
        return record

    def __str__(self) -> str:
        whole = self.to_dataframe().dropna(axis=1, how="all")
        # What was predicted and measured, and the settings that vary.
        fixed = [
            name
            for name in ("curve", "m", "density", "alpha")
            if name in whole and name != self.x and whole[name].nunique() == 1
        ]
        extra = [*(name for row in self.rows[:1] for name in row.details), "seeds"]
        table = whole.drop(columns=[*fixed, *extra], errors="ignore")
        lines = [short_table(table, float_format=lambda value: f"{value:.4g}")]
        for curve, fits in self.exponents.items():
            shown = ", ".join(f"{name} {fit}" for name, fit in fits.items())
            lines.append(f"exponents, {curve}: {shown}")
        lines += [self.finding] * bool(self.finding)
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join([*lines, *(f"failed: {failure}" for failure in self.failures)])

    def _repr_html_(self) -> str:
        table = self.to_dataframe().dropna(axis=1, how="all")
        shown = table.to_html(index=False, max_rows=_SHOWN_ROWS, float_format="{:.4g}".format)
        texts = (self.finding, *(f"note: {note}" for note in self.notes))
        return str(shown) + "".join(f"<p>{escape(text)}</p>" for text in texts if text)

    def plot(self, ax: Any = None) -> Any:
        """Draw measured points and predicted curves; return the axes.

        Where there are several curves, color and marker say the curve and the line the theory.
        Exponents that come without a loss are thin lines whose height is fitted to the measured
        points, and the legend says so.
        """
        from empirical.comparisons.picture import draw_comparison

        return draw_comparison(self, ax)


def _plain(value: Any) -> Any:
    """Return read-only mappings and tuples as dictionaries and lists, for JSON."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, tuple) else value


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
