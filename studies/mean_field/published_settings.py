"""The mean field at the settings of the published figures, for ``superscale compare --reference``.

Run ``python studies/mean_field/published_settings.py`` (about 8 minutes on one core). Loss,
local exponent and numerical uncertainty of ``solve_mean_field`` at each setting are stored in
empirical/data/mean_field_published.csv. Comparisons with published figures read it, so that they
need no solver.
"""

from pathlib import Path

import numpy as np
import pandas as pd

import superscale as ss
from empirical.comparisons.published import FIGURE_1, WIDTHS, density_of, load_reference
from theory.mean_field.solve import solve_mean_field

STORED = Path(__file__).parents[2] / "empirical" / "data" / "mean_field_published.csv"


def settings():
    """Return pairs of frequencies and width, each once."""
    large = load_reference("fig1_toy_loss")
    for law, frequencies in FIGURE_1.items():
        for m in sorted(large["m"][large["distribution"] == law].unique()):
            yield frequencies, int(m)
    alphas = {*load_reference("fig4_exponents")["alpha"], *load_reference("fig6_strong")["alpha"]}
    for alpha in sorted(value for value in alphas if np.isfinite(value)):
        for m in WIDTHS:
            yield ss.Frequencies.power_law(1000, float(alpha)), m
    density = load_reference("fig7_density")
    for level in sorted(density["sparsity_level"].unique()):
        frequencies = ss.Frequencies.power_law(1000, 1.0, density_of(level))
        widths = density["m"][density["sparsity_level"] == level].unique()
        for m in sorted(int(width) for width in widths):
            yield frequencies, m


def main():
    rows, seen = [], set()
    for frequencies, m in settings():
        made = frequencies.describe()
        place = (*made.values(), m)
        if place in seen:
            continue
        seen.add(place)
        found = solve_mean_field(frequencies, m)
        rows.append(
            made | {"m": m, "loss": found.loss, "exponent": found.exponent,
                    "uncertainty": found.uncertainty}
        )  # fmt: skip
        print(rows[-1], flush=True)
    columns = ["law", "n", "alpha", "scale", "density", "m", "loss", "exponent", "uncertainty"]
    table = pd.DataFrame(rows, columns=columns)
    command = "# python studies/mean_field/published_settings.py\n"
    STORED.write_text(command + table.to_csv(index=False, float_format="%.8g"), encoding="utf-8")


if __name__ == "__main__":
    main()
