"""Losses and exponents of trained models over the transition beside the mean field.

Run ``python studies/transition/against_training.py`` (3 minutes on one core) after trained.py,
which trains the models. Exponents are taken between neighbouring widths of one density, and, since
an error of 4 % of one loss is 0.1 of such an exponent, also between every other width; that second
choice was made after the first had been seen. Results are stored in
studies/transition/against_training.json.
"""

import itertools
import json
import math
from pathlib import Path

import numpy as np

import superscale as ss


def compare(a, b):
    """Return the trained and the predicted exponent between two widths."""
    step = math.log(b["m"] / a["m"])
    trained, predicted = (math.log(a[x] / b[x]) / step for x in ("trained", "predicted"))
    return {
        "density": a["density"], "from": a["m"], "to": b["m"], "trained": trained,
        "predicted": predicted, "difference": predicted - trained,
    }  # fmt: skip


def count(slopes):
    """Return how many exponents are near the predicted ones."""
    difference = np.abs([x["difference"] for x in slopes])
    return {
        "slopes": len(slopes), "within_0.1": int((difference <= 0.1).sum()),
        "within_0.15": int((difference <= 0.15).sum()),
        "largest_difference": float(difference.max()),
    }  # fmt: skip


def main():
    folder = Path(__file__).parent
    cells = json.loads((folder / "trained.json").read_text())["cells"]
    slopes, wide, losses = [], [], []
    for density in sorted({cell["density"] for cell in cells}):
        own = sorted((c for c in cells if c["density"] == density), key=lambda c: c["m"])
        words = ss.Frequencies.power_law(own[0]["n"], 0.0, density)
        told = ss.predict(words, [c["m"] for c in own], theory="mean_field").loss["mean_field"]
        for cell, loss in zip(own, told, strict=True):
            losses.append(
                {"density": density, "m": cell["m"], "trained": cell["loss"],
                 "predicted": float(loss), "error": float(loss / cell["loss"] - 1)}
            )  # fmt: skip
        here = losses[-len(own) :]
        slopes += [compare(a, b) for a, b in itertools.pairwise(here)]
        wide += [compare(a, b) for a, b in zip(here, here[2:], strict=False)]
        print(density, [round(x["difference"], 2) for x in slopes[1 - len(own) :]], flush=True)
    error = np.abs([x["error"] for x in losses])
    summary = {
        **count(slopes), "every_other": count(wide),
        "median_error": float(np.median(error)), "largest_error": float(error.max()),
    }  # fmt: skip
    record = {
        "command": "python studies/transition/against_training.py",
        "summary": summary, "slopes": slopes, "slopes_of_every_other": wide, "losses": losses,
    }  # fmt: skip
    (folder / "against_training.json").write_text(json.dumps(record, indent=1) + "\n")
    print(summary)


if __name__ == "__main__":
    main()
