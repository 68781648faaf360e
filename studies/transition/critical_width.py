"""The critical width by the mean field: the least m at which every feature is live, over n and E.

Run ``python studies/transition/critical_width.py`` (10 minutes on one core). Even frequencies,
p_i = E/n. At the critical width, at half of it and at 2 and 4 times it: the loss, m L/E² and the
local exponent. m_c ∝ n^a E^s is fitted to the logarithms by least squares, over all settings and
for each n. Results are stored in studies/transition/critical_width.json.
"""

import json
import math
from pathlib import Path

import numpy as np

import superscale as ss

SIZES = (300, 1000, 3000, 10_000)
DENSITIES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
MULTIPLES = (0.5, 1, 2, 4)


def find(n, density):
    """Return the critical width, and the mean field at multiples of it."""
    words = ss.Frequencies.power_law(n, 0.0, density)
    critical = int(ss.required_width(words, kept=n))
    widths = [math.ceil(k * critical) for k in MULTIPLES]
    told = ss.predict(words, widths, theory="mean_field")
    return {
        "n": n, "density": density, "critical": critical,
        "at": [
            {"multiple": k, "m": m, "loss": float(loss), "scaled": float(m * loss / density**2),
             "exponent": float(exponent)}
            for k, m, loss, exponent in zip(
                MULTIPLES, widths, told.loss["mean_field"], told.exponent["mean_field"],
                strict=True,
            )
        ],
    }  # fmt: skip


def fit(rows, columns):
    """Return exponents of m_c in these columns with their standard errors."""
    X = np.array([[1.0, *(math.log(row[name]) for name in columns)] for row in rows])
    y = np.log([row["critical"] for row in rows])
    found, *_ = np.linalg.lstsq(X, y, rcond=None)
    left = y - X @ found
    variance = left @ left / (len(rows) - X.shape[1])
    errors = np.sqrt(np.diag(np.linalg.inv(X.T @ X)) * variance)
    result = {"residual": float(np.sqrt(variance))}
    for k, name in enumerate(columns, 1):
        result[name] = float(found[k])
        result[f"{name}_stderr"] = float(errors[k])
    return result


def main():
    rows = []
    for n in SIZES:
        for density in DENSITIES:
            rows.append(find(n, density))
            print(rows[-1], flush=True)
    record = {
        "command": "python studies/transition/critical_width.py",
        "law": fit(rows, ("n", "density")),
        "laws": [
            {"n": n, **fit([row for row in rows if row["n"] == n], ("density",))} for n in SIZES
        ],
        "rows": rows,
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
