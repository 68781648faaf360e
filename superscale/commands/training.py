"""The commands that train: ``superscale train`` for one model, ``superscale sweep`` for a grid."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from superscale.commands import options as opt
from superscale.commands.output import (
    check_outputs,
    number,
    print_data,
    show_for_machines,
    show_table,
    to_json,
    write,
    write_outputs,
)

if TYPE_CHECKING:
    from empirical.training.run import TrainingRun

_SCHEDULER_ANSWERS = 10.0  # seconds in which a Dask scheduler must answer


def train(
    m: Annotated[int, typer.Option("--m", help="Width of the model.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File for the run (.safetensors).")
    ] = None,
    law: opt.Law = None,
    n: opt.N = None,
    alpha: opt.Alpha = None,
    scale: opt.Scale = None,
    density: opt.Density = None,
    counts: opt.Counts = None,
    top: opt.Top = None,
    activation: opt.ActivationLaw = None,
    importance: opt.Importance = None,
    dependence: opt.Dependence = None,
    column: opt.Column = None,
    separator: opt.Separator = None,
    decimal: opt.Decimal = None,
    thousands: opt.Thousands = None,
    recipe: opt.Recipe = None,
    weight_decay: opt.WeightDecay = None,
    seed: opt.Seed = 0,
    batch: opt.Batch = None,
    steps: opt.Steps = None,
    learning_rate: opt.LearningRate = None,
    bias_learning_rate: opt.BiasLearningRate = None,
    bias_start: opt.BiasStart = None,
    device: opt.Device = None,
    decoder_rows: opt.DecoderRows = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Save the state here, and resume from it if it exists.")
    ] = None,
    checkpoint_every: Annotated[
        int | None, typer.Option(help="Steps between two saves (default 1000).")
    ] = None,
    json: opt.Json = False,
) -> None:
    """Train one toy model: by the fast recipe, until it has converged, or as published.

    Example: superscale train --m 25 --output run.safetensors
    """
    from empirical.training.train import train as train_model

    if output is not None:
        check_outputs([output], (".safetensors",))
    form = opt.read_form(separator, decimal, thousands)
    frequencies, _ = opt.build_frequencies(law, n, alpha, scale, density, counts, top, column, form)
    features = opt.build_features(frequencies, activation, importance, dependence)
    options = opt.given(
        recipe=recipe,
        weight_decay=weight_decay,
        batch=batch,
        steps=steps,
        learning_rate=learning_rate,
        bias_learning_rate=bias_learning_rate,
        bias_start=bias_start,
        device=device,
        decoder_rows=decoder_rows,
        checkpoint_every=checkpoint_every,
    )
    run = train_model(features, m, seed=seed, checkpoint=checkpoint, progress=True, **options)
    try:
        if output is not None:
            write(output, run.save)
    finally:  # what was trained is shown also where it cannot be written
        _show_run(run, seed, json)


def _show_run(run: TrainingRun, seed: int, json: bool) -> None:
    from empirical.training.diagnostics import measure

    inside = measure(run.model, run.features, seed=seed)
    record = {
        "loss": run.loss,
        "stderr": run.stderr,
        "phi_half": inside.phi_half,
        "phi_one": inside.phi_one,
        "dead_fraction": inside.dead_fraction,
        "dead_loss": inside.dead_loss,
        "lost_rows_loss": inside.lost_rows_loss,
        "seconds": run.seconds,
        "settings": {**run.features.describe(), "m": run.model.m, **run.settings},
    }
    if run.convergence is not None:
        record["convergence"] = {
            "converged": run.convergence.converged,
            "gain": run.convergence.gain,
            "steps": run.convergence.steps,
            "doublings": run.convergence.doublings,
            "exact": run.convergence.exact,
            "rounds": run.convergence.to_dataframe().to_dict("records"),
        }
    if json:
        print_data(to_json(record) + "\n")
        return
    print(run)
    print(
        f"rows with norm above 1/2: {inside.phi_half:.3f}, above 1: {inside.phi_one:.3f}; "
        f"dead: {inside.dead_fraction:.3f}, which costs {inside.dead_loss:.4g} of the loss"
    )


def sweep(
    m: Annotated[list[str], typer.Option("--m", help="Widths: --m 10,25,63.")],
    store: opt.Store = None,
    law: Annotated[
        str | None,
        typer.Option(
            help="Frequencies: power_law (default), linear, exponential:SCALE; several with commas."
        ),
    ] = None,
    n: Annotated[
        list[str] | None, typer.Option("--n", help="Numbers of features (default 1000).")
    ] = None,
    alpha: Annotated[
        list[str] | None, typer.Option(help="Exponents of the power law (default 1).")
    ] = None,
    density: Annotated[
        list[str] | None, typer.Option(help="Activation densities E (default 1).")
    ] = None,
    scale: opt.Scale = None,
    activation: opt.ActivationLaw = None,
    importance: opt.Importance = None,
    weight_decay: Annotated[
        list[str] | None,
        typer.Option(help="Weight decays: > 0 weak, < 0 strong superposition (default -1)."),
    ] = None,
    seed: opt.Seeds = None,
    recipe: Annotated[
        str | None, typer.Option(help="fast (default), converged, paper, or several with commas.")
    ] = None,
    batch: opt.Batch = None,
    steps: opt.Steps = None,
    learning_rate: opt.LearningRate = None,
    bias_learning_rate: opt.BiasLearningRate = None,
    bias_start: opt.BiasStart = None,
    device: opt.Device = None,
    decoder_rows: opt.DecoderRows = None,
    workers: opt.Workers = None,
    dask: Annotated[
        str | None,
        typer.Option(help="Address of a Dask scheduler, whose workers share the store's folder."),
    ] = None,
    phase: Annotated[
        str | None,
        typer.Option(
            help="Draw this over alpha and weight decay: exponent, phi_half, dead_fraction, loss."
        ),
    ] = None,
    json: opt.Json = False,
    csv: opt.Csv = False,
    output: opt.Output = None,
) -> None:
    """Train a grid of toy models; the same command again goes on where it was stopped.

    Numbers are lists (0,0.5,1) or ranges with a count (0:2:17).

    Example: superscale sweep --m 5,10,20 --n 200 --alpha 0:2:5 --weight-decay -1,0.5 --store runs
    """
    from empirical.sweeps.sweep import InterruptedSweep
    from empirical.sweeps.sweep import sweep as train_grid

    outputs = list(output or [])
    check_outputs(outputs)
    grid: dict[str, Any] = {"m": opt.read_integers("m", m)}
    for name, words in opt.given(n=n, seed=seed).items():
        grid[name] = opt.read_integers(name, words)
    for name, words in opt.given(alpha=alpha, weight_decay=weight_decay, density=density).items():
        grid[name] = opt.read_numbers(name, words)
    for name, text in opt.given(frequencies=law, recipe=recipe).items():
        grid[name] = opt.split_names([text])
    if scale is not None:
        if "exponential" not in grid.get("frequencies", ()):
            raise ValueError("--scale goes with --law exponential")
        place = grid["frequencies"].index("exponential")
        grid["frequencies"][place] = f"exponential:{scale!r}"
    if activation is not None:
        grid["activation"] = opt.read_activation(activation)
    if importance is not None:
        grid["importance"] = partial(opt.read_importance, importance)
    if phase is not None:
        _check_phase(phase, grid, outputs)
    training = opt.given(
        batch=batch,
        steps=steps,
        learning_rate=learning_rate,
        bias_learning_rate=bias_learning_rate,
        bias_start=bias_start,
        device=device,
        decoder_rows=decoder_rows,
    )
    settings = grid | training | opt.given(activation=activation, importance=importance)
    client = None
    if dask is not None:
        if store is None or workers is not None:
            raise ValueError(
                "--dask needs --store, on a file system that all workers share, "
                "and has its own workers: leave out --workers"
            )
        client = _connect(dask)
        training["executor"] = client.get_executor()
    interrupted = False
    try:
        result = train_grid(grid, store=store, workers=workers, progress=True, **training)
    except InterruptedSweep as stopped:
        result, interrupted = stopped.partial, True
    finally:
        if client is not None:
            client.close()
    table = result.to_dataframe()
    exponents = result.exponents()
    record: dict[str, Any] = {
        "rows": table.to_dict("records"),
        "exponents": exponents.to_dict("records"),
        "failures": list(result.failures),
        "set_aside": list(result.aside),
        "settings": settings,
    }
    if not show_for_machines(json, csv, record, result):
        _show_sweep(result, record["rows"])
    for failure in result.failures:
        print(f"superscale: did not finish: {failure}", file=sys.stderr)
    for path in result.aside:
        print(f"superscale: damaged or foreign, set aside: {path}", file=sys.stderr)
    write_outputs(outputs, _as_drawn(result, phase), record)
    if interrupted:
        raise KeyboardInterrupt
    if result.failures:
        raise typer.Exit(1)


def _show_sweep(result: Any, rows: list[dict[str, Any]]) -> None:
    """Print a table of the runs: settings that do not vary go into the title."""
    names = ["frequencies", "n", "alpha", "density", "weight_decay", "m", "seed", "recipe"]
    settings = {
        name: [f"{row[name]:g}" if isinstance(row[name], float) else str(row[name]) for row in rows]
        for name in names
    }
    fixed = {c: values[0] for c, values in settings.items() if len(set(values)) == 1 and c != "m"}
    varying = [name for name in names if name not in fixed]
    shown = ["loss", "stderr", "dead_loss", "phi_half", "seconds"]
    title = ", ".join(f"{name} = {value}" for name, value in fixed.items() if value != "nan")
    show_table(
        f"Trained toy models: {result}; {title}",
        varying + shown,
        [
            [*[settings[c][k] for c in varying], *[number(row[c]) for c in shown]]
            for k, row in enumerate(rows)
        ],
        lead=len(varying),
    )


def _check_phase(phase: str, grid: dict[str, Any], outputs: list[Path]) -> None:
    allowed = ("exponent", "phi_half", "phi_one", "dead_fraction", "loss", "overlap_half")
    if phase not in allowed:
        raise ValueError(f"--phase {phase} is not known: give one of {', '.join(allowed)}")
    if not outputs:
        raise ValueError("--phase draws a figure: give --output phase.png")
    short = [name for name in ("alpha", "weight_decay") if len(grid.get(name, ())) < 2]
    if short:
        option = short[0].replace("_", "-")
        raise ValueError(f"--phase needs at least two values of --{option}")


def _as_drawn(result: Any, phase: str | None) -> Any:
    """Return what ``write_outputs`` draws: losses with theories, or the phase diagram."""

    def plot(ax: Any) -> Any:
        if phase is not None:
            return result.plot_phase(phase, ax=ax)
        return result.plot(ax, progress=True)

    return SimpleNamespace(to_dataframe=result.to_dataframe, plot=plot)


def _connect(address: str) -> Any:
    try:
        from dask.distributed import Client
    except ImportError:
        raise ValueError(
            '--dask needs dask.distributed: pip install "superscale[distributed]"'
        ) from None
    try:
        connect: Any = Client
        return connect(address, timeout=_SCHEDULER_ANSWERS)
    except (OSError, TimeoutError, ValueError) as error:
        raise ValueError(f"no Dask scheduler answers at {address}: {error}") from None
