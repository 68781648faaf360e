"""The commands about theories: ``superscale predict`` and ``superscale theories``."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from superscale.commands import options as opt
from superscale.commands.output import (
    DATA,
    check_outputs,
    number,
    print_data,
    say,
    show_for_machines,
    show_table,
    show_undefined,
    to_json,
    write_outputs,
)

_KINDS = ("predicted", "exponent")

if TYPE_CHECKING:
    from theory.frequencies import Frequencies
    from theory.prediction import Prediction


def predict(
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
    theories: Annotated[
        bool, typer.Option("--theories", help="The same as superscale theories.", hidden=True)
    ] = False,
    sampling: opt.Sampling = "bernoulli",
    recipe: Annotated[
        str | None,
        typer.Option(help="What a training ends at instead of the least loss: paper (published)."),
    ] = None,
    weight_decay: Annotated[
        float | None, typer.Option(help="Weight decay of the recipe, not above 0 (default -1).")
    ] = None,
    explain: Annotated[
        str | None,
        typer.Option(help="Print the derivation of a theory, or of several: weak,gaussian."),
    ] = None,
    latex: Annotated[
        str | None, typer.Option(help="Print the loss of a theory as LaTeX (or its exponent).")
    ] = None,
    json: opt.Json = False,
    csv: opt.Csv = False,
    output: opt.Output = None,
) -> None:
    """Predict loss and exponent, the solved theory first; nothing is trained.

    The solved theory, mean_field, takes about a second for each width. Others by name: superscale
    theories lists them.

    Example: superscale predict --alpha 1.5 --n 1000 --m 10,25,63
    """
    from theory.registry import THEORIES
    from theory.registry import predict as predict_losses

    outputs = output or []
    check_outputs(outputs)
    text = opt.given(explain=explain, latex=latex, theories=theories or None)
    needless = opt.given(json=json or None, csv=csv or None, output=outputs)
    if len(text) > 1 or (text and needless):
        _, other = [*text, *needless][:2]
        raise ValueError(f"--{next(iter(text))} prints text, and nothing else: leave out --{other}")
    form = opt.read_form(separator, decimal, thousands)
    frequencies, source = opt.build_frequencies(
        law, n, alpha, scale, density, counts, top, column, form
    )
    features = opt.build_features(frequencies, activation, importance, dependence)
    if theories:  # the older name of "superscale theories"
        from theory.registry import theories as list_theories

        _show_theories(list_theories(features), frequencies)
        return
    if any(one.name == latex and one.cost == "solver" for one in THEORIES):
        raise ValueError(
            f"--latex {latex}: it is solved by numbers and has no closed form; --explain {latex} "
            "shows its equations"
        )
    # What is explained is predicted, and nothing else: a solver takes seconds for each width.
    told = latex if explain is None else explain
    named = opt.split_names(theory if told is None else [told])
    widths = opt.read_widths(m, frequencies.n)
    # predict itself says what is wrong with another word for the sampling.
    prediction = predict_losses(
        features,
        widths if m or told is None else widths[:1],
        named,
        sampling=sampling,  # type: ignore[arg-type]
        recipe=recipe,  # type: ignore[arg-type]
        weight_decay=weight_decay,
        progress=True,
    )
    if told is not None:
        # A group of theories is told one after the other.
        for name in prediction.theories:
            print(
                prediction.explain(name) if explain is not None else _write_latex(prediction, name)
            )
        return
    record = _record(prediction)
    record["settings"] = {
        **features.describe(), "frequencies": source, "m": widths, "sampling": sampling,
    }  # fmt: skip
    if recipe is not None:
        record["settings"] |= {"recipe": recipe, "weight_decay": weight_decay or -1.0}
    write_outputs(outputs, prediction, record)
    if not show_for_machines(json, csv, record, prediction):
        _show(prediction, record["rows"])


def _write_latex(prediction: Prediction, name: str) -> str:
    of: Literal["loss", "exponent"] = "loss" if prediction[name].has_loss else "exponent"
    known = prediction.derivation(name).expressions
    limit: Literal["exact", "leading"] = "exact" if (of, "exact") in known else "leading"
    return prediction.latex(name, of=of, limit=limit)


def _record(prediction: Prediction) -> dict[str, Any]:
    """Return the numbers by width, as plain values."""
    estimates = prediction.estimates
    losses = [name for name, one in estimates.items() if one.has_loss]
    record: dict[str, Any] = {
        "rows": [
            {
                "m": int(width),
                "predicted": {name: float(estimates[name].loss[k]) for name in losses},
                "exponent": {name: float(one.exponent[k]) for name, one in estimates.items()},
                "uncertainty": {
                    name: float(estimates[name].uncertainty[k])
                    for name in losses
                    if prediction.records[name].cost == "solver"
                },
            }
            for k, width in enumerate(prediction.m)
        ]
    }
    if prediction.notes:
        record["notes"] = list(prediction.notes)
    return record


def _show(prediction: Prediction, rows: list[dict[str, Any]]) -> None:
    losses, exponents = list(rows[0]["predicted"]), list(rows[0]["exponent"])
    show_table(
        f"Predicted loss and local exponent; {prediction.features.frequencies}",
        ["m", *[f"loss {name}" for name in losses], *[f"exponent {name}" for name in exponents]],
        [
            [
                str(row["m"]),
                *[number(row["predicted"][name]) for name in losses],
                *[number(row["exponent"][name], 3) for name in exponents],
            ]
            for row in rows
        ],
    )
    show_undefined(
        name
        for name in exponents
        if any(math.isnan(row[kind].get(name, 0)) for row in rows for kind in _KINDS)
    )
    for note in prediction.notes:
        say(f"note: {note}")


def theories(
    law: opt.Law = None,
    n: opt.N = None,
    alpha: opt.Alpha = None,
    scale: opt.Scale = None,
    density: opt.Density = None,
    counts: opt.Counts = None,
    top: opt.Top = None,
    column: opt.Column = None,
    separator: opt.Separator = None,
    decimal: opt.Decimal = None,
    thousands: opt.Thousands = None,
    activation: opt.ActivationLaw = None,
    importance: opt.Importance = None,
    dependence: opt.Dependence = None,
    json: opt.Json = False,
    csv: opt.Csv = False,
    output: opt.Output = None,
) -> None:
    """List the theories: what each assumes, where it was checked, its error there, its cost.

    With frequencies, as predict takes them, also whether each applies to them, and if not why.

    Example: superscale theories --alpha 0.5 --output theories.csv
    """
    from theory.registry import theories as list_theories

    outputs = list(output or [])
    check_outputs(outputs, DATA)
    form = opt.read_form(separator, decimal, thousands)
    frequencies, source = opt.build_frequencies(
        law, n, alpha, scale, density, counts, top, column, form
    )
    features = opt.build_features(frequencies, activation, importance, dependence)
    table = list_theories(features)
    settings = {**features.describe(), "frequencies": source}
    record = {"rows": table.to_dict("records"), "settings": settings}
    shown = SimpleNamespace(to_dataframe=lambda: table)
    write_outputs(outputs, shown, record)
    if show_for_machines(json, csv, record, shown):
        return
    _show_theories(table, frequencies)


def _show_theories(table: Any, frequencies: Frequencies) -> None:
    rows = table.to_dict("records")
    show_table(
        f"Theories of the loss; {frequencies}",
        ["theory", "what it says", "shown", "cost of a width", "applies here"],
        [[row[name] for name in ("theory", "summary", "shown", "cost", "applies")] for row in rows],
        justify="left",
    )
    show_table(
        "What each assumes, and how far it was off where it was checked",
        ["theory", "assumes", "checked against", "error there"],
        [[row[name] for name in ("theory", "assumes", "checked", "error")] for row in rows],
        justify="left",
    )
    places = dict.fromkeys(row["source"] for row in rows if row["source"])
    say(f"results: {', '.join(places)} in the repository")


def required_width(
    loss: Annotated[
        float | None, typer.Option("--loss", help="Loss that is not to be exceeded.")
    ] = None,
    kept: Annotated[int | None, typer.Option(help="Number of features to be kept.")] = None,
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
    theory: Annotated[
        str | None, typer.Option(help="Theory (default: mean_field, or weak where it is not.)")
    ] = None,
    sampling: opt.Sampling = "bernoulli",
    json: opt.Json = False,
) -> None:
    """Find the least width at which a loss is predicted, or a number of features is kept.

    Example: superscale required-width --loss 0.1 --alpha 1.5 --theory weak
    """
    from theory.required_width import required_width as find

    frequencies, source = opt.build_frequencies(
        law, n, alpha, scale, density, counts, top, None, {}
    )
    features = opt.build_features(frequencies, activation, importance, dependence)
    if (loss is None) == (kept is None):
        raise ValueError("give one of --loss and --kept")
    m = find(
        features,
        loss=loss,
        kept=kept,
        theory=theory,
        sampling=sampling,  # type: ignore[arg-type]  # it says what is wrong
    )
    settings = {
        **features.describe(), "frequencies": source, "theory": theory, "sampling": sampling,
    }  # fmt: skip
    if json:
        print_data(to_json({"m": m, "loss": loss, "kept": kept, "settings": settings}) + "\n")
        return
    wanted = f"loss {number(loss)}" if kept is None else f"{kept} features kept"
    print(f"{frequencies}: {wanted} from width m = {m}")
