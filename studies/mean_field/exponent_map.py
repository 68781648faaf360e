"""How fast the loss falls with width, by the mean field: over alpha and n/m, at large n, in limits.

Run ``python studies/mean_field/exponent_map.py`` (about 20 minutes on 2 cores). With the name of a
part, such as words or trained, it computes only that part again; with print it prints what is
stored, with draw it also draws docs/science/exponents.png. Nothing is fitted. Exponents are slopes
of ln L between neighbouring widths; those of the map are compared with models trained at the same
settings. Results are stored in studies/mean_field/exponent_map.json.
"""

import itertools
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import matplotlib as mpl
import numpy as np

import superscale as ss
from theory.figures.style import (
    BLACK,
    COLOR_MAP,
    GREY,
    add_color_bar,
    curve,
    finish,
    open_row,
)
from theory.mean_field.solve import ConvergenceError, solve_mean_field

N = 1000
ALPHAS = [k / 4 for k in range(9)]
WIDTHS = (10, 14, 20, 28, 40, 56, 80, 112, 160)
TRAINED = WIDTHS[:-1]
WORDS, WORD_WIDTHS = 50_000, (1000, 1800, 3200, 5600, 10_000)
# Fixed n/m, and fixed n/m².
RATIOS, SQUARES = (8, 32), (0.5, 4)
SIZES = (100, 300, 1000, 3000, 10_000)


def solve(job):
    """Return the predicted loss of (n, alpha, m), and its local exponent."""
    n, alpha, m = job
    try:
        found = solve_mean_field(ss.Frequencies.power_law(n, alpha), m)
    except ConvergenceError as error:
        return {"n": n, "alpha": alpha, "m": m, "loss": np.nan, "error": str(error)}
    return {
        "n": n, "alpha": alpha, "m": m, "loss": found.loss, "uncertainty": found.uncertainty,
        "exponent": found.exponent, "live": found.live,
    }  # fmt: skip


def train(job):
    """Return the loss of (n, alpha, m) by the fast recipe."""
    n, alpha, m = job
    f = ss.Frequencies.power_law(n, alpha)
    run = ss.train(f, m, recipe="fast", seed=0)
    return {"n": n, "alpha": alpha, "m": m, "loss": ss.population_loss(run.model, f).loss}


def list_jobs():
    """Return what to solve, by the question that it answers."""
    jobs = {"map": [(N, alpha, m) for alpha in ALPHAS for m in WIDTHS]}
    jobs["trained"] = [(N, alpha, m) for alpha in ALPHAS for m in TRAINED]
    jobs["words"] = [(WORDS, 1.0, m) for m in WORD_WIDTHS]
    for alpha in (0.0, 1.0):
        jobs[f"fixed n/m, alpha = {alpha:g}"] = [
            (n, alpha, round(n / ratio)) for ratio in RATIOS for n in SIZES
        ]
        jobs[f"fixed n/m², alpha = {alpha:g}"] = [
            (n, alpha, round(np.sqrt(n / square))) for square in SQUARES for n in SIZES
        ]
    return jobs


def slopes(rows):
    """Return m between neighbours of the same n and alpha, and the slope of the loss there."""
    for one, two in itertools.pairwise(rows):
        if (one["n"], one["alpha"]) == (two["n"], two["alpha"]):
            value = np.log(one["loss"] / two["loss"]) / np.log(two["m"] / one["m"])
            yield one["n"], one["alpha"], np.sqrt(one["m"] * two["m"]), float(value)


