"""The published measurements, and theory beside them without any training.

``compare_reference("fig1-weak")`` returns a ``Comparison``, ``load_reference("fig1_toy_loss")`` a
raw table. ``REFERENCES`` lists the names. The data are digitised from the figures of
arXiv 2505.10465 (see empirical/data/README.md); nothing is fitted to them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import cache
from importlib.resources import files
from typing import Any

import pandas as pd

from empirical.comparisons.comparison import Comparison, ComparisonRow
from empirical.comparisons.stored_predictions import predict_published
from empirical.scaling_laws.exponent_fit import FittedExponent, fit_exponent, predicted_exponents
from theory.computing.argument_kinds import check_kinds
from theory.directions import frame_capacity, welch_mean_square
from theory.estimate import Superposition
from theory.frequencies import Frequencies
from theory.prediction import Prediction

SOURCE = "arXiv 2505.10465, digitised from the authors' figures"
WIDTHS = (10, 15, 25, 39, 63, 100)
_TABLES = (
    "fig1_toy_loss",
    "fig3_phi",
    "fig4_exponents",
    "fig6_strong",
    "fig7_density",
    "fig8_llm_loss",
    "fig8_overlap",
)
FIGURE_1 = {
    "power": Frequencies.power_law(10240, 1.2),
    "exponential": Frequencies.exponential(10240, 400.0),
    "linear": Frequencies.linear(10240),
}


@cache
def _read(table: str) -> pd.DataFrame:
    with files("empirical").joinpath(f"data/{table}.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file)


@check_kinds
def load_reference(table: str) -> pd.DataFrame:
    """Return a copy of one published table.

    Parameters
    ----------
    table : str
        File name without ".csv": fig1_toy_loss, fig3_phi, fig4_exponents, fig6_strong,
        fig7_density, fig8_llm_loss or fig8_overlap.

    Raises
    ------
    ValueError
        For an unknown name.

    Examples
    --------
    >>> load_reference("fig1_toy_loss").shape
    (48, 9)
    """
    if table not in _TABLES:
        raise ValueError(f"no table {table!r}: the tables are {', '.join(_TABLES)}")
    return _read(table).copy()


def _kind(weight_decay: float) -> Superposition:
    return "weak" if weight_decay > 0 else "strong"


def _loss_rows(curve: str, data: pd.DataFrame, prediction: Prediction) -> list[ComparisonRow]:
    """Compare the published losses of one curve with a prediction at its widths, in order."""
    f = prediction.features.frequencies
    rows = []
    for k, point in enumerate(data.to_dict("records")):
        losses = {name: float(loss[k]) for name, loss in prediction.loss.items()}
        rows.append(
            ComparisonRow(
                curve,
                int(point["m"]),
                f.density,
                f.exponent,
                {name: loss for name, loss in losses.items() if math.isfinite(loss)},
                float(point["loss"]),
                float(point.get("loss_std", math.nan)),
                (),
                {},
            )
        )
    return rows


def _width_exponents(prediction: Prediction, data: pd.DataFrame) -> dict[str, FittedExponent]:
    exponents = predicted_exponents(prediction)
    exponents["measured"] = fit_exponent(data["m"].to_numpy(), data["loss"].to_numpy())
    return exponents


def _figure_1(kind: str) -> Comparison:
    table = _read("fig1_toy_loss")
    table = table[table["superposition"] == kind]
    gamma = float(table["weight_decay"].iloc[0])
    rows: list[ComparisonRow] = []
    exponents, predictions = {}, {}
    for law, f in FIGURE_1.items():
        part = table[table["distribution"] == law]
        prediction = predict_published(f, part["m"].to_numpy(), _kind(gamma))
        rows += _loss_rows(law, part, prediction)
        exponents[law], predictions[law] = _width_exponents(prediction, part), prediction
    settings = {
        "figure": "1b" if kind == "weak" else "1d",
        "n": 10240,
        "weight_decay": gamma,
        "stderr": "published standard deviation over 100 batches",
    }
    return Comparison(tuple(rows), exponents, settings, predictions=predictions)


def density_of(level: float) -> float:
    """Activation density of a level between 0 (E = 1) and 1 (p_1 = 1), n = 1000, alpha = 1."""
    largest = 1 / Frequencies.power_law(1000, 1.0).largest
    return 1 + level * (largest - 1)


def _figure_7(panel: str) -> Comparison:
    table = _read("fig7_density")
    table = table[table["panel"] == panel]

    by = "gamma" if panel == "a" else "E"
    rows: list[ComparisonRow] = []
    exponents, predictions = {}, {}
    for value, part in table.groupby(by, sort=False):
        kind = _kind(float(part["gamma"].iloc[0]))
        curve = f"weight_decay = {value:g}" if panel == "a" else f"E = {value:g}"
        if panel == "a":  # one width, a density for each point
            for k, level in enumerate(part["sparsity_level"]):
                point = part.iloc[[k]]
                f = Frequencies.power_law(1000, 1.0, density_of(level))
                rows += _loss_rows(curve, point, predict_published(f, point["m"], kind))
            continue
        f = Frequencies.power_law(1000, 1.0, density_of(part["sparsity_level"].iloc[0]))
        prediction = predict_published(f, part["m"].to_numpy(), kind)
        rows += _loss_rows(curve, part, prediction)
        exponents[curve], predictions[curve] = _width_exponents(prediction, part), prediction
    settings = {"figure": f"7{panel}", "n": 1000, "alpha": 1.0}
    if panel == "b":
        settings["weight_decay"] = float(table["gamma"].iloc[0])
    x = "density" if panel == "a" else "m"
    return Comparison(tuple(rows), exponents, settings, x=x, predictions=predictions)


def _exponent_rows(data: pd.DataFrame, error: Callable[[Any], float]) -> list[ComparisonRow]:
    rows = []
    for point in data.to_dict("records"):
        f = Frequencies.power_law(1000, point["alpha"])
        fits = predicted_exponents(predict_published(f, WIDTHS, _kind(point["gamma"])))
        predicted = {name: fit.value for name, fit in fits.items()}
        curve = f"weight_decay = {point['gamma']:g}"
        rows.append(
            ComparisonRow(
                curve,
                None,
                1.0,
                float(point["alpha"]),
                predicted,
                float(point["value"]),
                error(point),
                (),
                {},
            )
        )
    return rows


def _exponents(figure: str) -> Comparison:
    if figure == "4":
        table = _read("fig4_exponents")
        rows = _exponent_rows(
            table[table["quantity"] == "alpha_m"], lambda point: (point["hi"] - point["lo"]) / 2
        )
        error = "half a colour step of the published map"
    else:
        table = _read("fig6_strong")
        rows = _exponent_rows(table[table["quantity"] == "alpha_m"], lambda point: point["err"])
        error = "published standard error of the fit"
    settings = {"figure": f"{figure}b" if figure == "4" else "6e", "n": 1000, "m": list(WIDTHS)}
    return Comparison(tuple(rows), {}, settings | {"stderr": error}, quantity="exponent", x="alpha")


def _overlaps() -> Comparison:
    table = _read("fig6_strong")
    rows = []
    for bound in ("max", "min"):
        part = table[table["quantity"] == f"mean_square_overlap_{bound}_over_alpha"]
        for point in part.to_dict("records"):
            m = int(point["m"])
            count = min(1000.0, m**2 / 2)  # about as many rows have norm above 1
            predicted = {
                "random": 1 / m,
                "welch": float(welch_mean_square(1000, m)),
                "welch_at_capacity": float(welch_mean_square(count, m)),
            }
            curve = f"{bound} over alpha"
            rows.append(
                ComparisonRow(curve, m, 1.0, None, predicted, point["value"], point["err"], (), {})
            )
    settings = {"figure": "6d", "n": 1000, "stderr": "reading error"}
    return Comparison(tuple(rows), {}, settings, quantity="mean_square_overlap")


def _phi_one() -> Comparison:
    table = _read("fig6_strong")
    rows = []
    for point in table[table["quantity"] == "phi_1"].to_dict("records"):
        m = int(point["m"])
        predicted = {"capacity": min(1.0, float(frame_capacity(m)) / 1000)}
        curve = f"alpha = {point['alpha']:g}"
        rows.append(
            ComparisonRow(
                curve, m, 1.0, float(point["alpha"]), predicted, point["value"], math.nan, (), {}
            )
        )
    return Comparison(tuple(rows), {}, {"figure": "6c", "n": 1000}, quantity="phi_one")


REFERENCES: dict[str, tuple[str, Callable[[], Comparison]]] = {
    "fig1-weak": ("loss against m, weak, three frequency laws", lambda: _figure_1("weak")),
    "fig1-strong": ("loss against m, strong, three frequency laws", lambda: _figure_1("strong")),
    "fig4-exponents": ("exponents over (alpha, weight decay)", lambda: _exponents("4")),
    "fig6-phi": ("share of rows with norm above 1, against m", _phi_one),
    "fig6-overlaps": ("mean squared overlap against m", _overlaps),
    "fig6-exponents": ("exponents against alpha with errors", lambda: _exponents("6")),
    "fig7-density": ("loss against activation density, m = 63", lambda: _figure_7("a")),
    "fig7-width": ("loss against m at five densities", lambda: _figure_7("b")),
}


@check_kinds
def compare_reference(name: str, curves: Iterable[str] | None = None) -> Comparison:
    """Compare theory with one published figure; nothing is trained.

    Parameters
    ----------
    name : str
        One of ``REFERENCES``.
    curves : iterable of str, optional
        Only these series of the figure.

    Returns
    -------
    Comparison
        Rows by curve and setting; ``stderr`` as ``settings`` says.

    Raises
    ------
    ValueError
        For an unknown name or curve; the message lists those there are.

    Examples
    --------
    >>> c = compare_reference("fig1-weak", curves=["linear"])
    >>> round(c.rows[-1].ratio("weak"), 3)               # m = 1024
    0.815
    """
    if name not in REFERENCES:
        raise ValueError(f"unknown reference {name!r}: give one of {', '.join(REFERENCES)}")
    full = REFERENCES[name][1]()
    settings = {"reference": name, "source": SOURCE} | dict(full.settings)
    keep = full.curves if curves is None else tuple(curves)
    missing = [curve for curve in keep if curve not in full.curves]
    if missing:
        raise ValueError(
            f"{name} has no curve {missing[0]!r}: it has {', '.join(map(repr, full.curves))}"
        )
    return Comparison(
        tuple(row for row in full.rows if row.curve in keep),
        {curve: fits for curve, fits in full.exponents.items() if curve in keep},
        settings,
        full.quantity,
        full.x,
        predictions={curve: one for curve, one in full.predictions.items() if curve in keep},
    )
