"""Make the table from which the explorer interpolates: Gaussian-process regression on solutions.

``python studies/explorer/table.py`` fits the losses and gradients in studies/explorer/power_law.csv
(and exponential.csv, linear.csv), some minutes of one core, and measures its error by leaving out
each setting in turn. What the page needs is stored in superscale/explorer/table.json;
``python -m superscale.explorer.page`` then builds the page.

For each law, ln L is a quadratic trend plus a Gaussian process with a Matern covariance of order
5/2 in linearly mapped coordinates (of power laws, ln of L over a simple loss: ``simple_loss``). The
map and the noise of values and gradients maximise the likelihood (Rasmussen and Williams 2006,
sections 2.7 and 5.4). Gradients enter as observations (section 9.4) with a noise of their own: they
are those of grouped features.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import linalg, optimize

from empirical.comparisons.published import load_reference
from empirical.comparisons.shipped import load_measured
from theory.sums import power_sum

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
Array = NDArray[np.float64]
LAWS = ("power_law", "exponential", "linear")
# Ranges in which the page interpolates; solutions lie a little beyond them.
COMMON: dict[str, Any] = {
    "n": [820, 1220],
    "density": [0.6, 1.9],
    "largest_p": 0.95,
    "n_over_m": 5.0,
    "least_m": 6,
    "m_over_root_n": 0.31,
}
BOX: dict[str, dict[str, Any]] = {
    "power_law": COMMON | {"shape": [0.0, 1.5], "n": [400, 2500], "density": [0.4, 2.5]},
    "exponential": COMMON | {"shape": [4.8, 6.0], "m_over_scale": 1.5},
    "linear": COMMON | {"shape": None},
}
PUBLISHED = ROOT / "empirical" / "data" / "mean_field_published.csv"
SOLVED = "mean field, solved at these widths"
# Map and noise are found from so many settings inside the ranges, evenly taken.
FEW = 130
ROOT5 = np.sqrt(5.0)


class Solutions(NamedTuple):
    """Solved settings: raw coordinates (N, 4), ln L, its gradients (N, 4), ln(live/n), inside."""

    raw: Array
    value: Array
    gradient: Array
    live: Array
    inside: NDArray[np.bool_]


def read(law: str) -> Solutions:
    """Read the solutions of a law, without those of antipodal pairs.

    Those at published settings have a derivative by m only; other gradients are NaN there.
    """
    own = pd.read_csv(HERE / f"{law}.csv").dropna(subset=["loss", "d_m"])
    data = pd.concat([own, read_published(law)], ignore_index=True)
    log = np.log(data[["n", "density", "m"]].to_numpy(float))
    n, density, m = data["n"], data["density"], data["m"]
    parameter = data["parameter"].to_numpy(float)
    gradient = data[["d_parameter", "d_n", "d_density", "d_m"]].to_numpy(float)
    shape, box = np.zeros(len(data)), BOX[law]
    inside = n.between(*box["n"]) & density.between(*box["density"])
    inside &= m.between(
        np.maximum(box["least_m"], box["m_over_root_n"] * np.sqrt(n)), n / box["n_over_m"]
    )
    if law == "power_law":
        shape = parameter
        first = [_first(int(k), a) for k, a in zip(n, parameter, strict=True)]
        inside &= density * first <= box["largest_p"]
        inside &= data["parameter"].between(*box["shape"])
    elif law == "exponential":
        # ln(n/s) and ln n instead of ln s and ln n.
        shape = log[:, 0] - np.log(parameter)
        gradient[:, 1] += gradient[:, 0]
        gradient[:, 0] *= -1
        inside &= (n / parameter).between(*box["shape"]) & (m <= box["m_over_scale"] * parameter)
    else:
        gradient[:, 0] = 0.0
    raw = np.column_stack([shape, log])
    live = np.log(data["live"] / n).to_numpy(float)
    return Solutions(raw, np.log(data["loss"].to_numpy(float)), gradient, live, inside.to_numpy())


def read_published(law: str) -> pd.DataFrame:
    """Return the solutions at published settings (studies/mean_field/published_settings.py)."""
    data = pd.read_csv(PUBLISHED, comment="#")
    data = data[(data["law"] == law) & (data["n"] <= 2000) & data["exponent"].notna()]
    parameter = {"power_law": "alpha", "exponential": "scale"}.get(law)
    return pd.DataFrame(
        {
            **{name: data[name] for name in ("n", "density", "m", "loss")},
            "parameter": data[parameter] if parameter else np.nan,
            "d_m": -data["exponent"],
        }
    )


def simple_loss(raw: Array) -> Array:
    """Return ln of E times the activity of features beyond m, as a share, times 1 - 2m/n (N,).

    The page has it in closed form. Most of what L changes by is in it: weak superposition loses the
    features beyond m, and n/2 dimensions lose nothing, in antipodal pairs.
    """
    alpha, n, m = raw[:, 0], np.exp(raw[:, 1]), np.exp(raw[:, 3])
    share = power_sum(alpha, m + 1, n) / power_sum(alpha, 1, n)
    return np.asarray(raw[:, 2] + np.log(share) + np.log1p(-2 * m / n))


def relative(data: Solutions) -> Solutions:
    """Return the solutions of power laws with ln of their losses over the simple loss."""
    steps = 1e-5 * np.eye(4)
    slopes = [
        (simple_loss(data.raw + step) - simple_loss(data.raw - step)) / 2e-5 for step in steps
    ]
    return data._replace(
        value=data.value - simple_loss(data.raw),
        gradient=data.gradient - np.column_stack(slopes),
    )


def _first(n: int, alpha: float) -> float:
    """Return p_1/E of a power law."""
    return float(1 / (np.arange(1, n + 1.0) ** -alpha).sum())


class Kernel(NamedTuple):
    """Map to the coordinates of the covariance, and noise of values and of raw gradients."""

    map: Array
    center: Array
    noise: Array


class Fit(NamedTuple):
    """Weights of an interpolated quantity, and by how much each setting left out is missed."""

    trend: Array
    values: Array
    gradients: Array
    missed: Array
    likelihood: float


def basis(x: Array, along: Array | None = None) -> Array:
    """Return the terms of a quadratic in x (N, terms), or their derivatives along a direction."""
    pairs = [(i, j) for i in range(x.shape[1]) for j in range(i, x.shape[1])]
    one = np.ones(len(x))
    if along is None:
        return np.column_stack([one, x, *(x[:, i] * x[:, j] for i, j in pairs)])
    linear = [a * one for a in along]
    return np.column_stack(
        [0 * one, *linear, *(along[i] * x[:, j] + x[:, i] * along[j] for i, j in pairs)]
    )


def covariance(x: Array, kernel: Kernel, used: list[int]) -> Array:
    """Return the covariance of values and of gradients by raw coordinates, without noise."""
    difference = x[:, None, :] - x[None, :, :]
    r = np.sqrt((difference**2).sum(-1))
    decay = np.exp(-ROOT5 * r)
    g = 5 / 3 * (1 + ROOT5 * r) * decay
    across = {k: difference @ kernel.map[:, k] for k in used}
    blocks = [[(1 + ROOT5 * r + 5 / 3 * r**2) * decay, *(g * across[k] for k in used)]]
    for k in used:
        metric = kernel.map.T @ kernel.map[:, k]
        mixed = [metric[j] * g - 25 / 3 * decay * across[k] * across[j] for j in used]
        blocks.append([-g * across[k], *mixed])
    return np.block(blocks)


def fit(data: Solutions, kernel: Kernel, value: Array, used: list[int], errors: bool = True) -> Fit:
    """Return the regression of values, and of gradients by the raw coordinates ``used``."""
    N = len(value)
    x = (data.raw - kernel.center) @ kernel.map.T
    y = np.concatenate([value, *(data.gradient[:, k] for k in used)])
    known = np.flatnonzero(np.isfinite(y))
    K = covariance(x, kernel, used)
    K[np.diag_indices_from(K)] += np.repeat(kernel.noise[[0, *(1 + k for k in used)]], N) ** 2
    H = np.vstack([basis(x), *(basis(x, kernel.map[:, k]) for k in used)])
    y, K, H = y[known], K[np.ix_(known, known)], H[known]
    factor = linalg.cho_factor(K, lower=True)
    solved = linalg.cho_solve(factor, H)
    normal = H.T @ solved + 1e-9 * np.eye(H.shape[1])
    trend = np.linalg.solve(normal, solved.T @ y)
    weights = linalg.cho_solve(factor, y - H @ trend)
    log_det = 2 * np.log(np.diag(factor[0])).sum() + np.linalg.slogdet(normal)[1]
    likelihood = -0.5 * (len(y) * np.log((y - H @ trend) @ weights / len(y)) + log_det)
    if not errors:
        return Fit(trend, np.empty(0), np.empty(0), np.empty(0), float(likelihood))
    # Leaving out all that is known of a setting: weights over the inverse's diagonal block.
    inverse = linalg.cho_solve(factor, np.eye(len(y))) - solved @ np.linalg.solve(normal, solved.T)
    missed = np.full(N, np.nan)
    for i in np.flatnonzero(np.isfinite(value)):
        block = np.flatnonzero(known % N == i)
        missed[i] = np.linalg.solve(inverse[np.ix_(block, block)], weights[block])[0]
    every = np.zeros((1 + len(used)) * N)
    every[known] = weights
    gradients = np.zeros(x.shape)
    for place, k in enumerate(used, start=1):
        gradients += np.outer(every[place * N : (place + 1) * N], kernel.map[:, k])
    return Fit(trend, every[:N], gradients, missed, float(likelihood))


def find_kernel(data: Solutions, varied: list[int], used: list[int]) -> Kernel:
    """Return the map and the noise of the largest likelihood.

    The map is of the raw coordinates that vary; gradients by those ``used`` are observed.
    """
    inside = data.inside if data.inside.sum() > FEW else np.isfinite(data.value)
    places = np.flatnonzero(inside)
    places = places[:: -(-len(places) // FEW)]
    some = Solutions(*(part[places] for part in data))
    d, below = len(varied), [(i, j) for i in range(len(varied)) for j in range(i)]
    count = d + len(below)

    def kernel(theta: Array) -> Kernel:
        mixed = np.eye(d)
        for value, place in zip(theta[d:count], below, strict=True):
            mixed[place] = value
        matrix = np.zeros((d, 4))
        matrix[:, varied] = np.exp(theta[:d])[:, None] * mixed
        noise = np.ones(5)
        noise[[0, *(1 + k for k in used)]] = np.exp(theta[count:])
        return Kernel(matrix, data.raw.mean(axis=0), noise)

    def loss(theta: Array) -> float:
        return -fit(some, kernel(theta), some.value, used, errors=False).likelihood

    start = [-1.0] * d + [0.0] * len(below) + [-7.0] + [-3.5] * len(used)
    bounds = [(-5.0, 1.0)] * d + [(-2.0, 2.0)] * len(below) + [(-8.0, -4.0)]
    bounds += [(-6.0, -1.0)] * len(used)
    return kernel(optimize.minimize(loss, start, bounds=bounds, options={"maxiter": 60}).x)


def fit_live(data: Solutions, kernel: Kernel) -> Array:
    """Return ln(live/n) as if it went on beyond 0, where all are live: imputed by its own fit."""
    value, full = data.live.copy(), data.live == 0
    for _ in range(6):
        found = fit(data, kernel, value, [])
        value[full] = np.maximum((value - found.missed)[full], 0.0)
    return value


def rounded(values: Array, digits: int = 8) -> Any:
    """Return nested lists of numbers with so many significant digits."""
    if values.ndim > 1:
        return [rounded(row, digits) for row in values]
    return [float(f"{value:.{digits}g}") for value in values]


def describe(errors: Array) -> dict[str, float]:
    """Return the median, the 90th percentile and the largest of absolute errors."""
    names = {"median": 0.5, "of_90_percent": 0.9, "largest": 1.0}
    return {name: float(f"{np.quantile(np.abs(errors), q):.3g}") for name, q in names.items()}


def interpolate(law: str) -> tuple[dict[str, Any], Array, Array]:
    """Return a law's part of the table, and errors of loss and live where settings are left out.

    The number of live features is given for power laws only: for others the solutions are too few.
    """
    data = read(law)
    if law == "power_law":
        data = relative(data)
    # The last features of a linear law have frequencies near 0, which groups blur: derivatives by n
    # are not used there.
    varied, used = ([1, 2, 3], [2, 3]) if law == "linear" else ([0, 1, 2, 3], [0, 1, 2, 3])
    kernel = find_kernel(data, varied, used)
    found = fit(data, kernel, data.value, used)
    record = {
        "box": BOX[law],
        "relative": law == "power_law",
        "map": rounded(kernel.map),
        "center": rounded(kernel.center),
        "settings": rounded(data.raw, 9),
        "loss": {
            "trend": rounded(found.trend),
            "values": rounded(found.values),
            "gradients": rounded(found.gradients),
        },
        "live": None,
    }
    loss_errors = np.expm1(-found.missed)[data.inside]
    if law != "power_law":
        return record, loss_errors, np.empty(0)
    imputed = fit_live(data, kernel)
    live = fit(data, kernel, imputed, [])
    record["live"] = {
        "trend": rounded(live.trend),
        "values": rounded(live.values),
        "gradients": [],
    }
    live_errors = np.expm1(np.minimum(imputed - live.missed, 0) - data.live)
    return record, loss_errors, live_errors[data.inside & np.isfinite(data.live)]


def trained() -> list[dict[str, Any]]:
    """Return losses of trained models: published ones and those of this project."""
    found: list[dict[str, Any]] = []

    def add(kind: str, label: str, source: str, setting: tuple[Any, ...], points: Any) -> None:
        law, parameter, n, density = setting
        found.append(
            {
                "kind": kind,
                "label": label,
                "source": source,
                "law": law,
                "parameter": parameter,
                "n": n,
                "density": round(float(density), 4),
                "points": [[int(m), *(float(f"{x:.4g}") for x in rest)] for m, *rest in points],
            }
        )

    figure_1 = load_reference("fig1_toy_loss")
    laws = {
        "power": ("power_law", 1.2),
        "exponential": ("exponential", 400.0),
        "linear": ("linear", 0),
    }
    for (state, name), rows in figure_1.groupby(["superposition", "distribution"], sort=True):
        strong = state == "strong"
        add(
            "published" if strong else "published_weak",
            "published, Figure 1d" if strong else "published, Figure 1b (weight decay 0.1)",
            "Figure 1",
            (*laws[str(name)], 10_240, 1.0),
            rows[["m", "loss"]].to_numpy(),
        )
    figure_7 = load_reference("fig7_density")
    for density, rows in figure_7[figure_7["panel"] == "b"].groupby("E"):
        add(
            "published",
            "published, Figure 7b (weight decay −0.56)",
            "Figure 7b",
            ("power_law", 1.0, 1000, density),
            rows[["m", "loss"]].to_numpy(),
        )
    again = load_measured("density_widths_paper")
    for density, rows in again.groupby("density"):
        add(
            "paper",
            "ours, published recipe (weight decay −0.56)",
            "ours",
            ("power_law", 1.0, 1000, density),
            rows[["m", "loss", "stderr"]].to_numpy(),
        )
    for name in ("grid", "large_power", "large_others"):
        rows = load_measured(name)
        rows = rows[rows["weight_decay"] == -1].assign(alpha=rows["alpha"].fillna(0.0))
        for (law, n, alpha), part in rows.groupby(["frequencies", "n", "alpha"]):
            kind, _, scale = str(law).partition(":")
            add(
                "fast",
                f"ours, {'earlier ' if name == 'grid' else ''}fast recipe (weight decay −1)",
                "ours",
                (kind, float(scale) if scale else float(alpha), int(n), 1.0),
                part[["m", "loss", "stderr"]].to_numpy(),
            )
    cells = json.loads((ROOT / "studies/mean_field/against_training.json").read_text())["cells"]
    for (n, law, density), part in pd.DataFrame(cells).groupby(["n", "law", "density"]):
        setting = {"exponential": ("exponential", n / 5), "linear": ("linear", 0)}.get(
            law, ("power_law", float(law) if law[0].isdigit() else 0.0)
        )
        add(
            "converged",
            "ours, trained until it converged",
            "ours, converged",
            (*setting, int(n), density),
            part[["m", "trained"]].to_numpy(),
        )
        add(
            "solved",
            SOLVED,
            "solved",
            (*setting, int(n), density),
            part[["m", "predicted"]].to_numpy(),
        )
    solved = pd.read_csv(PUBLISHED, comment="#").fillna({"alpha": 0.0, "scale": 0.0})
    for (law, n, alpha, scale, density), part in solved.groupby(
        ["law", "n", "alpha", "scale", "density"]
    ):
        setting = (law, alpha + scale if law != "linear" else 0, int(n), density)
        add("solved", SOLVED, "solved", setting, part[["m", "loss"]].to_numpy())
    return found


def main() -> None:
    """Fit all laws and write the table."""
    laws, loss, live = {}, [], []
    for law in LAWS:
        laws[law], loss_errors, live_errors = interpolate(law)
        loss.append(loss_errors)
        live.append(live_errors)
        print(law, len(laws[law]["settings"]), describe(loss_errors))
    accuracy: Mapping[str, Any] = {
        "count": sum(map(len, loss)),
        "loss": describe(np.concatenate(loss)),
        "live": describe(np.concatenate(live)),
    }
    table = {"accuracy": accuracy, "laws": laws, "trained": trained()}
    path = ROOT / "superscale" / "explorer" / "table.json"
    path.write_text(
        json.dumps(table, separators=(",", ":"), ensure_ascii=False) + "\n", encoding="utf-8"
    )
    print(json.dumps(accuracy))


if __name__ == "__main__":
    main()
