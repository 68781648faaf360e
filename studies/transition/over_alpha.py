"""Live features, loss and local exponent by the mean field over n, alpha, E and m.

Run ``python studies/transition/over_alpha.py`` (8 minutes on one core). Widths are WIDTHS; then the
critical width, the least at which 99.9 % of the features are live, is bracketed by ratios of widths
below 1.1. Results are stored in studies/transition/over_alpha.json as they come, and settings found
there are not solved again.
"""

import json
import math
import time
from pathlib import Path

import superscale as ss
from theory.mean_field.solver.state import ConvergenceError

# n, alpha and densities, in their order.
SETTINGS = (
    (1000, 0.0, (0.1, 1.0, 3.0, 10.0, 30.0, 100.0)),
    (1000, 0.5, (0.1, 1.0, 3.0, 10.0)),
    (1000, 1.0, (0.1, 1.0, 3.0)),
)
WIDTHS = (10, 20, 50, 100, 200)
# Share of features that are to be live at the critical width, and the ratio that brackets it.
LIVE, RATIO = 0.999, 1.1
HERE = Path(__file__)


def solve(words, m):
    """Return what is stored of one width."""
    began = time.process_time()
    try:
        found = ss.solve_mean_field(words, m)
    except ConvergenceError as error:
        return {"m": m, "failed": str(error)}
    return {
        "m": m, "live": found.live, "loss": found.loss, "lost": found.lost,
        "exponent": found.exponent, "uncertainty": found.uncertainty / found.loss,
        "seconds": round(time.process_time() - began, 1),
    }  # fmt: skip


def measure(n, alpha, density):
    """Return the widths of one setting, and a bracket of its critical width."""
    words = ss.Frequencies.power_law(n, alpha, density)
    at = [solve(words, m) for m in WIDTHS]
    while True:
        solved = [one for one in at if "loss" in one]
        below = max((one["m"] for one in solved if one["live"] < LIVE * n), default=None)
        above = min((one["m"] for one in solved if one["live"] >= LIVE * n), default=None)
        if None in (below, above) or above <= max(RATIO * below, below + 1):
            break
        middle = round(math.sqrt(below * above))
        if any(one["m"] == middle for one in at):
            break
        at.append(solve(words, middle))
    return {
        "n": n, "alpha": alpha, "density": density, "not_critical": below, "critical": above,
        "widths": sorted(at, key=lambda one: one["m"]),
    }  # fmt: skip


def main():
    path = HERE.with_suffix(".json")
    record = {"command": "python studies/transition/over_alpha.py", "settings": []}
    if path.exists():
        record = json.loads(path.read_text())
    done = {tuple(one[k] for k in ("n", "alpha", "density")) for one in record["settings"]}
    for n, alpha, densities in SETTINGS:
        for density in densities:
            if (n, alpha, density) not in done:
                record["settings"].append(measure(n, alpha, density))
                path.write_text(json.dumps(record, indent=1) + "\n")
                print(record["settings"][-1], flush=True)


if __name__ == "__main__":
    main()
