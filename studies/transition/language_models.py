"""How many active features an exponent of 0.91 to 0.95 over the widths of language models means.

Run ``python studies/transition/language_models.py`` (half a minute on one core). Even frequencies,
widths from 512 to 8192, n = 50 257. For each E the exponent is the least-squares slope of
-ln L against ln m, without a floor, by the law of large deviations; E with the wanted exponent is
found by bisection. The mean field's slope is computed at that E, and at E = 1 and 10. "local" are
its exponents at each width. Results are stored in studies/transition/language_models.json.
"""

import json
from pathlib import Path

import numpy as np
from scipy.optimize import brentq

import superscale as ss
from theory.regimes.large_deviations import critical_width, large_deviation_parts

N, WANTED, PLAIN = 50_257, (0.91, 0.95), (1.0, 10.0)
WIDTHS = [512, 1024, 2048, 4096, 8192]


def slope(loss):
    return float(-np.polyfit(np.log(WIDTHS), np.log(loss), 1)[0])


def by_law(n, E):
    return slope(large_deviation_parts(n, E, WIDTHS)["loss"])


def by_mean_field(n, E):
    words = ss.Frequencies.power_law(n, 0.0, E)
    return slope([ss.solve_mean_field(words, m).loss for m in WIDTHS])


def describe(n, E):
    """Return the exponents and the critical width at one E."""
    row = {"n": n, "density": E, "p": E / n, "critical": critical_width(n, E)}
    local = large_deviation_parts(n, E, WIDTHS)["exponent"]
    row |= {"law": by_law(n, E), "mean_field": by_mean_field(n, E), "local": local.tolist()}
    print(row, flush=True)
    return row


def main():
    plain = [describe(N, E) for E in PLAIN]
    wanted = []
    for exponent in WANTED:
        E = brentq(lambda x, e=exponent: by_law(N, np.exp(x)) - e, 0.0, np.log(N / 20))
        wanted.append({"wanted": exponent, **describe(N, float(np.exp(E)))})
    record = {
        "command": "python studies/transition/language_models.py", "widths": WIDTHS,
        "wanted": wanted, "plain": plain,
    }  # fmt: skip
    Path(__file__).with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
