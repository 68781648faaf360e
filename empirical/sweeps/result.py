"""The result of a sweep: a tidy table, exponents, and figures.

``SweepResult`` has ``to_dataframe()``, ``to_xarray()``, ``exponents()``, ``plot()`` (loss against m
with theory) and ``plot_phase("phi_half")`` or ``plot_phase("exponent")`` over (alpha,
weight_decay).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from empirical.scaling_laws.exponent_fit import try_fit
from empirical.training.diagnostics import overlap_among
from empirical.training.run import TrainingRun
from theory.frequencies import Frequencies
from theory.regimes.weak import lost_loss, tail_loss
from theory.registry import predict
from theory.results import result

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
        for key, curve in self.to_dataframe().groupby(list(_CURVE), dropna=False):
            fit = try_fit(curve["m"], curve["loss"])
            if fit is not None:
                record = dict(zip(_CURVE, key, strict=True))
                found.append({**record, "exponent": fit.value, "stderr": fit.stderr})
        return pd.DataFrame(found, columns=[*_CURVE, "exponent", "stderr"])

    def plot(self, ax: Any = None) -> Any:
        """Draw loss against m, a curve for each law and decay, with theories; return the axes."""
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots()
        table = self.to_dataframe()
        varied = [name for name in _CURVE if table[name].nunique(dropna=False) > 1]
        for key, curve in table.groupby(list(_CURVE), dropna=False):
            place: dict[str, Any] = dict(zip(_CURVE, key, strict=True))
            mean = curve.groupby("m")["loss"].mean()
            label = ", ".join(
                f"{name} = {place[name]:g}" if isinstance(place[name], float) else str(place[name])
                for name in varied
            )
            line = ax.plot(mean.index, mean, "o", label=label or None)[0]
            kind = "weak" if place["weight_decay"] > 0 else "strong"
            law = place["frequencies"]
            if law == "power_law" and len(mean) > 1:
                frequencies = Frequencies.power_law(place["n"], place["alpha"], place["density"])
                widths = np.unique(np.geomspace(mean.index.min(), mean.index.max(), 30).astype(int))
                prediction = predict(frequencies, widths)
                for theory in prediction.records.values():
                    loss = prediction.loss[theory.name]
                    if theory.superposition == kind and np.isfinite(loss).any():
                        ax.plot(widths, loss, lw=0.8, **theory.line.options(line.get_color()))
        ax.set(xscale="log", yscale="log", xlabel="width m", ylabel="loss")
        if varied and len(table.groupby(list(_CURVE), dropna=False)) <= 12:
            ax.legend(fontsize="small")
        return ax

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
            table, label = self.exponents(), "exponent alpha_m"
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
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots()
        image = ax.pcolormesh(phase.columns, phase.index, phase.to_numpy(), shading="nearest")
        ax.figure.colorbar(image, ax=ax, label=label)
        ax.set(xlabel="frequency exponent alpha", ylabel="weight decay gamma")
        return ax

    def __repr__(self) -> str:
        table = self.to_dataframe()
        counts = {name: table[name].nunique(dropna=False) for name in (*_CURVE, "seed", "m")}
        varied = ", ".join(f"{name} ({count})" for name, count in counts.items() if count > 1)
        text = f"{len(self.rows)} runs" + (f" over {varied}" if varied else "")
        if self.failures:
            text += f"; {len(self.failures)} failed, the first: {self.failures[0]}"
        return text
