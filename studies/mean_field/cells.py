"""The settings at which the mean field is compared with trained models, chosen before any result.

Run ``python studies/mean_field/cells.py`` (a second). For each n and each law of frequencies it
draws E and n/m from a fixed seed and lists two neighbouring widths. The settings are stored in
studies/mean_field/cells.csv.
"""

import csv
from pathlib import Path

import numpy as np

import superscale as ss

FEATURES = (300, 1000, 3000)
LAWS = ("0", "0.5", "1", "1.5", "2", "exponential", "linear")
DENSITIES = (0.3, 1.0, 3.0)
NEIGHBOUR = 1.4  # the second width over the first


def frequencies(law, n, E):
    """Return the frequencies of a cell."""
    if law == "linear":
        return ss.Frequencies.linear(n, E)
    if law == "exponential":
        return ss.Frequencies.exponential(n, n / 5, E)
    return ss.Frequencies.power_law(n, float(law), E)


def possible(law, n, E):
    """Whether p_1 <= 1."""
    try:
        frequencies(law, n, E)
    except ValueError:
        return False
    return True


def choose():
    """Return the cells."""
    rng = np.random.default_rng(20261124)
    cells = []
    for n in FEATURES:
        for law in LAWS:
            allowed = [E for E in DENSITIES if possible(law, n, E)]
            E = float(rng.choice(allowed))
            # n/m from 5 to 100 for the smaller of both, at least 20 where training is slow.
            low = 20.0 if n == 3000 else 5.0
            ratio = float(np.exp(rng.uniform(np.log(low * NEIGHBOUR), np.log(100))))
            m = max(4, round(n / ratio))
            cells += [
                {"n": n, "law": law, "density": E, "m": width}
                for width in (m, round(NEIGHBOUR * m))
            ]
    return cells


if __name__ == "__main__":
    path = Path(__file__).with_suffix(".csv")
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["n", "law", "density", "m"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(choose())
    print(f"wrote {path.name}")
