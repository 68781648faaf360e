"""The commands about packings: ``superscale bounds`` and ``superscale pack``.

``bounds`` says how close n vectors in m dimensions must come, ``pack`` finds such vectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from superscale.commands import options as opt
from superscale.commands.output import (
    DATA,
    check_outputs,
    number,
    show_for_machines,
    show_table,
    write,
    write_outputs,
)

if TYPE_CHECKING:
    from numerics.packings.packing import Packing

_CERTIFIED = "linear programming, verified in rational arithmetic"
_MET = 1e-12  # relative difference from a bound that is met


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
    from theory.bounds.packing_bounds import bounds as find_bounds
    from theory.bounds.packing_bounds import equiangular_conditions

    outputs = output or []
    check_outputs(outputs, DATA)
    found = find_bounds(n, m, kind, degree)  # type: ignore[arg-type]  # it says what is wrong
    certificate = found.certificate
    record: dict[str, Any] = {
        "rows": found.to_dataframe().to_dict("records"),
        "certificate": None
        if certificate is None
        else {
            "proves": str(certificate),
            "n": certificate.proved_at,
            "m": certificate.m,
            "kind": certificate.kind,
            "cosine": str(certificate.cosine),
            "basis": "Gegenbauer polynomials P_k of the sphere in R^m with P_k(1) = 1",
            "coefficients": [str(a) for a in certificate.coefficients],
            "verified": certificate.verify(),
        },
        "most_active": found.most_active,
        "settings": {"n": n, "m": m, "kind": kind, "degree": degree},
    }
    write_outputs(outputs, found, record)
    if show_for_machines(json, csv, record, found):
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
    if found.most_active is not None:
        print(
            f"no such vectors let one threshold read every set of more than {found.most_active} "
            "active ones"
        )
    if kind == "lines" and n > m:
        conditions = equiangular_conditions(n, m)
        failed = [name for name, met in conditions.items() if not met]
        print(
            f"equiangular: ruled out ({', '.join(failed)})"
            if failed
            else "equiangular: no known condition rules it out"
        )


def pack(
    n: Annotated[int, typer.Option("--n", help="Number of vectors.")],
    m: Annotated[list[str], typer.Option("--m", help="Dimension (several for relu: 10,20,40).")],
    objective: Annotated[
        str,
        typer.Option(
            help="coherence (lines), cosine (points), frame_potential, p_frame, relu_energy, "
            "complex_lines (lines in C^m), or relu: the loss of the toy model beside its proven "
            "bound, training and chance."
        ),
    ] = "coherence",
    starts: Annotated[int | None, typer.Option(help="Starts (default: by n).")] = None,
    seconds: Annotated[float | None, typer.Option(help="Time to search.")] = None,
    seed: opt.Seed = 0,
    search: Annotated[
        bool, typer.Option("--search", help="Search even where a construction is known.")
    ] = False,
    p: Annotated[float, typer.Option("--p", help="Exponent of p_frame.")] = 4.0,
    alpha: Annotated[
        float, typer.Option(help="Exponent of the frequencies of relu_energy (E = 1).")
    ] = 0.0,
    r: Annotated[
        float | None,
        typer.Option("--r", help="Norm of the rows: relu_energy (default 1), relu (the best)."),
    ] = None,
    b: Annotated[
        float | None,
        typer.Option("--b", help="Bias: relu_energy (default 0), relu (the best)."),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Training steps, for relu (5000).")] = None,
    save: Annotated[
        Path | None, typer.Option(help="File for the vectors (.npz; complex_lines: .txt).")
    ] = None,
    json: opt.Json = False,
    csv: opt.Csv = False,
    output: opt.Output = None,
) -> None:
    """Find n unit vectors in m dimensions that overlap as little as they can.

    An exact construction is returned where one is known; otherwise many starts are brought to a
    local optimum, and the best is kept, also on Ctrl-C. With --objective relu: the least
    one-active-feature loss that is possible, found, trained and random, at each m.

    Example: superscale pack --n 20 --m 5 --seconds 10

    Example: superscale pack --n 1000 --m 40,100 --objective relu

    Example: superscale pack --n 9 --m 3 --objective complex_lines --seconds 1
    """
    from empirical.progress import report
    from numerics.packings.search import pack as find_packing
    from theory.frequencies import Frequencies

    outputs = output or []
    check_outputs(outputs)
    if save is not None:
        check_outputs([save], (".txt",) if objective == "complex_lines" else (".npz",))
    widths = opt.read_widths(m, n)
    if objective == "relu":
        clash = opt.given(
            starts=starts, seconds=seconds, alpha=alpha or None, search=search or None, save=save
        )
        if clash:
            raise ValueError(
                f"--{next(iter(clash))} does not go with --objective relu: leave it out"
            )
        training = {} if steps is None else {"steps": steps}
        _bracket(n, widths, seed, r, b, training, json, csv, outputs)
        return
    if steps is not None:
        raise ValueError(f"--steps {steps} goes with --objective relu: leave it out")
    if len(widths) != 1:
        raise ValueError(f"--m {','.join(m)} is not allowed with --objective {objective}: give one")
    width = widths[0]
    if objective == "complex_lines":
        clash = opt.given(search=search or None, alpha=alpha or None, r=r, b=b)
        if clash:
            raise ValueError(
                f"--{next(iter(clash))} does not go with --objective complex_lines: leave it out"
            )
        _complex_lines(n, width, seed, starts, seconds, save, json, csv, outputs)
        return
    r, b = 1.0 if r is None else r, 0.0 if b is None else b
    frequencies = Frequencies.power_law(n, alpha, 1.0) if objective == "relu_energy" else None
    with report(True, f"packing {n} in {width} dimensions") as advance:
        found = find_packing(
            n,
            width,
            objective,  # type: ignore[arg-type]  # it says what is wrong
            seed=seed,
            starts=starts,
            seconds=seconds,
            explicit=not search,
            p=p,
            features=frequencies,
            r=r,
            b=b,
            progress=lambda done, best: advance(done, starts or done + 1),
        )
    if save is not None:
        write(save, found.save)
    bound = _bound(found, p, alpha, r, b)
    record: dict[str, Any] = {
        "objective": objective,
        "value": found.value,
        "exact": found.exact,
        "method": found.method,
        "coherence": found.coherence,
        "cosine": found.cosine,
        "bound": {"name": bound.name, "value": bound.value, "of": bound.of},
        "gap": bound.gap,
        "tight_pairs": found.tight_pairs,
        "rigid": found.is_rigid,
        "worst_case_active": found.worst_case.active,
        "rows": found.to_dataframe().to_dict("records"),
        "settings": {"n": n, "m": width, "seed": seed, "starts": starts, "seconds": seconds},
    }
    if objective == "p_frame":
        record["settings"]["p"] = p
    if objective == "relu_energy":
        record["settings"] |= {"alpha": alpha, "r": r, "b": b}
    write_outputs(outputs, found, record)
    if not show_for_machines(json, csv, record, found):
        exact = f" = {found.exact}" if found.exact else ""
        print(f"{n} vectors in R^{width}, {objective} {number(found.value, 12)}{exact}")
        print(f"by {found.method}")
        print(f"largest |t| {found.coherence:.12g}, largest t {found.cosine:.12g}")
        of = {"coherence": "largest |t|", "cosine": "largest t"}.get(objective, objective)
        if bound.value is None:
            print(f"no bound of {of}: {bound.name}")
        else:
            print(
                f"{of} of any such vectors: at least {bound.value:.12g} ({bound.name}), "
                f"gap {bound.gap:.3g}"
            )
        rigid = "rigid" if found.is_rigid else "not rigid"
        print(f"{found.tight_pairs} pairs touch ({rigid}), {found.angles.size} different overlaps")
        print(f"one threshold reads any set of up to {found.worst_case.active} active vectors")
    if found.interrupted:
        raise KeyboardInterrupt


def _complex_lines(
    n: int,
    d: int,
    seed: int,
    starts: int | None,
    seconds: float | None,
    save: Path | None,
    json: bool,
    csv: bool,
    outputs: list[Path],
) -> None:
    """Find lines in C^d and show them."""
    from empirical.progress import report
    from numerics.packings.complex_lines.search import pack_complex

    with report(True, f"packing {n} lines in C^{d}") as advance:
        found = pack_complex(
            n,
            d,
            seed=seed,
            starts=starts,
            seconds=seconds,
            progress=lambda done, best: advance(done, starts or done + 1),
        )
    if save is not None:
        write(save, found.save)
    record: dict[str, Any] = {
        "objective": "complex_lines",
        "method": found.method,
        "coherence": found.coherence,
        "bound": {"name": found.bound.name, "value": found.bound.value},
        "gap": found.gap,
        "tight_pairs": found.tight_pairs,
        "settings": {"n": n, "m": d, "seed": seed, "starts": starts, "seconds": seconds},
    }
    write_outputs(outputs, found, record)
    if not show_for_machines(json, csv, record, found):
        print(f"{n} lines in C^{d}, largest |t| {found.coherence:.12g}")
        print(f"by {found.method}")
        print(
            f"largest |t| of any such lines: at least {found.bound.value:.12g} "
            f"({found.bound.name}), gap {found.gap:.3g}"
        )
        print(f"{found.tight_pairs} pairs touch")
    if found.interrupted:
        raise KeyboardInterrupt


@dataclass(frozen=True)
class _Bound:
    """A proven lower bound of an objective, or (value None) why there is none."""

    of: str
    name: str
    value: float | None
    gap: float | None


def _bound(found: Packing, p: float, alpha: float, r: float, b: float) -> _Bound:
    """Return the bound of the objective that a packing was found for."""
    from theory.bounds.certificates import PowerPotential, ReluPotential
    from theory.bounds.linear_programming import certify_energy
    from theory.bounds.packing_bounds import frame_potential

    n, m = found.n, found.m
    if found.objective in ("coherence", "cosine"):
        return _Bound(found.objective, found.bound.name, found.bound.value, found.gap)
    if found.objective == "frame_potential":
        name, value = "n²/m - n, of tight frames", float(frame_potential(n, m)) - n
    elif found.objective == "p_frame":
        if p not in range(1, 61):
            return _Bound("p_frame", "it is certified for whole p up to 60 only", None, None)
        name, value = _CERTIFIED, float(certify_energy(n, m, PowerPotential(int(p))).value)
    elif alpha != 0:
        return _Bound("relu_energy", "it is certified for even frequencies only", None, None)
    else:
        # Each of the n features is the active one with p = 1/n.
        name, value = (
            _CERTIFIED,
            float(certify_energy(n, m, ReluPotential(Fraction(r * r), Fraction(b))).value) / n,
        )
    # Less than rounding is no gap.
    gap = found.value - value
    gap = gap if gap > _MET * max(1.0, value) else 0.0
    return _Bound(found.objective, name, value, gap)


def _bracket(
    n: int,
    widths: list[int],
    seed: int,
    r: float | None,
    b: float | None,
    training: dict[str, int],
    json: bool,
    csv: bool,
    outputs: list[Path],
) -> None:
    """Show the loss between its bounds, width by width."""
    from empirical.comparisons.bracket import bracket_loss
    from theory.computing.progress import show_progress

    def text(done: int) -> str:
        width = widths[min(done, len(widths) - 1)]
        return f"m = {width} ({done + 1} of {len(widths)}): bound, training and descent"

    with show_progress(text(0)) as show:  # a line every half minute also within a width
        found = bracket_loss(
            n, widths, r, b, seed=seed, progress=lambda done, total: show(text(done)), **training
        )
    record: dict[str, Any] = {
        "rows": found.to_dataframe().to_dict("records"),
        "settings": found.settings,
    }
    write_outputs(outputs, found, record)
    if show_for_machines(json, csv, record, found):
        return
    at = "the best r and b for each" if r is None else f"r = {r:g}, b = {b:g}"
    show_table(
        f"L/E of {n} equally frequent features, one active; {at}",
        ["m", "certified", "optimised", "trained", "random", "nothing proved from h√m ="],
        [
            [
                str(row.m),
                *(number(x) for x in (row.certified, row.optimised, row.trained, row.random)),
                number(row.vacuous_from),
            ]
            for row in found.rows
        ],
    )
    print(f"certified ({_CERTIFIED}): no directions are better")
    print("h = -b/(2 r²) is the overlap that is free")
