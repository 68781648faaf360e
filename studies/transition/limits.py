"""Two limits of even frequencies beside the mean field, and how fast it comes near them.

Run ``python studies/transition/limits.py`` (3 minutes on one core) after critical_width.py.

- Large deviations (theory/regimes/large_deviations.py): its critical widths and losses over those
  of studies/transition/critical_width.json.
- Many active features (theory/regimes/many_active.py): at p = 1/1000 and three n/m, L of the mean
  field, and of isotropic frames ("gaussian"), over the limit, for E = n p up to 1000. The order is
  the slope of ln|L/limit - 1| against -ln E between the last two E, and that of what optimised
  overlaps gain, the difference of the two. The negative control is the limit with the variance
  (4/3) E/m, without the share of it that m directions take away.

Results are stored in studies/transition/limits.json.
"""

import json
import math
from pathlib import Path

import numpy as np

import superscale as ss
from theory.regimes.large_deviations import (
    critical_eta,
    critical_width,
    large_deviation_parts,
)
from theory.regimes.many_active import many_active_loss, minimise_live

P, RATIOS, DENSITIES = 1e-3, (16, 32, 64), (10, 30, 100, 300, 1000)


def compare_law(rows):
    """Return critical widths of the law beside the mean field's, and the errors of its losses."""
    # Many active features: d ln τ/d ln E = 1/2 and τ² = (8/3) E ln(n/E).
    eta = critical_eta(0.5)
    factor, widths, factors = 8 / 3 / eta**2, [], []
    for row in rows:
        n, E, found = row["n"], row["density"], row["critical"]
        law = critical_width(n, E)
        widths.append(
            {"n": n, "density": E, "mean_field": found, "law": law, "ratio": found / law,
             "ratio_to_linear": found / (factor * E * math.log(n / E))}
        )  # fmt: skip
        at = [one["m"] for one in row["at"]]
        told = large_deviation_parts(n, E, at)["loss"]
        factors += [loss / one["loss"] for loss, one in zip(told, row["at"], strict=True)]
    off = np.exp(np.abs(np.log(factors)))
    return {
        "quantity": "factor", "cells": len(factors), "median": float(np.median(off)),
        "of_90_percent": float(np.quantile(off, 0.9)),
        "many_active": {
            "linear": factor, "gained": 4 / 3 - (eta**2 / 4 + eta**3 / 24),
            "exponent": (1 + eta / 4) / (1 + eta / 6),
        },
        "critical_widths": widths,
    }  # fmt: skip


def optimised(row):
    """Return what optimised overlaps gain, over the limit."""
    return row["gaussian"] - row["mean_field"]


def approach(ratio):
    """Return the mean field and isotropic frames over the limit at one n/m, and the orders."""
    limit = many_active_loss(P, ratio)
    wrong = minimise_live(4 / 3 * P * ratio, P).loss
    rows = []
    for E in DENSITIES:
        n, m = round(E / P), round(E / P / ratio)
        words = ss.Frequencies.power_law(n, 0.0, E)
        loss = {
            kind: ss.solve_mean_field(words, m, optimised=kind == "mean_field")
            for kind in ("mean_field", "gaussian")
        }
        rows.append(
            {"density": E, "n": n, "m": m, "exponent": loss["mean_field"].exponent,
             **{kind: found.loss / E / limit.loss - 1 for kind, found in loss.items()},
             "wrong": loss["gaussian"].loss / E / wrong - 1}
        )  # fmt: skip
        print(ratio, rows[-1], flush=True)
    last = math.log(rows[-1]["density"] / rows[-2]["density"])
    return {
        "ratio": ratio, "limit": limit.loss, "limit_exponent": limit.exponent,
        "scaled": limit.loss / (ratio * P), "rows": rows,
        "order": {
            kind: math.log(abs(rows[-2][kind] / rows[-1][kind])) / last
            for kind in ("gaussian", "wrong")
        }
        | {"optimised": math.log(optimised(rows[-2]) / optimised(rows[-1])) / last},
    }  # fmt: skip


def main():
    folder = Path(__file__).parent
    rows = json.loads((folder / "critical_width.json").read_text(encoding="utf-8"))["rows"]
    record = {
        "command": "python studies/transition/limits.py",
        "large_deviations": compare_law(rows),
        "many_active": [approach(ratio) for ratio in RATIOS],
    }
    (folder / "limits.json").write_text(json.dumps(record, indent=1) + "\n")
    law = record["large_deviations"]
    print({name: law[name] for name in ("cells", "median", "of_90_percent")})
    print([one["order"] for one in record["many_active"]])


if __name__ == "__main__":
    main()
