"""The command line: ``superscale predict``, ``train``, ``compare``, ``sweep``, ``fit`` and so on.

Each command has ``--help`` with an example, prints a table for people, ``--json`` or ``--csv`` for
machines, and writes figures and data to ``--output``. Bad input is one line on stderr and exit
code 2. Ctrl-C is 130; finished models of a comparison are reported, a training run goes on from its
last checkpoint.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from superscale import __version__
from superscale.commands import (
    counts,
    matrices,
    packings,
    scaling_laws,
    sweeps,
    unembeddings,
)
from superscale.commands import options as opt
from superscale.commands.output import (
    check_outputs,
    number,
    show_comparison,
    show_for_machines,
    show_table,
    to_json,
    write_outputs,
)

if TYPE_CHECKING:
    from empirical.comparisons.comparison import Comparison

app = typer.Typer(
    name="superscale",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"superscale {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """Ask why loss falls with model width, and how far it will fall."""


DEFAULT_FIGURE = Path("superscale-compare.png")


@app.command()
def predict(
    law: opt.Law = None,
    n: opt.N = None,
    alpha: opt.Alpha = None,
    scale: opt.Scale = None,
    density: opt.Density = None,
    counts: opt.Counts = None,
    top: opt.Top = None,
    column: opt.Column = None,
    m: opt.Widths = None,
    theory: opt.Theory = None,
    explain: Annotated[str | None, typer.Option(help="Print a theory's derivation.")] = None,
    latex: Annotated[str | None, typer.Option(help="Print a theory's loss as LaTeX.")] = None,
    json: opt.Json = False,
    csv: opt.Csv = False,
    output: opt.Output = None,
) -> None:
    """Predict loss and exponent by every theory that applies; nothing is trained.

    Example: superscale predict --alpha 1.5 --n 1000000 --m 100,1000,10000
    """
    from theory.registry import predict as predict_losses

    outputs = output or []
    check_outputs(outputs)
    frequencies, source = opt.build_frequencies(law, n, alpha, scale, density, counts, top, column)
    prediction = predict_losses(frequencies, opt.read_widths(m, frequencies.n), theory or None)
    if explain:
        print(prediction.explain(explain))
        return
    if latex:
        has_loss = bool(prediction[latex].parts)
        print(prediction.latex(latex, of="loss" if has_loss else "exponent"))
        return
    estimates = prediction.estimates
    record = {
        "rows": [
            {
                "m": int(width),
                "predicted": {name: float(e.loss[k]) for name, e in estimates.items() if e.parts},
                "exponent": {name: float(e.exponent[k]) for name, e in estimates.items()},
            }
            for k, width in enumerate(prediction.m)
        ],
        "settings": {"frequencies": source, "m": prediction.m.tolist()},
    }
    write_outputs(outputs, prediction, record)
    if not show_for_machines(json, csv, record, prediction):
        losses = [name for name, e in estimates.items() if e.parts]
        show_table(
            f"Predicted loss and local exponent; {frequencies}",
            ["m", *[f"loss {name}" for name in losses], *[f"exponent {x}" for x in estimates]],
            [
                [
                    str(int(width)),
                    *[number(float(estimates[name].loss[k])) for name in losses],
                    *[number(float(e.exponent[k]), 3) for e in estimates.values()],
                ]
                for k, width in enumerate(prediction.m)
            ],
        )


@app.command()
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
    column: opt.Column = None,
    recipe: Annotated[str | None, typer.Option(help="paper (default), or fast.")] = None,
    weight_decay: opt.WeightDecay = None,
    seed: Annotated[int, typer.Option(help="Seed of start, batches and evaluation.")] = 0,
    batch: opt.Batch = None,
    steps: opt.Steps = None,
    learning_rate: opt.LearningRate = None,
    bias_learning_rate: Annotated[
        float | None, typer.Option(help="Peak learning rate of b (default: that of W).")
    ] = None,
    bias_start: opt.BiasStart = None,
    device: opt.Device = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Save the state here, and resume from it if it exists.")
    ] = None,
    checkpoint_every: Annotated[
        int | None, typer.Option(help="Steps between two saves (default 1000).")
    ] = None,
    json: opt.Json = False,
) -> None:
    """Train one toy model, by the published recipe or by the fast one.

    Example: superscale train --m 25 --recipe fast --output run.safetensors
    """
    from empirical.training.diagnostics import measure
    from empirical.training.train import train as train_model

    if output is not None:
        check_outputs([output], (".safetensors",))
    frequencies, _ = opt.build_frequencies(law, n, alpha, scale, density, counts, top, column)
    options = opt.given(
        recipe=recipe,
        weight_decay=weight_decay,
        batch=batch,
        steps=steps,
        learning_rate=learning_rate,
        bias_learning_rate=bias_learning_rate,
        bias_start=bias_start,
        device=device,
        checkpoint_every=checkpoint_every,
    )
    run = train_model(frequencies, m, seed=seed, checkpoint=checkpoint, progress=True, **options)
    if output is not None:
        run.save(output)
        print(f"wrote {output}", file=sys.stderr)
    inside = measure(run.model, run.frequencies, rng=seed)
    record = {
        "loss": run.loss,
        "stderr": run.stderr,
        "phi_half": inside.phi_half,
        "phi_one": inside.phi_one,
        "dead_fraction": inside.dead_fraction,
        "dead_loss": inside.dead_loss,
        "lost_rows_loss": inside.lost_rows_loss,
        "seconds": run.seconds,
        "settings": {"frequencies": frequencies.describe(), **run.settings},
    }
    if json:
        print(to_json(record))
        return
    print(run)
    print(
        f"rows with norm above 1/2: {inside.phi_half:.3f}, above 1: {inside.phi_one:.3f}; "
        f"dead: {inside.dead_fraction:.3f}, which costs {inside.dead_loss:.4g} of the loss"
    )


@app.command()
def compare(
    law: opt.Law = None,
    n: opt.N = None,
    alpha: opt.Alpha = None,
    scale: opt.Scale = None,
    density: opt.Density = None,
    counts: opt.Counts = None,
    top: opt.Top = None,
    column: opt.Column = None,
    m: opt.Widths = None,
    theory: opt.Theory = None,
    seeds: Annotated[
        int | None, typer.Option(help="Models trained at each width (default 2).")
    ] = None,
    weight_decay: opt.WeightDecay = None,
    recipe: Annotated[
        str | None, typer.Option(help="Training: fast (default), or paper (minutes a model).")
    ] = None,
    batch: opt.Batch = None,
    steps: opt.Steps = None,
    learning_rate: opt.LearningRate = None,
    bias_start: opt.BiasStart = None,
    device: opt.Device = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that train at once (default: all cores).")
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(
            help="Compare with a published figure instead, training nothing: fig1-weak, "
            "fig1-strong, fig4-exponents, fig6-phi, fig6-overlaps, fig6-exponents, fig7-density "
            "or fig7-width."
        ),
    ] = None,
    json: opt.Json = False,
    csv: opt.Csv = False,
    output: opt.Output = None,
) -> None:
    """Compare theory with trained toy models, or with the published measurements.

    Without arguments: 1000 features, p_i ∝ 1/i, six widths, two seeds, strong superposition; a
    table, and the figure superscale-compare.png.

    Example: superscale compare --alpha 2 --n 200 --m 4,8,16,32 --weight-decay 0.5556
    """
    outputs = list(output or [])
    check_outputs(outputs)
    if reference is not None:
        from empirical.comparisons.published import compare_reference

        needless = opt.given(
            law=law, n=n, alpha=alpha, scale=scale, density=density, counts=counts, top=top,
            column=column, m=m, theory=theory, seeds=seeds, weight_decay=weight_decay,
            recipe=recipe, batch=batch, steps=steps, learning_rate=learning_rate,
            bias_start=bias_start, device=device, workers=workers,
        )  # fmt: skip
        if needless:
            name = next(iter(needless)).replace("_", "-")
            raise ValueError(f"--reference {reference} is a published figure: leave out --{name}")
        _report(compare_reference(reference), outputs, json, csv)
        return
    frequencies, source = opt.build_frequencies(law, n, alpha, scale, density, counts, top, column)
    widths = opt.read_widths(m, frequencies.n)
    if not outputs and not json and not csv:
        outputs = [DEFAULT_FIGURE]
        check_outputs(outputs)
    if counts is not None:
        from empirical.counts.table import read_counts
        from theory.rank_frequency.zipf_exponent import fit_zipf

        print(f"{frequencies}; {fit_zipf(read_counts(counts, column), top)}", file=sys.stderr)
    from empirical.comparisons.trained import InterruptedComparison
    from empirical.comparisons.trained import compare as compare_models
    from empirical.sweeps.sweep import count_cores

    options = opt.given(
        theory=theory,
        recipe=recipe,
        weight_decay=weight_decay,
        batch=batch,
        steps=steps,
        learning_rate=learning_rate,
        bias_start=bias_start,
        device=device,
        workers=count_cores() if workers is None else workers,
    )
    partial = False
    try:
        comparison: Comparison | None = compare_models(
            frequencies, widths, 2 if seeds is None else seeds, progress=True, **options
        )
    except InterruptedComparison as stopped:
        comparison, partial = stopped.partial, True
    if comparison is not None:
        _report(comparison, outputs, json, csv, {"frequencies": source})
    if partial:
        raise KeyboardInterrupt


def _report(
    comparison: Comparison,
    outputs: list[Path],
    json: bool,
    csv: bool,
    settings: dict[str, Any] | None = None,
) -> None:
    record = comparison.to_dict()
    record["settings"] |= settings or {}
    write_outputs(outputs, comparison, record)
    if not show_for_machines(json, csv, record, comparison):
        show_comparison(comparison)
    for failure in comparison.failures:
        print(f"superscale: did not finish: {failure}", file=sys.stderr)


app.command()(unembeddings.analyze)
app.command()(matrices.loss)
app.command()(matrices.overlaps)
app.command()(scaling_laws.fit)
app.command()(packings.bounds)
app.command()(packings.pack)
app.command()(sweeps.sweep)
app.command()(sweeps.reproduce)
app.command()(counts.count)
app.command()(counts.zipf)

_INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; exit with 0, 2 for bad input, 1 for a failed run, 130 on Ctrl-C."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        code = app(arguments, standalone_mode=False)
        if code == _INTERRUPTED:  # the parser's own answer to Ctrl-C
            raise KeyboardInterrupt
        return code if isinstance(code, int) else 0
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", _INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has gone (as with "| head"): nothing is wrong.
        sys.stderr.close()
        return 0
    except (ValueError, OSError) as error:
        return _fail(str(error), 2)
    except ArithmeticError as error:
        return _fail(str(error), 1)
    except Exception as error:
        # The parser's own errors (an unknown option, a number that is none) know how to say it.
        say = getattr(error, "format_message", None)
        if say is None:
            raise
        return _fail(say() or "give a command: superscale --help lists them", 2)


def _fail(message: str, code: int) -> int:
    print("superscale: " + " ".join(message.split()), file=sys.stderr)
    return code
