"""What dependence costs: the exact loss, a step of training, and reading a sample, as ratios.

Run ``python benchmarks/dependent_features.py`` (some minutes on one core; name parts to run them
only: loss, gradient, training, samples). Results are stored in benchmarks/dependent_features.json.
"""

import json
import os
import platform
import resource
import sys
import time
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

import superscale as ss
from empirical.training.settings import make_settings
from empirical.training.steps import FusedSteps
from numerics.sampling import FeatureSampler

# Independent features of which as many are active as of the hierarchy.
EQUAL = "independent, as many active as of the hierarchy"


def structures(n):
    """Return dependent features of the same frequencies, by name."""
    words = ss.Frequencies.power_law(n, 1.0)
    rng = np.random.default_rng(0)
    tilt = np.exp(0.5 * rng.standard_normal((4, n)))
    return words, {
        "exclusive sets of 5": ss.Features.exclusive(
            words, [range(k, n, n // 5) for k in range(n // 5)]
        ),
        "hierarchy": ss.Features.hierarchy(words, [None if i < 10 else i // 3 for i in range(n)]),
        "common causes": ss.Features.common_cause(
            words, [range(k, n, n // 10) for k in range(n // 10)], 0.5, 0.2 * words.p
        ),
        "four topics": ss.Features.mixture(np.full(4, 0.25), words.p * 4 * tilt / tilt.sum(axis=0)),
    }


def measure_loss(n=1000, m=40, gradient=False):
    """Time the exact loss of a model of random directions, beside independent features."""
    words, dependent = structures(n)
    W = np.random.default_rng(1).standard_normal((n, m))
    model = ss.ToyModel(W / np.linalg.norm(W, axis=1)[:, None], np.full(n, -0.4))
    kinds = {"independent": words, **dependent}
    small = np.arange(20)
    for features in kinds.values():  # compiles
        some = ss.Frequencies.power_law(20, 1.0)
        if isinstance(features, ss.Features):
            forest = features.dependence.take(small)
            marginals = ss.Frequencies.from_probabilities(forest.marginals)
            some = ss.Features(marginals, dependence=forest)
        toy = ss.ToyModel(model.W[small], model.b[small])
        ss.population_loss(toy, some, gradient=gradient)
    record = {"n": n, "m": m}
    for name, features in kinds.items():
        began = time.process_time()
        ss.population_loss(model, features, gradient=gradient)
        seconds = time.process_time() - began
        ratio = seconds / record["independent"]["CPU seconds"] if name != "independent" else 1.0
        record[name] = {"CPU seconds": seconds, "ratio": ratio}
        print(name, record[name], flush=True)
    return record


def measure_gradient():
    """Time the exact loss with its gradient."""
    return measure_loss(gradient=True)


def measure_training(n=1000, m=40, steps=200):
    """Time compiled steps at batch 256, in turns, beside independent features; least of five.

    The fast recipe shows a rare feature in most samples, and a hierarchy brings all its ancestors.
    So its step is also set beside that of independent features of which as many are active.
    """
    words, dependent = structures(n)
    settings = make_settings(recipe="fast", weight_decay=-1.0, seed=0)
    kinds = {"independent": ss.Features(words), **dependent}
    busy = active_features(kinds["hierarchy"], settings.rare_share)
    more = ss.Frequencies.power_law(n, 0.8, busy - settings.rare_share)
    kinds[EQUAL] = ss.Features(more)
    starts = {name: ss.train(f, m, steps=500).model for name, f in kinds.items()}
    by_rank = {name: f.frequencies.by_rank for name, f in kinds.items()}
    runs = {
        name: FusedSteps(
            by_rank[name](starts[name].W).astype(np.float32),
            by_rank[name](starts[name].b).astype(np.float32),
            f.ranked,
            np.random.default_rng(1),
            settings,
        )
        for name, f in kinds.items()
    }
    rates = np.full(steps, 1e-3)
    least = dict.fromkeys(kinds, np.inf)
    for _ in range(5):
        for name, stepper in runs.items():
            began = time.process_time()
            stepper.take(rates, rates, 0, 256)
            least[name] = min(least[name], (time.process_time() - began) / steps)
    record = {
        name: {
            "microseconds a step": 1e6 * x,
            "ratio": x / least["independent"],
            "active features a sample": active_features(kinds[name], settings.rare_share),
        }
        for name, x in least.items()
    }
    record["hierarchy"]["ratio at equal activity"] = least["hierarchy"] / least[EQUAL]
    print(record, flush=True)
    return {"n": n, "m": m, "batch": 256, **record}


def active_features(features, rare_share, samples=4000):
    """Return how many features are active in a sample of training."""
    drawn = FeatureSampler(features, rare_share).draw(samples, np.random.default_rng(3))
    return drawn.sample.size / samples


def measure_samples(samples=100_000, n=5000, active=30):
    """Fit a planted tree: time, memory at peak, and the share of its edges that is found."""
    rng = np.random.default_rng(2)
    parents = [None] * (n // 10)
    parents += [int(i) for i in rng.integers(0, n // 10, 3 * n // 10)]
    parents += [int(i) for i in rng.integers(n // 10, 4 * n // 10, n - len(parents))]
    p = np.empty(n)
    for i, above in enumerate(parents):
        p[i] = rng.uniform(1, 2) if above is None else p[above] * rng.uniform(0.3, 0.7)
    features = ss.Features.hierarchy(
        ss.Frequencies.from_probabilities(p * active / p.sum()), parents
    )
    drawn = FeatureSampler(features).draw(samples, rng)
    X = csr_array((drawn.value, (drawn.sample, drawn.feature)), shape=(samples, n))
    del drawn
    ss.dependence.fit_samples(X[:100])  # compiles
    began, cpu = time.perf_counter(), time.process_time()
    fit = ss.dependence.fit_samples(X)
    record = {
        "samples": samples, "n": n, "active": X.nnz / samples,
        "seconds": time.perf_counter() - began, "CPU seconds": time.process_time() - cpu,
        "GB at peak, the sample and python included":
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }  # fmt: skip
    planted = {
        (fit_place(fit, i), fit_place(fit, k)) for i, k in enumerate(parents) if k is not None
    }
    planted = {(min(pair), max(pair)) for pair in planted}
    found = {(min(pair), max(pair)) for pair in fit.edges.tolist()}
    record["share of planted edges found"] = len(planted & found) / len(planted)
    print(record, flush=True)
    return record


def fit_place(fit, column):
    """Return the feature that a column became."""
    return int(np.searchsorted(fit.columns, column))


def main():
    path = Path(__file__).with_suffix(".json")
    parts = {
        "samples": measure_samples,
        "loss": measure_loss,
        "gradient": measure_gradient,
        "training": measure_training,
    }
    record = json.loads(path.read_text()) if path.exists() else {}
    record["command"] = "python benchmarks/dependent_features.py"
    for name in sys.argv[1:] or parts:
        record[name] = parts[name]()
        record["machine"] = {
            "cpu count": os.cpu_count(), "python": platform.python_version(),
            "threads": os.environ.get("NUMBA_NUM_THREADS", "all"),
        }  # fmt: skip
        path.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
