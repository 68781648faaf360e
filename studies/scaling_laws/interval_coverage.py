"""The published fit of 27 language models: its time, its error, and whether intervals cover.

Run ``python studies/scaling_laws/interval_coverage.py`` (10 minutes on one core). Results are
stored in studies/scaling_laws/interval_coverage.json. The data are those of arXiv 2505.10465,
Figure 8.

Coverage: data are simulated from the fitted law with the published design (widths, groups,
models), and the share of intervals that contain the true exponent is counted. Errors are
independent, or partly shared by the points of one model, as the residuals are (analysis of
variance).
"""

import json
import platform
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

import superscale as ss
from empirical.scaling_laws.profile_likelihood import Profile
from empirical.scaling_laws.resampling import measure_influence, resample

SETS, RESAMPLES, LEVEL = 1000, 299, 0.95


def load():
    data = ss.published.load_reference("fig8_llm_loss")
    return data, {
        "groups": data["family"] + "/" + data["dataset"],
        "labels": data["model"] + "/" + data["dataset"],
        "clusters": data["model"],
    }


def measure_time(data, names):
    seconds = []
    for _ in range(20):
        start = time.perf_counter()
        ss.scaling_laws.fit_power_law(data["m"], data["loss_total"], **names)
        seconds.append(time.perf_counter() - start)
    return {"fastest": min(seconds), "median": float(np.median(seconds))}


def measure_errors(fit):
    """Every error of alpha that can be given."""
    jackknife = fit.influence("clusters")
    found = {
        "curvature": fit.stderr,
        "jackknife over points": fit.influence().stderr,
        "jackknife over models": jackknife.stderr,
    }
    intervals = {
        "profile, 95 %": fit.interval(),
        "profile, 68.27 %": fit.interval(0.6827),
        "jackknife over models, 95 %": jackknife.interval(fit.alpha),
    }
    for by in ("residuals", "points", "clusters"):
        resampled = fit.bootstrap(by, 9999, seed=0)
        found[f"bootstrap over {by}"] = resampled.stderr
        intervals[f"bootstrap over {by}, 95 %"] = resampled.interval()
    return found, {name: [one.low, one.high] for name, one in intervals.items()}


def explain_published(data, fit):
    """Compute the error as the authors do: C and floors known, logarithms of loss - floor.

    LLMs/nonlinearfit-3.ipynb of github.com/liuyz0/SuperpositionScaling, cell 20. The one negative
    difference has no logarithm: nan_to_num puts 0 there.
    """
    u = np.log(data["m"].to_numpy())
    above = data["loss_total"].to_numpy() - data["B"].to_numpy()
    law = np.log(fit.coefficient) - fit.alpha * u
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logs = np.log(above)
    spread = np.sum((u - u.mean()) ** 2) * (u.size - 3)
    as_published = np.sum((np.nan_to_num(logs) - law) ** 2)
    without = np.nansum((logs - law) ** 2)
    return {
        "with 0 for the missing logarithm": float(np.sqrt(as_published / spread)),
        "without that point": float(np.sqrt(without / spread)),
    }


def split_errors(fit):
    """Return standard deviations between and within models, scaled to the degrees of freedom."""
    cluster, names = fit.points.cluster_index()
    residual = fit.points.loss - fit.projection.fitted(fit.best)[0]
    counts = np.bincount(cluster)
    means = np.bincount(cluster, residual) / counts
    within = np.sum((residual - means[cluster]) ** 2) / (residual.size - len(names))
    between = np.sum(counts * means**2) / (len(names) - 1)
    shared = max(between - within, 0) / counts.mean()
    scale = residual.size / fit.dof
    return float(np.sqrt(shared * scale)), float(np.sqrt(within * scale))


def measure_coverage(fit, shared, own, seed):
    rng = np.random.default_rng(seed)
    projection, points = fit.projection, fit.points
    cluster, names = points.cluster_index()
    losses = projection.fitted(fit.best)[0]
    losses = losses + shared * rng.standard_normal((SETS, len(names)))[:, cluster]
    losses = losses + own * rng.standard_normal((SETS, points.size))
    laws = projection.minimise(points.weight, losses)
    hits, lengths = {}, {}
    for k in range(SETS):
        law, data = laws.take(np.array([k])), replace(points, loss=losses[k])
        alpha = float(law.theta[0])
        profile = Profile(projection, points.weight, losses[k], law, fit.dof, False).region(LEVEL)
        again = resample(projection, data, law, fit.dof, "clusters", RESAMPLES, k)
        loose = measure_influence(projection, data, law, 0.1, "clusters")
        ends = {"profile": profile, "bootstrap over models": again.interval(LEVEL)}
        ends["bootstrap over points"] = resample(
            projection, data, law, fit.dof, "points", RESAMPLES, k
        ).interval(LEVEL)
        ends["jackknife over models"] = loose.interval(alpha, LEVEL)
        both = {name: (one.low, one.high) for name, one in ends.items()}
        both["profile x 0.7 (control)"] = tuple(
            alpha + 0.7 * (end - alpha) for end in (profile.low, profile.high)
        )
        for name, (low, high) in both.items():
            hits[name] = hits.get(name, 0) + (low <= fit.alpha <= high)
            lengths.setdefault(name, []).append(high - low)
        if k % 100 == 99:
            print(k + 1, {name: hit / (k + 1) for name, hit in hits.items()}, flush=True)
    return {
        name: {"coverage": hits[name] / SETS, "median_length": float(np.median(lengths[name]))}
        for name in hits
    } | {"spread of the estimates": float(np.std(laws.theta))}


def main():
    data, names = load()
    fit = ss.scaling_laws.fit_power_law(data["m"], data["loss_total"], **names)
    stderr, intervals = measure_errors(fit)
    shared, own = split_errors(fit)
    record = {
        "command": "python studies/scaling_laws/interval_coverage.py",
        "python": platform.python_version(),
        "alpha": fit.alpha,
        "seconds": measure_time(data, names),
        "published_error": 0.04,
        "published_error_recomputed": explain_published(data, fit),
        "stderr": stderr,
        "intervals": intervals,
        "errors_between_and_within_models": [shared, own],
        "coverage": {
            "sets": SETS,
            "resamples": RESAMPLES,
            "level": LEVEL,
            "independent": measure_coverage(fit, 0.0, fit.residual_std, 1),
            "shared by models": measure_coverage(fit, shared, own, 2),
        },
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps({name: record[name] for name in list(record)[2:-1]}, indent=2))


if __name__ == "__main__":
    main()
