"""Solutions of the mean field, with their gradients, from which the explorer interpolates.

``python studies/explorer/solutions.py COUNT`` solves COUNT settings more, a Sobol sequence for each
law of the frequencies, 1.5 to 3 seconds of one core each. What it has found is stored in
studies/explorer/power_law.csv, and beside it in exponential.csv and linear.csv.
``python studies/explorer/table.py`` makes the page's table of them.

By the envelope theorem d L/d theta is the derivative of the Lagrangian at a fixed minimum, for
theta = ln m, ln n, ln E and the law's parameter (alpha; ln of an exponential law's scale). It is
that of grouped features, some per cent off where features of a group differ much.
"""

from __future__ import annotations

import itertools
import math
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

import superscale as ss
from theory.computing.one_thread import one_thread
from theory.features import Features
from theory.mean_field.antipodal import antipodal_loss
from theory.mean_field.evaluation import report_minimum
from theory.mean_field.groups import group_features, merge_groups, rank_features
from theory.mean_field.live_features import search_live
from theory.mean_field.prolongation import prolong
from theory.mean_field.solver.augmented_lagrangian import lagrangian_of
from theory.mean_field.solver.method_of_multipliers import minimise
from theory.mean_field.solver.problem import Problem
from theory.mean_field.solver.state import Minimum

HERE = Path(__file__).parent
HEADER = "n,parameter,density,m,loss,live,d_m,d_n,d_density,d_parameter,seconds"
# The order of laws: most settings are power laws, which vary in one dimension more.
TURNS = (*["power_law"] * 30, "linear", "exponential")
SEED = 7
# Relative step of forward differences.
STEP = 5e-4


class Box(NamedTuple):
    """Ranges of settings: least and largest values, the least n/m, the least m and m/√n."""

    n: tuple[int, int]
    density: tuple[float, float]
    alpha: tuple[float, float]
    n_over_scale: tuple[float, float]
    n_over_m: float
    m: float
    m_over_root_n: float


# The ranges of the page and a little more; the first settings of each sequence were drawn from
# others, up to the places given.
BOX = Box((240, 3800), (0.19, 4.1), (-0.05, 1.62), (4.7, 6.1), 4.6, 5.5, 0.29)
EARLIER = (
    (
        {"power_law": 32, "exponential": 12, "linear": 6},
        Box((170, 13_500), (0.18, 4.5), (-0.08, 2.08), (4.5, 29), 3.6, 4.5, 0.18),
    ),
    (
        {"power_law": 44, "exponential": 17, "linear": 9},
        Box((270, 11_500), (0.27, 3.7), (-0.06, 2.03), (4.7, 27.5), 4.6, 5.5, 0.23),
    ),
    (
        {"power_law": 75, "exponential": 27, "linear": 14},
        Box((650, 1600), (0.27, 3.7), (-0.06, 2.03), (4.5, 9), 4.6, 5.5, 0.23),
    ),
    (
        {"power_law": 87, "exponential": 30, "linear": 15},
        Box((760, 1310), (0.46, 2.15), (-0.05, 2.03), (4.6, 6.2), 4.6, 5.5, 0.27),
    ),
    (
        {"power_law": 102, "exponential": 34, "linear": 17},
        Box((760, 1310), (0.46, 2.15), (-0.05, 1.55), (4.6, 6.2), 4.6, 5.5, 0.27),
    ),
    (
        {"power_law": 115, "exponential": 38, "linear": 33},
        Box((780, 1280), (0.48, 2.1), (-0.05, 2.02), (4.7, 6.1), 4.6, 5.5, 0.28),
    ),
    (
        {"power_law": 120, "exponential": 38, "linear": 33},
        Box((180, 11_500), (0.17, 3.6), (-0.08, 2.05), (4.7, 6.1), 4.6, 5.5, 0.28),
    ),
    (
        {"power_law": 129, "exponential": 38, "linear": 33},
        Box((370, 2700), (0.36, 2.7), (-0.05, 1.53), (4.7, 6.1), 4.6, 5.5, 0.4),
    ),
    (
        {"power_law": 143, "exponential": 39, "linear": 34},
        Box((240, 5600), (0.24, 3.4), (-0.06, 1.62), (4.7, 6.1), 4.6, 5.5, 0.29),
    ),
    (
        {"power_law": 171, "exponential": 41, "linear": 36},
        Box((90, 11_500), (0.09, 11), (-0.06, 1.7), (4.7, 6.1), 4.6, 5.5, 0.29),
    ),
    (
        {"power_law": 189, "exponential": 41, "linear": 36},
        Box((130, 9200), (0.13, 4.8), (-0.05, 1.37), (4.7, 6.1), 4.6, 5.5, 0.29),
    ),
)


