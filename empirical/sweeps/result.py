"""The result of a sweep: a tidy table, exponents, and figures.

``SweepResult`` has ``to_dataframe()``, ``to_xarray()``, ``exponents()``, ``plot()`` (loss against m
with theory) and ``plot_phase("phi_half")`` or ``plot_phase("exponent")`` over (alpha,
weight_decay).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from empirical.scaling_laws.exponent_fit import try_fit
from empirical.training.diagnostics import overlap_among
from empirical.training.run import TrainingRun
from theory import registry
from theory.estimate import Superposition, Theory
from theory.figures.loss_curve import POINTS, interpolate_loss
from theory.figures.style import (
    BLACK,
    COLOR_MAP,
    LOSS,
    WIDTH,
    add_color_bar,
    curve,
    finish,
    open_axes,
)
from theory.frequencies import Frequencies
from theory.mean_field.solver.state import ConvergenceError
from theory.regimes.weak import lost_loss, tail_loss
from theory.registry import default_theories, predict
from theory.results import result

# Curves up to which each is in the legend, with theories beside it.
_LISTED = 12
# Runs that agree in these are points of one curve of loss against m (seeds are averaged).
_CURVE = ("frequencies", "n", "alpha", "density", "weight_decay", "recipe")


@dataclass(frozen=True)
@result
class SweepRow:
    """One run of a sweep.

    Attributes
    ----------
    frequencies, n, alpha, density, m, weight_decay, seed, recipe
        Its place in the grid (alpha is NaN for other than power laws).
    loss, stderr : float
        Loss on fresh samples, and its standard error.
    dead_loss, live_loss : float
        The loss at dead features, and the rest.
    dead_fraction, phi_half, phi_one : float
        Shares of dead features, and of rows with norm above 1/2 and above 1.
    overlap_half, overlap_one : float
        Mean squared overlap among rows with norm above 1/2, and above 1 (NaN below two).
    lost_rows_loss, lost_ranks_loss : float
        Weak-superposition loss of the rows with norm below 1/2, and of as many last ranks (see
        ``Measurement``).
    steps : int
        Training steps.
    seconds : float
        Time of the training.
    """

    frequencies: str
    n: int
    alpha: float
    density: float
    m: int
    weight_decay: float
    seed: int
    recipe: str
    loss: float
    stderr: float
    dead_loss: float
    live_loss: float
    dead_fraction: float
    phi_half: float
    phi_one: float
    overlap_half: float
    overlap_one: float
    lost_rows_loss: float
    lost_ranks_loss: float
    steps: int
    seconds: float

    @classmethod
    def of(cls, place: Mapping[str, Any], run: TrainingRun) -> SweepRow:
        """Return the row of a finished run."""
        norms = run.model.norms
        represented = norms > 0.5
        return cls(
            **place,
            loss=run.loss,
            stderr=run.stderr,
            dead_loss=run.dead_loss,
            live_loss=run.live_loss,
            dead_fraction=float(run.dead.mean()),
            phi_half=float(np.mean(represented)),
            phi_one=float(np.mean(norms > 1.0)),
            overlap_half=overlap_among(run.model.W[represented]),
            overlap_one=overlap_among(run.model.W[norms > 1.0]),
            lost_rows_loss=lost_loss(run.features, ~represented),
            lost_ranks_loss=float(tail_loss(run.features, int(represented.sum()))),
            steps=run.settings.steps,
            seconds=run.seconds,
        )

    def order(self) -> tuple[Any, ...]:
        """Return what rows are sorted by."""
        alpha = -np.inf if np.isnan(self.alpha) else self.alpha
        place = (self.frequencies, self.n, alpha, self.density, self.weight_decay)
        return (*place, self.recipe, self.seed, self.m)


def _of_its_kind(f: Frequencies, weight_decay: float) -> list[str]:
    """Return the default theories of the superposition that a weight decay leads to."""
    kind: Superposition = "weak" if weight_decay > 0 else "strong"
    shown = default_theories(f, kind)
    return [
        one.name for one in registry.THEORIES if one.name in shown and one.superposition == kind
    ]


@dataclass(frozen=True, eq=False)
@result
class SweepResult:
    """The finished runs of a sweep.

    Attributes
    ----------
    rows : tuple of SweepRow
        Ordered by frequencies, n, alpha, density, weight_decay, recipe, seed, m.
    failures : tuple of str
        Runs that did not finish: their place in the grid, and why.
    aside : tuple of str
        Files of the store that were damaged or foreign, and renamed.
    """

    rows: tuple[SweepRow, ...]
    failures: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each run."""
        return pd.DataFrame(
            [vars(row) for row in self.rows], columns=list(SweepRow.__annotations__)
        )

    def to_xarray(self) -> Any:
        """Return an ``xarray.Dataset`` over the grid; cells that did not finish are NaN.

        Raises
        ------
        ImportError
            If xarray is not installed.
        ValueError
            If power laws are mixed with others, which have no alpha.
        """
        try:
            import xarray  # noqa: F401
        except ImportError:
            raise ImportError("to_xarray needs xarray: pip install xarray") from None
        table = self.to_dataframe()
        axes = [*_CURVE, "seed", "m"]
        if table["alpha"].isna().all():
            axes.remove("alpha")
        elif table["alpha"].isna().any():
            raise ValueError("only some of the laws have an alpha: sweep power laws by themselves")
        return table.set_index(axes).to_xarray()

    def exponents(self) -> pd.DataFrame:
        """Return alpha_m, minus the slope of ln loss against ln m, for each curve.

        Least squares over all widths and seeds; standard error and R² beside it (NaN with two
        widths). Curves with one width are left out.
        """
        found = []
        for key, part in self.to_dataframe().groupby(list(_CURVE), dropna=False):
            fit = try_fit(part["m"], part["loss"])
            if fit is not None:
                record = dict(zip(_CURVE, key, strict=True))
                found.append({**record, "exponent": fit.value, "stderr": fit.stderr})
        return pd.DataFrame(found, columns=[*_CURVE, "exponent", "stderr"])

    def plot(
        self, ax: Any = None, theory: str | Iterable[str] | None = None, progress: bool = False
    ) -> Any:
        """Draw loss against m, a curve for each law and decay, with theories; return the axes.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw.
        theory : str or iterable of str, optional
            Theories to draw beside each curve; by default those of its kind of superposition that
            ``predict`` gives by default ("mean_field" where weight_decay <= 0, else "weak"), for at
            most a dozen curves. "mean_field" is solved at the widths of the sweep, a second or so
            each.
        progress : bool
            Whether to show on stderr what is solved for.

        Raises
        ------
        ValueError
            For an unknown theory, or one that does not apply.
        """
        ax = open_axes(ax)
        table = self.to_dataframe()
        groups = list(table.groupby(list(_CURVE), dropna=False))
        varied = [name for name in _CURVE if table[name].nunique(dropna=False) > 1]
        records: dict[str, Theory] = {}
        for k, (key, part) in enumerate(groups):
            place: dict[str, Any] = dict(zip(_CURVE, key, strict=True))
            mean = part.groupby("m")["loss"].mean()
            label = ", ".join(
                f"{name.replace('_', ' ')} = {place[name]:g}"
                if isinstance(place[name], float)
                else str(place[name]).replace("_", " ")
                for name in varied
            )
            style = curve(k) | {"linestyle": ""}
            ax.plot(mean.index, mean, label=label or "trained", **style)
            if place["frequencies"] != "power_law" or (theory is None and len(groups) > _LISTED):
                continue
            f = Frequencies.power_law(place["n"], place["alpha"], place["density"])
            wanted = _of_its_kind(f, place["weight_decay"]) if theory is None else theory
            try:
                prediction = predict(f, mean.index.to_numpy(), wanted, progress=progress)
            except ConvergenceError:
                if theory is not None:
                    raise
                continue
            for name, one in prediction.estimates.items():
                if one.has_loss:
                    records[name] = prediction.records[name]
                    m, loss = interpolate_loss(prediction.m, one.loss, one.exponent)
                    line = records[name].line.options(style["color"])
                    ax.plot(m, loss, lw=1, markevery=POINTS, **line)
        for record in records.values():
            ax.plot([], [], label=record.line.label, **record.line.options(BLACK))
        return finish(ax, WIDTH, LOSS, log="xy", legend=len(groups) <= _LISTED)

    def plot_phase(
        self,
        quantity: Literal["phi_half", "exponent", "loss", "dead_fraction"] = "phi_half",
        m: int | None = None,
        ax: Any = None,
    ) -> Any:
        """Draw a quantity over (alpha, weight_decay), means over seeds; return the axes.

        Parameters
        ----------
        quantity : str
            "exponent" for alpha_m, or a column of the table.
        m : int, optional
            Width to show (not for "exponent"); by default the middle one of the grid.
        ax : Axes, optional
            Where to draw.

        Raises
        ------
        ValueError
            If the result has fewer than two alphas or weight decays, not this width or column, or
            more than one n, density, recipe or law of frequencies.
        """
        full = self.to_dataframe()
        for name in ("frequencies", "n", "density", "recipe"):
            if full[name].nunique() != 1:
                values = sorted(full[name].unique().tolist())
                raise ValueError(f"a phase diagram needs one {name}: the sweep has {values}")
        if quantity == "exponent":
            table, label = self.exponents(), "exponent alpha_m = −d ln L/d ln m"
        else:
            table = full
            if quantity not in table.columns[8:]:
                raise ValueError(f"no quantity {quantity!r}: give 'exponent' or a column")
            widths = sorted(table["m"].unique())
            m = int(widths[len(widths) // 2]) if m is None else m
            if m not in widths:
                raise ValueError(f"m = {m} is not in the sweep: it has {widths}")
            table, label = table[table["m"] == m], f"{quantity} at m = {m}"
        phase = table.pivot_table(index="weight_decay", columns="alpha", values=quantity)
        if min(phase.shape) < 2:
            raise ValueError("a phase diagram needs at least two alphas and two weight decays")
        ax = open_axes(ax)
        ax.grid(False)
        image = ax.pcolormesh(
            phase.columns, phase.index, phase.to_numpy(), shading="nearest", cmap=COLOR_MAP
        )
        add_color_bar(ax, image, label)
        return finish(ax, "exponent alpha of the frequencies", "weight decay")

    def __repr__(self) -> str:
        table = self.to_dataframe()
        counts = {name: table[name].nunique(dropna=False) for name in (*_CURVE, "seed", "m")}
        varied = ", ".join(f"{name} ({count})" for name, count in counts.items() if count > 1)
        text = f"{len(self.rows)} runs" + (f" over {varied}" if varied else "")
        if self.failures:
            text += f"; {len(self.failures)} failed, the first: {self.failures[0]}"
        return text
