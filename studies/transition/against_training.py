"""Losses and exponents of trained models over the transition beside the mean field.

Run ``python studies/transition/against_training.py`` (a minute on one core) after trained.py, which
trains the models. Exponents are taken between neighbouring widths of one density: of models trained
until they converged, at the settings where trained.py has done so, and at all settings of the same
models after the recipe "fast". Results are stored in studies/transition/against_training.json.
"""

import itertools
import json
import math
from pathlib import Path

import numpy as np

import superscale as ss


def compare(a, b, trained):
    """Return the trained and the predicted exponent between two widths."""
    step = math.log(b["m"] / a["m"])
    found, predicted = (math.log(a[x] / b[x]) / step for x in (trained, "predicted"))
    return {
        "density": a["density"], "from": a["m"], "to": b["m"], "trained": found,
        "predicted": predicted, "difference": predicted - found,
    }  # fmt: skip


def count(slopes):
    """Return how many exponents are near the predicted ones."""
    difference = np.abs([x["difference"] for x in slopes])
    return {
        "slopes": len(slopes), "within_0.1": int((difference <= 0.1).sum()),
        "within_0.15": int((difference <= 0.15).sum()),
        "largest_difference": float(difference.max()),
    }  # fmt: skip


def summarise(losses, slopes, trained):
    """Return how many exponents are near the predicted ones, and the errors of the losses."""
    error = np.array([x["predicted"] / x[trained] - 1 for x in losses])
    far = np.abs(error)
    return {
        **count(slopes), "losses": len(error), "below": int((error < 0).sum()),
        "median_error": float(np.median(far)), "largest_error": float(far.max()),
    }  # fmt: skip


def main():
    folder = Path(__file__).parent
    cells = json.loads((folder / "trained.json").read_text())["cells"]
    losses = []
    slopes = {"trained": [], "fast": []}
    for density in sorted({cell["density"] for cell in cells}):
        own = sorted((c for c in cells if c["density"] == density), key=lambda c: c["m"])
        words = ss.Frequencies.power_law(own[0]["n"], 0.0, density)
        told = ss.predict(words, [c["m"] for c in own], theory="mean_field").loss["mean_field"]
        here = [
            {"density": density, "m": cell["m"], "fast": cell["fast"], "trained": cell.get("loss"),
             "predicted": float(loss)}
            for cell, loss in zip(own, told, strict=True)
        ]  # fmt: skip
        losses += here
        for trained, found in slopes.items():
            pairs = [(a, b) for a, b in itertools.pairwise(here) if a[trained] and b[trained]]
            found += [compare(a, b, trained) for a, b in pairs]
    converged = [one for one in losses if one["trained"]]
    record = {
        "command": "python studies/transition/against_training.py",
        "summary": summarise(converged, slopes["trained"], "trained"),
        "summary_fast": summarise(losses, slopes["fast"], "fast"),
        "slopes": slopes["trained"], "slopes_fast": slopes["fast"], "losses": losses,
    }  # fmt: skip
    (folder / "against_training.json").write_text(json.dumps(record, indent=1) + "\n")
    print(record["summary"], record["summary_fast"], sep="\n")


if __name__ == "__main__":
    main()
