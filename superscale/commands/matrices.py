"""The commands about a given matrix or model: ``superscale overlaps`` and ``superscale loss``.

``overlaps`` measures the rows of any matrix in a file, ``loss`` a saved run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from superscale.commands import options as opt
from superscale.commands.output import (
    FIGURES,
    check_outputs,
    number,
    show_for_machines,
    show_table,
    with_error,
    write_outputs,
)

if TYPE_CHECKING:
    from empirical.training.run import TrainingRun
    from numerics.overlaps.result import Overlaps
    from numerics.overlaps.treatments import Treatments
    from numerics.tensors.row_matrix import RowMatrix
    from theory.frequencies import Frequencies


def overlaps(
    source: Annotated[
        str,
        typer.Argument(
            help="A .npy, .npz, .safetensors, PyTorch, GGUF or CTranslate2 file, or a model as "
            "analyze takes it."
        ),
    ],
    tensor: Annotated[str | None, typer.Option(help="Name of the tensor in the file.")] = None,
    transpose: Annotated[
        bool, typer.Option("--transpose", help="Compare the columns of the matrix.")
    ] = False,
    remove: opt.Remove = None,
    rows: Annotated[
        str | None, typer.Option(help="Only these rows: START:STOP, from 0, STOP excluded.")
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="Only pairs of one of --rows with one of these: START:STOP.")
    ] = None,
    alpha: Annotated[
        float | None, typer.Option(help="Weigh row i by i^-alpha (rows in order of frequency).")
    ] = None,
    pairs: Annotated[
        str | None,
        typer.Option(help="all, sample or none (default: all up to 10000 rows, else sample)."),
    ] = None,
    samples: Annotated[int, typer.Option(help="Pairs to draw with --pairs sample.")] = 2**20,
    seed: opt.Seed = 0,
    threshold: Annotated[
        list[str] | None,
        typer.Option(help="h of one-sided moments ⟨ReLU(t - h)²⟩: 0,0.1 (default 0)."),
    ] = None,
    json: opt.Json = False,
    csv: opt.Csv = False,
    output: opt.Output = None,
) -> None:
    """Measure how much the rows of a matrix overlap: raw, centred, top directions removed.

    Each statistic stands beside random directions (mean square 1/m), the Welch bound and, where
    n <= m(m+1)/2, equal overlaps: in the table those of the raw matrix, in --csv and --json those
    of each treatment. Of a file with several matrices, or a folder, the unembedding is taken.

    Example: superscale overlaps run.safetensors --tensor W
    """
    from numerics.overlaps.statistics import choose_pairs
    from numerics.overlaps.treatments import compare_treatments

    outputs = output or []
    check_outputs(outputs)
    matrix, taken, hint = open_any(source, tensor, transpose)
    drawn = [path for path in outputs if path.suffix.lower() in FIGURES]
    if pairs == "none" and drawn:
        raise ValueError(f"--pairs none has no overlaps to draw in {drawn[0]}")
    chosen: dict[str, Any] = {
        "pairs": pairs or choose_pairs(matrix.n),
        "samples": samples,
        "thresholds": tuple(opt.read_numbers("threshold", threshold or ["0"])),
    }
    selection: dict[str, Any] = {
        "rows": _list_range("rows", rows, matrix.n),
        "against": _list_range("against", against, matrix.n),
        "weights": None if alpha is None else _weigh(matrix.n, alpha),
    }
    found = compare_treatments(matrix, remove=remove, seed=seed, **chosen, **selection)
    settings: dict[str, Any] = {"file": source, "tensor": taken, "transpose": transpose}
    settings |= {"n": matrix.n, "m": matrix.m, **chosen}
    settings |= {"seed": seed, "rows": rows, "against": against, "alpha": alpha}
    record = {"rows": [_record(one) for one in found.results], "settings": settings}
    record["notes"] = [hint] if hint else []
    write_outputs(outputs, found, record)
    if not show_for_machines(json, csv, record, found):
        _show(found)
        if hint:
            print(f"note: {hint}")


def open_any(source: str, tensor: str | None, transpose: bool) -> tuple[RowMatrix, str | None, str]:
    """Open the only matrix of a file, the one named, or else what ``analyze`` takes.

    Returns the matrix, the name of its tensor, and why features may be stored as columns.
    """
    from empirical.unembeddings.formats import checkpoint_formats
    from empirical.unembeddings.unembedding import open_unembedding
    from numerics.tensors.formats import list_tensors
    from numerics.tensors.row_matrix import open_matrix, suspect_columns

    path = Path(source)
    if path.is_file() and path.suffix != ".json":
        tensors = list_tensors(path, checkpoint_formats()).tensors
        matrices = [name for name, one in tensors.items() if one.is_matrix]
        name = tensor if tensor is not None or len(matrices) != 1 else matrices[0]
        if list(tensors) == [""] or name in tensors:
            matrix = open_matrix(path, tensor, checkpoint_formats(), transpose=transpose)
            return matrix, name, suspect_columns(matrix.n, matrix.m, name or "", transpose)
    found = open_unembedding(source, tensor, transpose=transpose)
    matrix = found.matrix
    return matrix, found.tensor, suspect_columns(matrix.n, matrix.m, found.tensor, transpose)


def _record(one: Overlaps) -> dict[str, Any]:
    zeros = {"rows_of_zeros": one.rows_of_zeros.tolist()}
    return {**one.to_dict(), **zeros, "norms": _describe_norms(one)}


def _describe_norms(one: Overlaps) -> dict[str, float]:
    norms = one.norms
    return {
        "mean": float(norms.mean()),
        "smallest": float(norms.min()),
        "largest": float(norms.max()),
    }


def _show(found: Treatments) -> None:
    results = found.results
    raw = results[0]
    known = raw.to_dict()["statistics"]
    references = [
        x
        for x in ("random", "welch", "equiangular")
        if any(row[x] == row[x] for row in known.values())
    ]
    body = []
    for name in raw.values:
        cells = [name]
        for one in results:
            cells.append(with_error(one.values[name], one.stderr.get(name, math.nan)))
        body.append([*cells, *[number(known[name][x]) for x in references]])
    norms = [_describe_norms(one) for one in results]
    for name in norms[0]:
        body.append(
            [f"norm, {name}", *[number(one[name]) for one in norms], *["–"] * len(references)]
        )
    title = f"Overlaps of {raw.n} rows in {raw.m} dimensions"
    if raw.rows_of_zeros.size:
        title += f"; {raw.rows_of_zeros.size} rows of zeros left out"
    if raw.pairs == "sample":
        title += "; sampled pairs (largest, smallest and coherence are the sample's)"
    show_table(
        title, ["", *[one.treatment for one in results], *[f"{x} (raw)" for x in references]], body
    )
    for reason in found.left_out:
        print(f"left out: {reason}")
    for one in results:
        if one.closest is not None:
            print(f"{one.treatment}: closest rows {one.closest}, most opposed {one.most_opposed}")


def read_range(name: str, text: str, n: int | None = None) -> slice:
    """Return the rows, of n where that is known, that START:STOP stands for.

    Examples
    --------
    >>> read_range("rows", "2:5"), read_range("rows", ":7")
    (slice(2, 5, None), slice(0, 7, None))
    """
    start, colon, stop = text.partition(":")
    try:
        first, last = int(start or 0), int(stop) if stop else None
    except ValueError:
        first, last = 0, 0
    stretch = colon and first >= 0 and (last is None or last > first)
    if not stretch or (n is not None and (first >= n or (last or 0) > n)):
        within = ", from 0" if n is None else f" within 0:{n}"
        raise ValueError(f"--{name} {text!r} is not allowed: give START:STOP{within}")
    return slice(first, last)


def _list_range(name: str, text: str | None, n: int) -> list[int] | None:
    """Return the row numbers of n that START:STOP stands for.

    Examples
    --------
    >>> _list_range("rows", "2:5", n=10)
    [2, 3, 4]
    """
    if text is None:
        return None
    return list(range(n)[read_range(name, text, n)])


def _weigh(n: int, alpha: float) -> Any:
    from theory.frequencies import Frequencies

    # Only ratios matter: a density that any law allows.
    return Frequencies.power_law(n, alpha, 1e-6).p


def loss(
    run: Annotated[Path, typer.Argument(help="A run that superscale train saved.")],
    law: opt.Law = None,
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
    sampling: opt.Sampling = "bernoulli",
    rtol: Annotated[float, typer.Option(help="Wanted bound on the relative error.")] = 1e-6,
    json: opt.Json = False,
    csv: opt.Csv = False,
    output: opt.Output = None,
) -> None:
    """Compute the expected loss of a saved model exactly, and what it is made of.

    Frequencies, law of v, importances and dependence are those that it was trained on unless others
    are given; features of other frequencies are independent unless --dependence is given.

    Example: superscale loss run.safetensors --alpha 1.0
    """
    from empirical.training.run import TrainingRun
    from numerics.loss.exact import population_loss
    from numerics.loss.report import PART_LABELS
    from theory.dependence.described import read_dependence
    from theory.features import Features

    outputs = output or []
    check_outputs(outputs)
    form = opt.read_form(separator, decimal, thousands)
    loaded = TrainingRun.load(run)
    frequencies = _choose_frequencies(loaded, law, alpha, scale, density, counts, top, column, form)
    # population_loss itself says what is wrong with another word.
    shown = loaded.features
    law_of_v = shown.activation if activation is None else opt.read_activation(activation)
    weights = opt.read_importance(importance, frequencies)
    features = Features(
        frequencies,
        law_of_v,
        shown.importance if importance is None else weights,
        # Other frequencies are not the marginals of what the run was shown.
        dependence=shown.dependence if frequencies is shown.frequencies else None,
    )
    if dependence is not None:
        forest = read_dependence(dependence, frequencies.p_as_given)
        features = Features(frequencies, law_of_v, features.importance, forest)
    report = population_loss(loaded.model, features, sampling, rtol=rtol)  # type: ignore[arg-type]
    columns = {"loss": report.per_feature, **report.parts_per_feature, "is_lost": report.lost}
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    record = {
        "loss": report.loss,
        "error_bound": report.error_bound,
        "parts": dict(report.parts),
        "lost_fraction": float(report.lost.mean()),
        "rows": [dict(zip(columns, row, strict=True)) for row in rows],
        "settings": {
            "run": str(run),
            **features.describe(),
            "sampling": sampling,
            "rtol": rtol,
        },
    }

    def share(part: float) -> str:
        return f"{part / report.loss:.1%}" if report.loss else "–"

    write_outputs(outputs, report, record)
    if not show_for_machines(json, csv, record, report):
        print(f"{frequencies}; n = {loaded.model.n}, m = {loaded.model.m}, {sampling}")
        if features != Features(frequencies):
            print(features)
        print(f"expected loss {report.loss:.10g}, error below {report.error_bound:.2g}")
        show_table(
            "",
            ["part", "loss", "share"],
            [
                [PART_LABELS.get(name, name), f"{part:.6g}", share(part)]
                for name, part in report.parts.items()
            ],
        )
        print(f"lost features (norm below 1/2, or silent to themselves): {report.lost.mean():.1%}")


def _choose_frequencies(
    run: TrainingRun,
    law: str | None,
    alpha: float | None,
    scale: float | None,
    density: float | None,
    counts: Path | None,
    top: int | None,
    column: str | None,
    form: Mapping[str, str],
) -> Frequencies:
    if not opt.given(law=law, alpha=alpha, scale=scale, density=density, counts=counts):
        needless = opt.given(top=top, column=column, **form)
        if needless:
            raise ValueError(f"--{next(iter(needless))} goes with --counts FILE")
        return run.features.frequencies
    if density is not None and not opt.given(law=law, alpha=alpha, scale=scale, counts=counts):
        raise ValueError("--density goes with --law, --alpha or --counts: say which frequencies")
    n = None if counts is not None else run.model.n
    frequencies, _ = opt.build_frequencies(law, n, alpha, scale, density, counts, top, column, form)
    return frequencies
