"""The commands about token frequencies: ``superscale count`` and ``superscale zipf``.

``count`` counts the tokens of text files; ``zipf`` fits the law that counts follow and says what it
predicts.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from superscale.commands import options as opt
from superscale.commands.output import (
    check_outputs,
    number,
    print_data,
    show_for_machines,
    show_table,
    with_error,
    write,
    write_outputs,
)

if TYPE_CHECKING:
    from empirical.counts.width_exponents import WidthExponents
    from empirical.counts.zipf_comparison import ZipfComparison


def count(
    text: Annotated[list[Path], typer.Argument(help="Files of UTF-8 text.")],
    tokenizer: Annotated[Path, typer.Option(help="A tokenizer.json, or a folder that has one.")],
    blocks: Annotated[
        bool,
        typer.Option(
            "--blocks", help="Add the counts of up to 32 blocks of the text (for zipf's errors)."
        ),
    ] = False,
    json: opt.Json = False,
    csv: opt.Csv = False,
    output: opt.Output = None,
) -> None:
    """Count the tokens of text with a tokenizer, over its whole vocabulary.

    The CSV has the columns id, token and count: superscale zipf reads it, and superscale compare
    --counts with --column count. No special tokens are added. Needs the package tokenizers: pip
    install "superscale[tokenizers]".

    Example: superscale count text.txt --tokenizer tokenizer.json --blocks --output counts.csv
    """
    from empirical.counts.tokens import count_tokens

    outputs = output or []
    check_outputs(outputs)
    try:
        found = count_tokens(text, tokenizer, progress=True)
    except ImportError as error:
        raise ValueError(str(error)) from None
    table = found.to_dataframe()
    record: dict[str, Any] = {
        "n": found.n,
        "total": found.total,
        "seen": found.seen,
        "rows": table[table["count"] > 0].to_dict("records"),
        "settings": {"text": [str(path) for path in text], "tokenizer": str(tokenizer)},
    }
    if blocks:
        record["block_totals"] = found.blocks.sum(axis=1).tolist()
    write_outputs([path for path in outputs if path.suffix.lower() != ".csv"], found, record)
    for path in outputs:
        if path.suffix.lower() == ".csv":
            write(path, partial(found.save, blocks=blocks))
    if csv:
        print_data(found.to_csv(blocks=blocks))
    elif not show_for_machines(json, False, record, found):
        show_table(
            f"{found.total} tokens; {found.seen} of the {found.n} in the vocabulary occur",
            ["rank", "token", "count", "share"],
            [
                [str(rank), repr(token), str(times), number(times / found.total, 3)]
                for rank, (token, times) in enumerate(found.most_common(10), 1)
            ],
        )


@dataclass(frozen=True)
class _Both:
    """Fits and width exponents in one table, with the figure of the fits."""

    comparison: ZipfComparison
    widths: WidthExponents

    def to_dataframe(self) -> Any:
        table = self.comparison.to_dataframe()
        for m in self.widths.m:
            part = self.widths.to_dataframe().query("m == @m").set_index("law")
            for column in ("exponent", "stderr"):
                table[f"weak_{column}_m{m}"] = table["law"].map(part[column])
        return table

    def plot(self, ax: Any = None) -> Any:
        return self.comparison.plot(ax)


def zipf(
    counts: Annotated[Path, typer.Argument(help="CSV or TSV of counts.")],
    column: opt.Column = None,
    separator: opt.Separator = None,
    decimal: opt.Decimal = None,
    thousands: opt.Thousands = None,
    first: Annotated[int | None, typer.Option(help="First rank to fit (default 1).")] = None,
    last: Annotated[
        int | None,
        typer.Option(help="Last rank to fit (default: while counts are large for their noise)."),
    ] = None,
    m: opt.Widths = None,
    json: opt.Json = False,
    csv: opt.Csv = False,
    output: opt.Output = None,
) -> None:
    """Fit Zipf, Zipf-Mandelbrot and a broken power law to counts, by maximum likelihood.

    The laws are compared by likelihood; log-log least squares is shown as a comparison only. Then
    what each would do to the loss: the weak theory's local exponents at widths --m, beside those of
    the counts themselves. A table that superscale count --blocks wrote brings errors that hold for
    words that come in bursts.

    Example: superscale zipf counts.csv --first 1 --last 1000 --m 100,1000 --output zipf.png
    """
    from empirical.counts.width_exponents import predict_width_exponents
    from empirical.counts.zipf import compare_zipf

    outputs = output or []
    check_outputs(outputs)
    form = opt.read_form(separator, decimal, thousands)
    source = _read(counts, column, form)
    found = compare_zipf(source, (1 if first is None else first, last))
    positive = int((found.counts > 0).sum())
    widths = predict_width_exponents(found, opt.read_widths(m, positive))
    both = _Both(found, widths)
    record: dict[str, Any] = {
        "rows": found.to_dataframe().to_dict("records"),
        "preferred": found.preferred,
        "overdispersion": found.overdispersion,
        "blocks": len(found.blocks),
        "errors_from": found.errors_from,
        "width_exponents": widths.to_dataframe().to_dict("records"),
        "notes": [*found.notes, *widths.notes],
        "settings": {
            "counts": str(counts),
            "column": column,
            **form,
            "first": found.first,
            "last": found.last,
            "n": positive,
        },
    }
    write_outputs(outputs, both, record)
    if not show_for_machines(json, csv, record, both):
        _show(found, widths)


def _read(path: Path, column: str | None, form: Mapping[str, str]) -> Any:
    """Return the counts in a table, with the blocks of one that ``superscale count`` wrote."""
    from empirical.counts.table import read_counts
    from empirical.counts.token_counts import TokenCounts

    if path.is_fifo():  # it can be read once, and its first line says what it is
        with tempfile.NamedTemporaryFile(suffix=".csv") as copy:
            copy.write(path.read_bytes())
            copy.flush()
            try:
                return _read(Path(copy.name), column, form)
            except ValueError as error:
                raise ValueError(str(error).replace(copy.name, str(path))) from None
    if column in (None, "count") and not form and path.is_file():
        with path.open("rb") as file:
            start = file.readline(200).decode("utf-8", "replace")
        if start.replace('"', "").strip().split(",")[:3] == ["id", "token", "count"]:
            return TokenCounts.load(path)
    return read_counts(path, column, **form)


def _show(found: ZipfComparison, widths: WidthExponents) -> None:
    body = []
    for row in found.to_dataframe().to_dict("records"):
        law = str(row["law"])
        cells = [law if law in found.fits else "least squares (comparison)"]
        for name in ("alpha", "q", "alpha_tail", "break_rank"):
            cells.append(with_error(float(row[name]), float(row[f"{name}_stderr"])))
        spread = math.nan if law == found.preferred else float(row["behind_stderr"])
        gap = with_error(0 - float(row["behind"]), spread)
        cells += [gap, number(float(row["aic"]), 8), number(float(row["bic"]), 8)]
        cells += [number(float(row["qbic"]), 8), number(float(row["dispersion"]), 3)]
        body.append(cells)
    heads = ["law", "alpha", "q", "alpha_tail", "break rank", "ln L less the best"]
    source = {"blocks": "blocks of text", "dispersion": "the misfit as if it were noise"}
    show_table(
        f"Ranks {found.first} to {found.last} of {found.counts.size}, "
        f"{found.window.sum():.0f} occurrences; errors from {source[found.errors_from]}; "
        f"preferred: {found.preferred}",
        [*heads, "AIC", "BIC", "QBIC", "dispersion"],
        body,
    )
    body = []
    for law, exponents in widths.exponent.items():
        cells = [law]
        for value, error in zip(exponents, widths.stderr[law], strict=True):
            cells.append(with_error(value, error, 3))
        alpha, error = widths.tail.get(law, (float("nan"), float("nan")))
        body.append([*cells, with_error(alpha - 1, error, 3)])
    show_table(
        f"Local exponent of the weak loss, n = {widths.n}",
        ["", *[f"m = {m}" for m in widths.m], "m, n → ∞ (alpha - 1)"],
        body,
    )
    for note in [*found.notes, *widths.notes]:
        print(f"note: {note}")
