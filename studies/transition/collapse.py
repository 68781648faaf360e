"""Which rescaled width makes the losses of all n and E one curve, below and above m_c.

Run ``python studies/transition/collapse.py`` (a second) after critical_width.py and over_alpha.py,
whose mean-field losses at alpha = 0 it takes. The loss is divided by that of learning nothing;
its logarithm is fitted by a parabola in ln x, for each of several x. The scatter is the root mean
square of the residuals of settings (n, E) that were left out of the fit, in per cent. m, m/E and
n/m are the negative controls. Widths are m_c/5 to m_c, and m_c to 4 m_c: all of them, and those
with n/m of 30 or more. Of the widths from m_c to n/5 it counts those at which m L/E² is within 10 %
of 1, or the exponent within 0.1 of it. Results are stored in studies/transition/collapse.json.
"""

import json
import math
from pathlib import Path

import numpy as np

from theory.regimes.large_deviations import critical_width, find_threshold

FOLDER = Path(__file__).parent
# Least n/m of points far from n = m, and of those where exponents are counted.
CROWDED, MANY = 30, 5


def square_threshold(E, n):
    """Return τ², where interference ends by the law of large deviations."""
    return find_threshold(E, math.log(n / E)).tau ** 2


RESCALED = {
    "m/m_c": lambda p: p["m"] / p["critical"],
    "m/m_c of large deviations": lambda p: p["m"] / critical_width(p["n"], p["density"]),
    "m/τ²": lambda p: p["m"] / square_threshold(p["density"], p["n"]),
    "m/(E ln(n/E))": lambda p: p["m"] / (p["density"] * math.log(p["n"] / p["density"])),
    "m/E": lambda p: p["m"] / p["density"],
    "n/m": lambda p: p["n"] / p["m"],
    "m": lambda p: p["m"],
}  # fmt: skip


def load():
    """Return all points at alpha = 0 whose critical width is known, and losses there."""
    points = {}
    rows = json.loads((FOLDER / "critical_width.json").read_text(encoding="utf-8"))["rows"]
    for row in rows:
        known = {"n": row["n"], "density": row["density"], "critical": row["critical"]}
        for one in row["at"]:
            points[row["n"], row["density"], one["m"]] = {
                **known, "m": one["m"], "loss": one["loss"], "exponent": one["exponent"],
            }  # fmt: skip
    settings = json.loads((FOLDER / "over_alpha.json").read_text(encoding="utf-8"))["settings"]
    for setting in settings:
        if setting["alpha"] or setting["critical"] is None:
            continue
        solved = [one for one in setting["widths"] if "loss" in one]
        critical = setting["critical"]
        for one in solved:
            points.setdefault(
                (setting["n"], setting["density"], one["m"]),
                {"n": setting["n"], "density": setting["density"], "critical": critical,
                 "m": one["m"], "loss": one["loss"], "exponent": one["exponent"]},
            )  # fmt: skip
    return list(points.values())


def scatter(points, rescale, value):
    """Return the rms residual of ln(value), in per cent, of settings left out of the fit."""
    x = np.log([rescale(p) for p in points])
    y = np.log([value(p) for p in points])
    settings = np.array([(p["n"], p["density"]) for p in points])
    left = []
    for setting in np.unique(settings, axis=0):
        own = (settings == setting).all(1)
        left.append(np.polyval(np.polyfit(x[~own], y[~own], 2), x[own]) - y[own])
    return float(100 * np.sqrt(np.mean(np.concatenate(left) ** 2)))


def of_nothing(p):
    return p["loss"] / (4 / 3 * p["density"] - p["density"] ** 2 / p["n"])


def main():
    points = load()
    below = [p for p in points if 0.2 <= p["m"] / p["critical"] <= 1]
    above = [p for p in points if 1 <= p["m"] / p["critical"] <= 4]
    crowded = [p for p in above if p["n"] >= CROWDED * p["m"]]
    parts = {"below": below, "above": above, "above, crowded": crowded}
    table = [
        {
            "x": name,
            **{part: scatter(chosen, rescale, of_nothing) for part, chosen in parts.items()},
        }
        for name, rescale in RESCALED.items()
    ]
    many = [p for p in above if p["n"] >= MANY * p["m"]]
    scaled = np.array([p["m"] * p["loss"] / p["density"] ** 2 for p in many])
    exponent = np.array([p["exponent"] for p in many])
    near = [p for p in many if abs(p["exponent"] - 1) <= 0.1]
    kept = ("n", "density", "m", "critical", "exponent")
    record = {
        "command": "python studies/transition/collapse.py",
        "points": {part: len(chosen) for part, chosen in parts.items()},
        "scatter": table,
        "power_law": {
            "points": len(many),
            "scaled_within_10_percent": int(np.sum(np.abs(scaled - 1) <= 0.1)),
            "exponent_within_0.1": len(near),
            "least_scaled": float(scaled.min()), "largest_scaled": float(scaled.max()),
            "least_exponent": float(exponent.min()), "largest_exponent": float(exponent.max()),
            "near": [{name: p[name] for name in kept} for p in near],
        },
    }  # fmt: skip
    (FOLDER / "collapse.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    for row in table:
        print({name: x if isinstance(x, str) else round(x, 1) for name, x in row.items()})
    print(record["points"], record["power_law"])


if __name__ == "__main__":
    main()
