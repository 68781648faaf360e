"""The commands that compare: ``superscale compare`` and ``superscale reproduce``.

``compare`` puts theory beside trained models or a published figure, ``reproduce`` our models beside
a published figure.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from superscale.commands import options as opt
from superscale.commands.output import (
    check_outputs,
    number,
    show_comparison,
    show_for_machines,
    show_table,
    write,
    write_outputs,
)

if TYPE_CHECKING:
    from empirical.comparisons.comparison import Comparison

DEFAULT_FIGURE = Path("superscale-compare.png")


def compare(
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
    m: opt.Widths = None,
    theory: opt.Theory = None,
    seed: opt.Seeds = None,
    seeds: Annotated[int | None, typer.Option(hidden=True, help="How many, from 0.")] = None,
    weight_decay: opt.WeightDecay = None,
    recipe: opt.Recipe = None,
    batch: opt.Batch = None,
    steps: opt.Steps = None,
    learning_rate: opt.LearningRate = None,
    bias_learning_rate: opt.BiasLearningRate = None,
    bias_start: opt.BiasStart = None,
    device: opt.Device = None,
    store: opt.Store = None,
    workers: opt.Workers = None,
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

    Without arguments: 1000 features, p_i ∝ 1/i, six widths, two seeds, strong superposition, about
    a minute; a table, one sentence that says how far the solved theory is off, and the figure
    superscale-compare.png. With --store, the same command again goes on
    where it was stopped.

    Example: superscale compare --alpha 2 --n 200 --m 4,8,16,32 --weight-decay 0.5556
    """
    outputs = list(output or [])
    check_outputs(outputs)
    if reference is not None:
        from empirical.comparisons.published import compare_reference

        needless = opt.given(
            law=law, n=n, alpha=alpha, scale=scale, density=density, counts=counts, top=top,
            column=column, separator=separator, decimal=decimal, thousands=thousands, m=m,
            activation=activation, importance=importance, dependence=dependence, theory=theory,
            seed=seed,
            seeds=seeds, weight_decay=weight_decay,
            recipe=recipe, batch=batch, steps=steps, learning_rate=learning_rate,
            bias_learning_rate=bias_learning_rate, bias_start=bias_start, device=device,
            store=store, workers=workers,
        )  # fmt: skip
        if needless:
            name = next(iter(needless)).replace("_", "-")
            raise ValueError(f"--reference {reference} is a published figure: leave out --{name}")
        _report(compare_reference(reference), outputs, json, csv)
        return
    form = opt.read_form(separator, decimal, thousands)
    frequencies, source = opt.build_frequencies(
        law, n, alpha, scale, density, counts, top, column, form
    )
    features = opt.build_features(frequencies, activation, importance, dependence)
    widths = opt.read_widths(m, frequencies.n)
    if not outputs and not json and not csv:
        outputs = [DEFAULT_FIGURE]
        check_outputs(outputs)
    if counts is not None:
        from empirical.counts.table import read_counts
        from theory.rank_frequency.zipf_exponent import fit_zipf

        print(
            f"{frequencies}; {fit_zipf(read_counts(counts, column, **form), top)}", file=sys.stderr
        )
    from empirical.comparisons.trained import InterruptedComparison
    from empirical.comparisons.trained import compare as compare_models

    if seed is not None and seeds is not None:
        raise ValueError("--seed lists seeds and --seeds says how many: give one of them")
    options = opt.given(
        theory=opt.split_names(theory),
        seed=None if seed is None else opt.read_integers("seed", seed),
        seeds=seeds,
        recipe=recipe,
        weight_decay=weight_decay,
        batch=batch,
        steps=steps,
        learning_rate=learning_rate,
        bias_learning_rate=bias_learning_rate,
        bias_start=bias_start,
        device=device,
        store=store,
        workers=workers,
    )
    partial = False
    try:
        comparison: Comparison | None = compare_models(features, widths, progress=True, **options)
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
    try:
        write_outputs(outputs, comparison, record)
    finally:  # what was trained is shown also where it cannot be written
        if not show_for_machines(json, csv, record, comparison):
            show_comparison(comparison)
    for failure in comparison.failures:
        print(f"superscale: did not finish: {failure}", file=sys.stderr)
    if comparison.failures:
        raise typer.Exit(1)


def reproduce(
    what: Annotated[
        str,
        typer.Argument(
            help="A figure (fig1, fig3, fig4, fig5, fig6, fig7), or, with --store, one of our "
            "measurements: grid, row_paper, seeds, density, density_widths, density_widths_paper, "
            "large_power, large_others, large_power_weak, large_others_weak."
        ),
    ],
    store: Annotated[
        Path | None,
        typer.Option(
            help="Folder of finished runs: train what it lacks (hours), use what is there."
        ),
    ] = None,
    workers: opt.Workers = None,
    json: opt.Json = False,
    csv: opt.Csv = False,
    output: opt.Output = None,
) -> None:
    """Draw a published figure from our models, beside the published points, with differences.

    Without --store it is drawn from the measurements that come with the package. Figures have the
    numbers of version 1 of arXiv 2505.10465.

    Example: superscale reproduce fig4 --output fig4.png
    """
    from empirical.comparisons.figures import reproduce as draw_again
    from empirical.comparisons.shipped import MEASUREMENTS, measure_grid, save_measured

    outputs = list(output or [])
    if what in MEASUREMENTS:
        check_outputs(outputs, (".csv",))
        if store is None:
            raise ValueError(f"to measure {what!r}, give the folder of its runs: --store runs")
        found = measure_grid(what, store, workers, progress=True)
        for path in outputs:
            write(path, partial(save_measured, what, found))
        print(f"{what}: {found}")
        for failure in found.failures:
            print(f"superscale: did not finish: {failure}", file=sys.stderr)
        if found.failures:
            raise typer.Exit(1)
        return
    if not outputs and not json and not csv:
        outputs = [Path(f"superscale-{what}.png")]
    check_outputs(outputs)
    result = draw_again(what, store, workers=workers, progress=True)
    summary = result.summary()
    record: dict[str, Any] = {
        "figure": what,
        "rows": result.to_dataframe().to_dict("records"),
        "summary": summary.to_dict("records"),
        "source": result.source,
    }
    write_outputs(outputs, result, record)
    if not show_for_machines(json, csv, record, result):
        show_table(
            f"Our models beside {result}",
            ["panel", "recipe", "points", "published", "median difference", "largest", "ratio"],
            [
                [str(x) for x in list(row.values())[:4]]
                + [number(x) for x in list(row.values())[4:]]
                for row in record["summary"]
            ],
        )
