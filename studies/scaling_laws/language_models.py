"""Which solved models agree with the losses of 27 language models (arXiv 2505.10465, Figure 8b).

Tokens are features: n = 50 257. Each family and data set has a floor; all share the scale.

Run from the root: ``python studies/scaling_laws/language_models.py`` (twenty minutes on one
core). Results are stored in studies/scaling_laws/language_models.json.
"""

import json
from pathlib import Path

import superscale as ss

ALPHA, DENSITY = [0.0, 0.5, 1.0, 1.25], [1.0, 3.0, 10.0, 30.0]


def fit_width(rows, groups):
    """Fit C/m^alpha and the same floors to the same relative residuals."""
    fit = ss.scaling_laws.fit_power_law(
        rows["m"], rows["loss_total"], groups=groups, weights=1 / rows["loss_total"] ** 2
    )
    relative = fit.residuals()["residual"].to_numpy() / rows["loss_total"].to_numpy()
    return {"alpha": fit.alpha, "stderr": fit.stderr, "rss": float(relative @ relative)}


def main():
    rows = ss.published.load_reference("fig8_llm_loss")
    groups = rows["family"] + " " + rows["dataset"]
    fit = ss.scaling_laws.fit_solved_model(
        rows["m"], rows["loss_total"], n=50_257, alpha=ALPHA, density=DENSITY, groups=groups,
        progress=lambda done, total: print(f"{done} of {total}", flush=True),
    )  # fmt: skip
    print(fit)
    record = {
        "command": "python studies/scaling_laws/language_models.py",
        "power_law": fit_width(rows, groups),
        "best": dict(fit.best),
        "floors": dict(fit.floors),
        "intervals": {
            name: {"low": x.low, "high": x.high, "open_low": x.open_low, "open_high": x.open_high}
            for name, x in fit.intervals.items()
        },
        "notes": list(fit.notes),
        "table": fit.to_dataframe().to_dict("records"),
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
