"""The command about the least loss that there can be: ``superscale ground-state``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from superscale.commands import options as opt
from superscale.commands.output import (
    check_outputs,
    number,
    show_for_machines,
    show_table,
    write_outputs,
)

if TYPE_CHECKING:
    from empirical.training.run import TrainingRun
    from theory.features import Features


def ground_state(
    m: Annotated[int | None, typer.Option("--m", help="Width.")] = None,
    n: Annotated[int | None, typer.Option("--n", help="Number of features (default 5).")] = None,
    p: Annotated[
        float | None, typer.Option("--p", help="Frequency of every feature, instead of a law.")
    ] = None,
    law: opt.Law = None,
    alpha: opt.Alpha = None,
    scale: opt.Scale = None,
    density: opt.Density = None,
    activation: opt.ActivationLaw = None,
    importance: opt.Importance = None,
    dependence: opt.Dependence = None,
    sampling: opt.Sampling = "bernoulli",
    starts: Annotated[int | None, typer.Option(help="Number of descents (default: by n).")] = None,
    seed: opt.Seed = 0,
    start: Annotated[
        Path | None,
        typer.Option(help="Finish this run of superscale train, on the features it was shown."),
    ] = None,
    json: opt.Json = False,
    csv: opt.Csv = False,
    output: opt.Output = None,
) -> None:
    """Find the lowest exact loss over all W and b, without training, and its geometry.

    The figure shows the directions of the features for m = 2 and 3, and W Wᵀ for other widths.

    Example: superscale ground-state --n 5 --m 2 --p 0.05 --activation 0:1

    Example: superscale ground-state --start run.safetensors
    """
    from empirical.progress import report
    from empirical.training.run import TrainingRun
    from numerics.ground_state.search import ground_state as find

    outputs = output or []
    check_outputs(outputs)
    run: TrainingRun | None = None
    if start is not None:
        clash = opt.given(
            n=n, p=p, law=law, alpha=alpha, scale=scale, density=density,
            activation=activation, importance=importance, dependence=dependence,
        )  # fmt: skip
        if clash:
            raise ValueError(f"--start has its own features: leave --{next(iter(clash))} out")
        run = TrainingRun.load(start)
        features = run.features
    else:
        features = _build_features(
            n, p, law, alpha, scale, density, activation, importance, dependence
        )
        if m is None:
            raise ValueError("--m is missing: give a width, as --m 2")
    with report(True, "descents to local minima") as advance:
        found = find(
            features,
            m,
            starts=starts,
            seed=seed,
            start=None if run is None else run.model,
            sampling=sampling,  # type: ignore[arg-type]  # it says what is wrong
            progress=lambda done, best: advance(done, starts or done + 1),
        )
    record: dict[str, Any] = {
        "loss": found.loss,
        "error_bound": found.error_bound,
        "gradient": found.gradient,
        "curvature": found.curvature,
        "starts": found.starts,
        "minima": found.minima.tolist(),
        "counts": found.counts.tolist(),
        "shapes": list(found.shapes),
        "dimensionality": float(found.dimensionalities.sum()),
        "W": found.W.tolist(),
        "rows": found.to_dataframe().to_dict("records"),
        "settings": {
            "features": features.describe(),
            "m": found.model.m,
            "sampling": sampling,
            "starts": starts,
            "seed": seed,
            "start": None if start is None else str(start),
        },
    }
    if run is not None:
        record["trained"] = run.loss
    write_outputs(outputs, found, record)
    if show_for_machines(json, csv, record, found):
        return
    print(found)
    if run is not None:
        print(f"the run's own loss: {run.loss:.6g} ± {run.stderr:.1g} (sampled)")
    table = found.to_dataframe()
    shown = table.head(20)
    show_table(
        f"Features{f' (the first 20 of {len(table)})' if len(table) > 20 else ''}",
        ["feature", "p", "importance", "|W_i|", "b_i", "D_i", "group"],
        [
            [
                str(i + 1),
                *(number(row[c]) for c in ("p", "importance", "norm", "bias", "dimensionality")),
                "lost" if row["group"] < 0 else str(int(row["group"]) + 1),
            ]
            for i, row in enumerate(shown.to_dict("records"))
        ],
    )


def _build_features(
    n: int | None,
    p: float | None,
    law: str | None,
    alpha: float | None,
    scale: float | None,
    density: float | None,
    activation: str | None,
    importance: str | None,
    dependence: Path | None,
) -> Features:
    from theory.checks import check_integer, check_real
    from theory.frequencies import Frequencies

    size = 5 if n is None else check_integer("n", n, 2)
    if p is not None:
        clash = opt.given(law=law, alpha=alpha, scale=scale, density=density)
        if clash:
            raise ValueError(f"give --p or --{next(iter(clash))}, not both")
        frequencies = Frequencies.from_probabilities(
            [check_real("p", p, 0.0, 1.0, strict=True)] * size
        )
    else:
        frequencies, _ = opt.build_frequencies(
            law, size, alpha, scale, density, None, None, None, {}
        )
    return opt.build_features(frequencies, activation, importance, dependence)
