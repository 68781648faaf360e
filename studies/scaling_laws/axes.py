"""Losses over width, depth and tokens: the published fit again, and what its intervals cover.

Run ``python studies/scaling_laws/axes.py TABLE`` (3 minutes on one core) with the table of 245
models of arXiv 2602.05970 (columns d_model, n_layers, num_tokens, model_size, loss), which does not
come with the package. Results are stored in studies/scaling_laws/axes.json.

- The fit: exponents, intervals, the profile of the width's exponent, tests, a descent from random
  starts by scipy for comparison, laws side by side, larger models predicted from smaller ones.
- Coverage: 500 tables are simulated from the fitted law on the same design with normal errors of
  the logarithm; the share of 95 % intervals that hold the true exponent is counted.
- Axes that vary together: ten designs in which width and depth cannot be separated, and ten in
  which they can; how often the warning comes.
"""

import json
import sys
import time
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

import superscale as ss

AXES = ["d_model", "n_layers", "num_tokens"]
DROPPED, SETS, STARTS = 40, 500, 60


def fit_published(table):
    start = time.perf_counter()
    fit = ss.scaling_laws.fit_axes(table, AXES, drop_highest=DROPPED)
    return fit, time.perf_counter() - start


def descend_from_random(fit, generator):
    """Return the least sum of squares over random starts of scipy's descent, and its exponents."""
    x = fit.rows[AXES].to_numpy(dtype=float)
    y = np.log(fit.rows["loss"].to_numpy(dtype=float))
    middle = np.exp(np.log(x).mean(axis=0))

    def residual(q):
        with np.errstate(over="ignore"):
            value = np.exp(q[0]) + np.sum(np.exp(q[1:4]) * (x / middle) ** -q[4:7], axis=1)
        return np.log(value) - y

    best = None
    for _ in range(STARTS):
        start = np.concatenate([generator.normal(0, 1, 4), generator.uniform(0.1, 2, 3)])
        found = least_squares(residual, start, max_nfev=2000)
        if best is None or found.cost < best.cost:
            best = found
    return {"objective": 2 * best.cost, **dict(zip(AXES, best.x[4:7], strict=True))}


def measure_coverage(fit, generator):
    """Return the share of 95 % intervals that hold each exponent of simulated tables."""
    spread = np.sqrt(fit.objective / fit.dof)
    clean = fit.fitted()
    held = dict.fromkeys(AXES, 0)
    warned = 0
    for _ in range(SETS):
        rows = fit.rows.assign(loss=clean * np.exp(generator.normal(0, spread, clean.size)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            again = ss.scaling_laws.fit_axes(rows, AXES)
        warned += bool(again.warnings)
        for name in AXES:
            interval = again.interval(name)
            held[name] += interval.low <= fit.exponents[name] <= interval.high
    return {"sets": SETS, "warned": warned, **{name: held[name] / SETS for name in AXES}}


def simulate(generator, together, count=120):
    """Return a table in which depth does, or does not, follow width."""
    m = np.exp(generator.uniform(np.log(256), np.log(4096), count))
    slope = generator.uniform(0.6, 1.4)
    if together:
        depth = 0.02 * m**slope * np.exp(generator.normal(0, 0.005, count))
    else:
        depth = np.exp(generator.uniform(np.log(4), np.log(64), count))
    loss = 1.75 + 270 / m**0.95 + 6.7 / depth**1.3
    return pd.DataFrame(
        {"m": m, "l": depth, "loss": loss * np.exp(generator.normal(0, 0.005, count))}
    )


def count_warnings(generator):
    found = {}
    for together in (True, False):
        warned = []
        for _ in range(10):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                fit = ss.scaling_laws.fit_axes(simulate(generator, together), ["m", "l"])
            warned.append(any("cannot be told apart" in text for text in fit.warnings))
        found["vary together" if together else "vary apart"] = int(sum(warned))
    return found


def _plain(value):
    return dict(value) if isinstance(value, Mapping) else float(value)


def main(path):
    generator = np.random.default_rng(0)
    table = pd.read_csv(path)
    fit, seconds = fit_published(table)
    kept = table[table["loss"] < np.sort(table["loss"])[-DROPPED]]
    surface = ss.scaling_laws.fit_axes(
        kept.rename(columns={"model_size": "N"}), ["N", "num_tokens"]
    )
    validation = fit.validate(kept["FLOP"].to_numpy(), 0.7)
    record = {
        "command": "python studies/scaling_laws/axes.py",
        "points": len(fit.rows),
        "seconds": seconds,
        "parameters": fit.to_dataframe().to_dict("records"),
        "objective": fit.objective,
        "intervals": {name: vars(fit.interval(name)) for name in [*AXES, "floor"]},
        "profile of d_model": fit.profile("d_model", [0.82, 0.945, 0.977, 1.0, 1.08]).to_dict(
            "records"
        ),
        "tests": [
            fit.test(**values).to_dataframe().to_dict("records")[0]
            for values in (
                {"d_model": 1},
                {"n_layers": 1},
                {"d_model": 1, "n_layers": 1},
                {"d_model": 0.977, "n_layers": 1.2, "num_tokens": 0.299},
            )
        ],
        "scipy from random starts": descend_from_random(fit, generator),
        "compare": fit.compare({"L(N, D)": surface}).to_dict("records"),
        "validation": {"error": validation.error, "exponents": dict(validation.exponents)},
        "plan at 1e21": ss.scaling_laws.plan_shape(fit, compute=1e21)
        .to_dataframe()
        .to_dict("records"),
        "warnings": count_warnings(generator),
    }
    json.dumps(record, default=_plain)  # fails before what takes long, if at all
    record["coverage"] = measure_coverage(fit, generator)
    text = json.dumps(record, indent=1, default=_plain)
    Path(__file__).with_suffix(".json").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main(sys.argv[1])
