"""What each part of the recipe "converged" is worth: one change at a time, with loss and time.

Run ``python studies/training/converged_recipe.py`` (20 minutes on one core). Three models (n = 300,
one seed) are trained by the fast recipe, whose rows have norms near 1. From there each variant goes
on by itself: rounds of the recipe, with one change; constant rates with the mean of the weights
over the last half of the steps; quasi-Newton descent on the exact gradient (``LossFunction``,
L-BFGS, 30 pairs). Losses are exact. Results are stored in studies/training/converged_recipe.json.
"""

import json
import platform
import time
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

import superscale as ss
from empirical.training.settings import TrainingSettings
from empirical.training.steps import FusedSteps
from numerics.ground_state.descent import diagonal_scale
from numerics.ground_state.objective import LossFunction
from theory.computing.one_thread import one_thread

CELLS = ((1.0, 1.0, 13), (1.5, 0.3, 8), (2.0, 0.3, 14))  # alpha, E, m
ROUND = {
    "weight_decay": 0.0, "steps": 12_000, "batch": 1024, "late_fraction": 0.0, "rare_share": 0.9,
    "learning_rate": 1e-2,
}  # fmt: skip
VARIANTS = {
    "a round": {},
    "with weight growth": {"weight_decay": -1.0},
    "batch 512, twice the steps": {"batch": 512, "steps": 24_000},
    "features added to 0.75": {"rare_share": 0.75},
    "none added": {"rare_share": 0.0},
    "learning rate halved": {"learning_rate": 5e-3},
    "learning rate doubled": {"learning_rate": 2e-2},
}
EVALUATIONS = 100


def exact_loss(model, f):
    """Return the exact loss of a model."""
    return ss.population_loss(model, f, rtol=1e-4).loss


def go_on(model, f, m, **changes):
    """Train on from a model by the settings of a round; return the model."""
    return ss.train(f, m, model=model, seed=1, **{**ROUND, **changes}).model


def average(model, f, m):
    """Train on at a constant rate; return the mean of the weights over the last half."""
    features = ss.Features(f)
    settings = TrainingSettings(**ROUND)
    rng, (n, _) = np.random.default_rng(1), model.W.shape
    steps = FusedSteps(
        model.W.astype(np.float32), model.b.astype(np.float32), features, rng, settings
    )
    total, count = [np.zeros((n, m)), np.zeros(n)], 0
    for done in range(0, settings.steps, 50):
        rates = settings.learning_rate * np.minimum(1.0, np.arange(done + 1, done + 51) / 1200)
        steps.take(rates, rates, done, settings.batch)
        if done >= settings.steps // 2:
            state, count = steps.state(), count + 1
            total = [total[0] + state["W"], total[1] + state["b"]]
    return ss.ToyModel(total[0] / count, total[1] / count)


def descend(model, f, m):
    """Descend on the exact gradient; return the model of the lowest loss."""
    loss = LossFunction(ss.Features(f), m)
    x = loss.pack(model.W, model.b)
    scale, rtol = diagonal_scale(loss), 1e-4 * loss(x, 1e-5)[0]
    lowest = [np.inf, x]

    def value(y):
        found, slope = loss(y / scale, rtol)
        if found < lowest[0]:
            lowest[:] = found, y / scale
        return found, slope / scale

    options = {"maxfun": EVALUATIONS, "ftol": 0, "gtol": 0, "maxcor": 30}
    minimize(value, x * scale, jac=True, method="L-BFGS-B", options=options)
    return loss.model(lowest[1])


def main():
    ways = {name: lambda *at, c=c: go_on(*at, **c) for name, c in VARIANTS.items()}
    ways["constant rate, mean weights"] = average
    ways["quasi-Newton, exact gradient"] = descend
    starts, rows = {}, {"fast": []}
    for alpha, E, m in CELLS:
        f = ss.Frequencies.power_law(300, alpha, E)
        began = time.process_time()
        model = ss.train(f, m, seed=0).model
        starts[f, m] = model
        rows["fast"].append([exact_loss(model, f), time.process_time() - began])
    for name, way in ways.items():
        rows[name] = []
        for (f, m), model in starts.items():
            began = time.process_time()
            end = way(model, f, m)
            rows[name].append([exact_loss(end, f), time.process_time() - began])
        losses = "  ".join(f"{loss:.5g}" for loss, _ in rows[name])
        print(f"{name:30s} {losses}  {sum(t for _, t in rows[name]):.1f} s", flush=True)
    rows["the recipe"] = []
    for f, m in starts:
        began = time.process_time()
        run = ss.train(f, m, recipe="converged")
        rows["the recipe"].append([run.loss, time.process_time() - began])
    fast = [loss for loss, _ in rows["fast"]]
    record = {
        "command": "python studies/training/converged_recipe.py",
        "python": platform.python_version(),
        "cells": [{"n": 300, "alpha": a, "density": E, "m": m} for a, E, m in CELLS],
        "variants": [
            {
                "variant": name,
                "losses": [loss for loss, _ in found],
                "below_fast": [
                    1 - loss / start for (loss, _), start in zip(found, fast, strict=True)
                ],
                "seconds": sum(seconds for _, seconds in found),
            }
            for name, found in rows.items()
        ],
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    with one_thread():
        main()