def draw(record):
    """Draw the map with trained points on it, and the exponents of many words."""
    mpl.use("Agg")
    left, right = open_row(2, (5.0, 4.0))
    found = list(slopes(record["map"]))
    ratios = sorted({round(N / m, 6) for _, _, m, _ in found})
    image = [
        [next(s for _, a, m, s in found if a == alpha and round(N / m, 6) == ratio)
         for ratio in ratios]
        for alpha in ALPHAS
    ]  # fmt: skip
    levels = np.arange(0, 3.01, 0.25)
    mesh = left.contourf(ratios, ALPHAS, image, levels, cmap=COLOR_MAP, extend="both")
    left.contour(ratios, ALPHAS, image, [1.0], colors="w", linewidths=2)
    for n, alpha, m, slope in slopes(record["trained"]):
        left.scatter(
            n / m, alpha, c=[slope], cmap=COLOR_MAP, edgecolors="w", s=60,
            vmin=levels[0], vmax=levels[-1], zorder=3, clip_on=False,
        )  # fmt: skip
    left.grid(False)
    add_color_bar(left, mesh, "local exponent −d ln L/d ln m")
    title = "n = 1000, E = 1; dots: trained; white line: 1"
    finish(left, "features per dimension n/m", "exponent α of the frequencies", log="x",
           title=title)  # fmt: skip
    for k, alpha in enumerate((0.0, 1.0, 1.5, 2.0)):
        line = [(N / m, s) for _, a, m, s in found if a == alpha]
        right.plot(*zip(*line, strict=True), **curve(k), ms=4, label=f"n = {N}, α = {alpha:g}")
    line = [(WORDS / m, s) for _, _, m, s in slopes(record["words"])]
    right.plot(
        *zip(*line, strict=True), ls="--", marker="P", color=BLACK, label=f"n = {WORDS}, α = 1"
    )
    right.axhline(1, color=GREY, linewidth=0.8)
    finish(right, "features per dimension n/m", "local exponent −d ln L/d ln m", log="x")
    left.figure.savefig(
        Path(__file__).parents[2] / "docs" / "science" / "exponents.png", dpi=130, facecolor="white"
    )


def main():
    path = Path(__file__).with_suffix(".json")
    record = {"command": "python studies/mean_field/exponent_map.py"}
    chosen = sys.argv[1:]
    if chosen:
        record = json.loads(path.read_text())
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        for name, jobs in list_jobs().items():
            if not chosen or name in chosen:
                record[name] = list(pool.map(train if name == "trained" else solve, jobs))
                path.write_text(json.dumps(record, indent=1) + "\n")
                print(name, flush=True)
    for n, alpha, m, slope in slopes(record["map"]):
        print(f"n = {n}, alpha = {alpha:g}, n/m = {n / m:.1f}: exponent {slope:.2f}")
    beyond = [slope for *_, slope in slopes(record["words"])]
    for row, slope in itertools.zip_longest(record["words"], beyond):
        print(f"words, m = {row['m']}, n/m = {row['n'] / row['m']:.0f}: loss {row['loss']:.3g} "
              f"(uncertainty {row['uncertainty'] / row['loss']:.1%})"
              f"{'' if slope is None else f', slope to the next {slope:.2f}'}")  # fmt: skip
    for name, rows in record.items():
        if name.startswith("fixed"):
            fixed = RATIOS if "m²" not in name else SQUARES
            for k, row in enumerate(rows):
                if "live" in row:
                    print(f"{name}, fixed at {fixed[k // len(SIZES)]}: n = {row['n']}, m = "
                          f"{row['m']}, n/m = {row['n'] / row['m']:.0f}: loss {row['loss']:.4g}, "
                          f"exponent {row['exponent']:.2f}, {row['live']} live")  # fmt: skip
    for alphas in ((0, 1.5), (1.5, 2)):
        worst = max(row["uncertainty"] / row["loss"] for row in record["map"]
                    if alphas[0] <= row["alpha"] <= alphas[1])  # fmt: skip
        print(f"uncertainty of the losses of the map, alpha from {alphas[0]} to {alphas[1]}: at "
              f"most {worst:.1%}")  # fmt: skip
    found = {(alpha, m): slope for _, alpha, m, slope in slopes(record["map"])}
    differences = []
    for _, alpha, m, slope in slopes(record["trained"]):
        differences.append(abs(slope - found[alpha, m]))
        print(f"alpha = {alpha:g}, n/m = {N / m:.1f}: trained {slope:.2f}, "
              f"predicted {found[alpha, m]:.2f}")  # fmt: skip
    for most in (0.1, 0.15):
        within = sum(difference <= most for difference in differences)
        print(f"{within} of {len(differences)} within {most}, largest {max(differences):.2f}")
    if chosen != ["print"]:
        draw(record)


if __name__ == "__main__":
    main()
