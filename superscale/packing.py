"""The command about packings: ``superscale bounds``.

Use ``bounds`` for how close n vectors in m dimensions must come. ``superscale.cli`` registers it.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from superscale import options as opt
from superscale.output import DATA, check_outputs, number, show_table, to_json, write_outputs


def bounds(
    n: Annotated[int, typer.Option("--n", help="Number of vectors.")],
    m: Annotated[int, typer.Option("--m", help="Dimension.")],
    kind: Annotated[
        str, typer.Option(help="lines (largest |t|) or code (largest t; negative ones are free).")
    ] = "lines",
    degree: Annotated[
        int, typer.Option(help="Degree of the linear program's polynomial (0: leave it out).")
    ] = 16,
    json: opt.Json = False,
    csv: opt.Csv = False,
    output: opt.Output = None,
) -> None:
    """Bound from below the largest overlap of n unit vectors in m dimensions.

    The linear program's value comes with a certificate that is verified in exact arithmetic; --json
    shows its coefficients.

    Example: superscale bounds --n 28 --m 7
    """
    from theory.packing_bounds import bounds as find_bounds
    from theory.packing_bounds import equiangular_conditions

    outputs = output or []
    check_outputs(outputs, DATA)
    found = find_bounds(n, m, kind, degree)  # type: ignore[arg-type]  # it says what is wrong
    certificate = found.certificate
    record: dict[str, Any] = {
        "rows": found.to_dataframe().to_dict("records"),
        "certificate": None
        if certificate is None
        else {
            "cosine": str(certificate.cosine),
            "coefficients": [str(a) for a in certificate.coefficients],
            "verified": certificate.verify(),
        },
        "settings": {"n": n, "m": m, "kind": kind, "degree": degree},
    }
    write_outputs(outputs, found, record)
    if json:
        print(to_json(record))
        return
    if csv:
        print(found.to_dataframe().to_csv(index=False), end="")
        return
    what = "|t| of lines" if kind == "lines" else "t of points"
    show_table(
        f"Lower bounds of the largest {what}, n = {n}, m = {m}",
        ["bound", "value", "exact", "holds for"],
        [
            [row["bound"], number(row["value"], 12), row["exact"], row["holds for"]]
            for row in record["rows"]
        ],
    )
    if kind == "lines" and n > m:
        conditions = equiangular_conditions(n, m)
        failed = [name for name, met in conditions.items() if not met]
        print(
            f"equiangular: ruled out ({', '.join(failed)})"
            if failed
            else "equiangular: no known condition rules it out"
        )