def setting(law: str, place: int, u: NDArray[np.float64]) -> tuple[ss.Frequencies, int]:
    """Return frequencies and a width at a point of the unit cube, a little beyond the page's."""
    box = next((earlier for ends, earlier in EARLIER if place < ends[law]), BOX)
    n = round(_between(*box.n, u[0]))
    if law == "exponential":
        parameter = float(f"{n / _between(*box.n_over_scale, u[3]):.6g}")
    else:
        parameter = round(max(0.0, box.alpha[0] + (box.alpha[1] - box.alpha[0]) * u[3]), 4)
    most = min(box.density[1], 0.97e-3 / frequencies(law, n, parameter, 1e-3).largest)
    density = float(f"{_between(box.density[0], most, u[1]):.6g}")
    widest = n / box.n_over_m
    if law == "exponential":
        widest = min(widest, 1.6 * parameter)
    m = round(_between(max(box.m, box.m_over_root_n * math.sqrt(n)), widest, u[2]))
    return frequencies(law, n, parameter, density), m


def frequencies(law: str, n: int, parameter: float, density: float) -> ss.Frequencies:
    """Return the frequencies of a law."""
    if law == "linear":
        return ss.Frequencies.linear(n, density)
    make = ss.Frequencies.power_law if law == "power_law" else ss.Frequencies.exponential
    return make(n, parameter, density)


def _between(low: float, high: float, u: float) -> float:
    return float(low * (high / low) ** u)


def solve(shown: ss.Frequencies, m: int) -> tuple[float, int, list[float]]:
    """Return the loss, the number of live features and the derivatives of ln L.

    The steps are those of ``solve_mean_field``, which does not return its multipliers. Derivatives
    are NaN where antipodal pairs lose less.
    """
    ranked = rank_features(Features(shown))
    with one_thread():
        like = Problem(group_features(ranked, 1), float(m), ranked.activation)
        live, coarse, start = search_live(ranked, m, None, like)
        problem = replace(like, groups=group_features(ranked, None, live))
        point, multipliers = prolong(coarse, start, problem, merge_groups(problem.groups)[1])
        found = minimise(problem, start._replace(point=point, multipliers=multipliers))
        smooth = report_minimum(ranked, problem, found)
    pairs = antipodal_loss(shown, m)
    if pairs.loss < smooth.loss:
        return pairs.loss, pairs.live, [math.nan] * 4
    return smooth.loss, live, differentiate(shown, problem, found)


def differentiate(shown: ss.Frequencies, problem: Problem, found: Minimum) -> list[float]:
    """Return d ln L by ln m, ln n, ln E, and alpha or ln scale, of grouped features."""
    sizes, n = np.asarray(problem.groups.sizes, dtype=float), shown.n
    ends = np.concatenate(([0], np.cumsum(sizes).astype(int)))

    def total(
        m: float = 0.0, n_: float = 0.0, density: float = 0.0, parameter: float = 0.0
    ) -> float:
        weights, extra = _weights(shown, n * n_, parameter), n * n_
        last = weights[-1] * extra
        p = weights * (shown.density * (1 + density) / (weights.sum() + last))
        sums = np.add.reduceat(p[: ends[-1]], ends[:-1])
        grown = sizes.copy()
        lost = float((4 / 3 * p[ends[-1] :] - p[ends[-1] :] ** 2).sum())
        if ends[-1] == n:
            grown[-1] += extra
            sums[-1] += p[-1] * extra
        else:
            lost += extra * (4 / 3 * p[-1] - p[-1] ** 2)
        groups = replace(problem.groups, sizes=grown, p=sums / grown)
        return lagrangian_of(problem.at(groups, problem.m * (1 + m)), found) + lost

    names = ["m", "n_", "density"] + (["parameter"] if shown.parameter is not None else [])
    here = total()
    return [(total(**{name: STEP}) / here - 1) / STEP for name in names]


def _weights(shown: ss.Frequencies, extra: float, change: float) -> NDArray[np.float64]:
    """Return weights of the ranks, with ``extra`` features more and a changed parameter."""
    ranks = np.arange(1, shown.n + 1, dtype=float)
    if shown.law == "power_law":
        return np.asarray(ranks ** -(float(shown.parameter or 0) + change))
    if shown.law == "exponential":
        return np.asarray(np.exp(-ranks / (float(shown.parameter or 1) * (1 + change))))
    return np.asarray(shown.n + extra + 1 - ranks)


def row(shown: ss.Frequencies, m: int) -> str:
    """Solve one setting; the loss is NaN where the solver does not converge."""
    start = time.perf_counter()
    try:
        loss, live, slopes = solve(shown, m)
    except ss.errors.ConvergenceError:
        loss, live, slopes = math.nan, 0, [math.nan] * 4
    slopes = [*slopes, math.nan][:4]
    parameter = "" if shown.parameter is None else f"{shown.parameter:.6g}"
    numbers = ",".join(f"{slope:.5g}" for slope in slopes)
    return (
        f"{shown.n},{parameter},{shown.density:.6g},{m},{loss:.8g},{live},{numbers},"
        f"{time.perf_counter() - start:.2f}"
    )


def main(count: int) -> None:
    """Solve so many settings more."""
    points = {law: qmc.Sobol(4, rng=SEED).random(4096) for law in set(TURNS)}
    for law in itertools.islice(itertools.cycle(TURNS), count):
        path = HERE / f"{law}.csv"
        if not path.exists():
            path.write_text(HEADER + "\n", encoding="utf-8")
        place = len(path.read_text(encoding="utf-8").splitlines()) - 1
        line = row(*setting(law, place, points[law][place]))
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
