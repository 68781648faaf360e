"""Predictions as values: what each theory says at each width, with its expression and derivation.

``theory.registry.predict`` makes a ``Prediction``; this module says what one can be asked.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

import numpy as np
import pandas as pd
import sympy as sp

from theory.computing.argument_kinds import check_kinds
from theory.derivation import Derivation, density, plain
from theory.estimate import Estimate, Theory, Values
from theory.features import Features
from theory.figures.loss_curve import POINTS, interpolate_loss
from theory.figures.style import LOSS, WIDTH, finish, open_axes
from theory.results import WIDTH as TERMINAL
from theory.results import ReadOnlyMapping, result, short_table

Of = Literal["loss", "exponent"]
Limit = Literal["exact", "infinite_n", "leading"]


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """How a theory's loss is derived, and what it assumes; prints as text, renders in notebooks.

    Attributes
    ----------
    derivation : Derivation
        Step by step.
    assumptions : tuple of str
        What was assumed, and where it is claimed to hold.
    """

    derivation: Derivation
    assumptions: tuple[str, ...]

    def __str__(self) -> str:
        assumed = "\n".join(f"- {text}" for text in self.assumptions)
        return f"{self.derivation}\n\nAssumed:\n{assumed}"

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        assumed = "\n".join(f"- {text}" for text in self.assumptions)
        return f"{self.derivation.markdown()}\n\nAssumed:\n\n{assumed}"


@dataclass(frozen=True, eq=False)
@result
class Prediction:
    """The predictions of several theories at the same widths.

    Attributes
    ----------
    features : Features
        What was asked about.
    m : int, or ndarray of int, shape (k,)
        Width or widths, as asked.
    estimates : mapping of str to Estimate
        The numbers of each theory, by name.
    records : mapping of str to Theory
        The record of each theory, by name.
    notes : tuple of str
        Why a theory is left out or has no loss at a width.

    Examples
    --------
    >>> from theory.frequencies import Frequencies
    >>> from theory.registry import predict
    >>> prediction = predict(Frequencies.power_law(1000, alpha=1.0), m=[10, 100], theory="weak")
    >>> prediction.loss["weak"].round(3)
    array([0.81 , 0.409])
    >>> prediction.expression("weak", limit="leading")
    4*log(n/m)/(3*log(n))
    """

    features: Features
    m: Values
    estimates: Mapping[str, Estimate]
    records: Mapping[str, Theory]
    notes: tuple[str, ...] = ()

    @property
    def theories(self) -> tuple[str, ...]:
        """Names of the theories, in order."""
        return tuple(self.estimates)

    @property
    def loss(self) -> Mapping[str, Values]:
        """Predicted loss by theory name: a number for one width, an array for a list of them."""
        return ReadOnlyMapping({name: e.loss for name, e in self.estimates.items()})

    @property
    def exponent(self) -> Mapping[str, Values]:
        """Local exponent -d ln L / d ln m by theory name, a number or an array as ``loss``."""
        return ReadOnlyMapping({name: e.exponent for name, e in self.estimates.items()})

    @property
    def parts(self) -> Mapping[str, Mapping[str, Values]]:
        """Named contributions to the loss, by theory name."""
        return ReadOnlyMapping({name: e.parts for name, e in self.estimates.items()})

    @property
    def kept(self) -> Mapping[str, Values]:
        """Number of features kept by theory name: m in weak superposition, live ones if solved.

        Theories that do not say are left out.

        Examples
        --------
        >>> from theory.frequencies import Frequencies
        >>> from theory.registry import predict
        >>> predict(Frequencies.linear(100), [10, 20], theory="weak").kept["weak"]
        array([10., 20.])
        """
        kept = {}
        for name, estimate in self.estimates.items():
            if estimate.details:
                counts = [np.nan if one is None else float(one.live) for one in estimate.details]
            elif self.records[name].superposition == "weak":
                counts = [float(width) for width in np.atleast_1d(self.m)]
            else:
                continue
            kept[name] = np.array(counts) if np.ndim(self.m) else counts[0]
        return ReadOnlyMapping(kept)

    def __getitem__(self, theory: str) -> Estimate:
        self._check(theory)
        return self.estimates[theory]

    @check_kinds
    def derivation(self, theory: str | None = None) -> Derivation:
        """Return how a theory's loss is derived, step by step.

        Examples
        --------
        >>> from theory.frequencies import Frequencies
        >>> from theory.registry import predict
        >>> p = predict(Frequencies.linear(100), 10, theory="weak")
        >>> p.derivation()["lost feature at its best"]
        -p**2 + 4*p/3
        """
        return self.records[self._only(theory)].derive(self.features)

    @check_kinds
    def expression(
        self, theory: str | None = None, *, of: Of = "loss", limit: Limit = "exact"
    ) -> Any:
        """Return the sympy expression behind the numbers.

        Parameters
        ----------
        theory : str, optional
            Name; may be left out if there is only one.
        of : {"loss", "exponent"}
            Which quantity.
        limit : {"exact", "infinite_n", "leading"}
            The exact expression, its limit n → ∞ at fixed m, or its leading term (the derivation
            says where it holds).

        Returns
        -------
        sympy.Expr
            In plain symbols m, n and alpha (or s, the scale); the density E is inserted.
            ``PowerSum(s, a, b)`` is Σ i^-s over i = a..b; it evaluates, differentiates, lambdifies,
            and ``.rewrite(sympy.zeta)`` gives Hurwitz zeta functions.

        Raises
        ------
        ValueError
            If this theory has no such expression; the message lists those it has.

        Examples
        --------
        >>> from theory.frequencies import Frequencies
        >>> from theory.registry import predict
        >>> f = Frequencies.power_law(1000, alpha=1.5)
        >>> predict(f, 10, "weak").expression(of="exponent", limit="leading").subs({"alpha": 1.5})
        0.500000000000000
        """
        name = self._only(theory)
        expressions = self.derivation(name).expressions
        if (of, limit) not in expressions:
            have = ", ".join(f"of={o!r} limit={w!r}" for o, w in expressions) or "none"
            raise ValueError(
                f"theory {name!r} has no expression of={of!r}, limit={limit!r} for "
                f"{self.features.frequencies.law} frequencies; it has: {have}"
            )
        value = sp.Rational(repr(self.features.density))
        return plain(expressions[of, limit].subs(density, value))

    @check_kinds
    def latex(self, theory: str | None = None, *, of: Of = "loss", limit: Limit = "exact") -> str:
        r"""Return ``expression(...)`` as LaTeX.

        Examples
        --------
        >>> from theory.frequencies import Frequencies
        >>> from theory.registry import predict
        >>> f = Frequencies.power_law(1000, alpha=1.5)
        >>> print(predict(f, 10, "strong_skewed").latex(of="exponent"))
        2 \alpha - 2
        """
        return str(sp.latex(self.expression(theory, of=of, limit=limit), ln_notation=True))

    @check_kinds
    def explain(self, theory: str | None = None) -> Explanation:
        """Return the derivation step by step, and what is assumed; print it or look at it.

        Parameters
        ----------
        theory : str, optional
            Name; may be left out if there is only one.

        Examples
        --------
        >>> from theory.frequencies import Frequencies
        >>> from theory.registry import predict
        >>> text = str(predict(Frequencies.linear(100), 10, "weak").explain())
        >>> text.splitlines()[-2:]  # doctest: +ELLIPSIS
        ['- every other feature has W_i = 0 and its best constant output', '- the leading term ...']
        """
        name = self._only(theory)
        return Explanation(self.derivation(name), self.estimates[name].assumptions)

    def _only(self, theory: str | None) -> str:
        if theory is not None:
            self._check(theory)
            return theory
        if len(self.estimates) > 1:
            raise ValueError(f"name one of the theories: {', '.join(self.theories)}")
        return self.theories[0]

    def _check(self, theory: str) -> None:
        if theory not in self.estimates:
            raise ValueError(
                f"theory {theory!r} is not in this prediction: it has {', '.join(self.theories)}"
            )

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each width and theory.

        Examples
        --------
        >>> from theory.frequencies import Frequencies
        >>> from theory.registry import predict
        >>> predict(Frequencies.linear(100), [10], theory="weak").to_dataframe().round(3)
            m theory   loss  exponent
        0  10   weak  1.072      0.22
        """
        columns: dict[str, list[Any]] = {"m": [], "theory": [], "loss": [], "exponent": []}
        for k, width in enumerate(np.atleast_1d(self.m)):
            for name, estimate in self.estimates.items():
                columns["m"].append(int(width))
                columns["theory"].append(name)
                columns["loss"].append(float(np.atleast_1d(estimate.loss)[k]))
                columns["exponent"].append(float(np.atleast_1d(estimate.exponent)[k]))
        return pd.DataFrame(columns)

    def _wide(self) -> pd.DataFrame:
        """Return one row for each width; theories have no column for what they do not give."""
        columns: dict[str, Any] = {"m": np.atleast_1d(self.m)}
        for what in ("loss", "exponent"):
            for name, values in getattr(self, what).items():
                array = np.atleast_1d(np.asarray(values, dtype=float))
                if np.isfinite(array).any():
                    columns[f"{what} {name}"] = array
        return pd.DataFrame(columns)

    def __str__(self) -> str:
        wide = self._wide()
        # Losses beside exponents, or above them where a terminal has no room for both.
        tables = [wide]
        if len(wide.to_string(index=False).partition("\n")[0]) > TERMINAL:
            pair = (wide.filter(regex=f"^(m$|{what} )") for what in ("loss", "exponent"))
            tables = [one for one in pair if one.shape[1] > 1]
        rows = 20 if len(tables) == 1 else 8
        table = "\n\n".join(short_table(one, rows, na_rep="-") for one in tables)
        notes = (f"note: {text}" for text in self.notes)
        return "\n".join([self._heading(), table, *notes])

    def _repr_html_(self) -> str:
        table = self._wide().to_html(
            index=False, max_rows=30, float_format="{:.4g}".format, na_rep="-"
        )
        texts = [self._heading(), *(f"note: {text}" for text in self.notes)]
        lines = "".join(f"<p>{escape(text)}</p>" for text in texts)
        return f"{lines}{table}"

    def _heading(self) -> str:
        features = self.features
        ordinary = features == Features(features.frequencies)
        return f"{features.frequencies}" + ("" if ordinary else f"; {features!r}")

    def plot(self, ax: Any = None) -> Any:
        """Draw each predicted loss against m, on logarithmic axes; return the axes.

        Between the widths curves are interpolated by losses and local exponents
        (``theory.figures.loss_curve``); published slopes, which come without a loss, are drawn
        through the middle of the first theory's losses.
        """
        ax = open_axes(ax)
        widths = np.atleast_1d(self.m)
        losses = {name: np.atleast_1d(e.loss) for name, e in self.estimates.items()}
        for name, estimate in self.estimates.items():
            if np.isfinite(losses[name]).any():
                draw_theory(ax, self.records[name], widths, estimate)
        known = [x for x in losses.values() if np.count_nonzero(np.isfinite(x) & (x > 0)) > 1]
        if known:
            for name, estimate in self.estimates.items():
                if not estimate.has_loss:
                    draw_slope(ax, self.records[name], estimate, widths, known[0])
        title = textwrap.shorten(self._heading(), 70, placeholder=" …")
        return finish(ax, WIDTH, LOSS, log="xy", title=title)


def draw_theory(
    ax: Any, record: Theory, widths: Any, estimate: Estimate, color: str | None = None
) -> None:
    """Draw the losses of a theory as a smooth curve, or as points where it has single ones.

    Where the theory was checked against trained models and color tells curves apart no theories,
    a band shows the error that 90 % of those comparisons did not exceed.
    """
    options = record.line.options(color)
    loss, exponent = np.atleast_1d(estimate.loss), np.atleast_1d(estimate.exponent)
    # A logarithmic axis has no place for a loss of 0.
    shown = np.where(loss > 0, loss, np.nan)
    curve_m, curve_loss = interpolate_loss(widths, loss, exponent)
    if np.count_nonzero(np.isfinite(shown)) < 2:
        ax.plot(widths, shown, label=record.line.label, **options | {"marker": "D", "ls": ""})
        return
    evidence = record.evidence
    if record.cost == "solver" and evidence is not None and color is None:
        off = evidence.of_90_percent
        ax.fill_between(
            curve_m, curve_loss * (1 - off), curve_loss * (1 + off), color=options["color"],
            alpha=0.2, linewidth=0, label=f"± {100 * off:.1f} %: 90 % of {evidence.cells} checks",
        )  # fmt: skip
    ax.plot(curve_m, curve_loss, label=record.line.label, markevery=POINTS, **options)


def draw_slope(ax: Any, record: Theory, estimate: Estimate, widths: Any, loss: Any) -> None:
    """Draw the exponent of a theory without a loss, through the middle of the losses given."""
    good = np.isfinite(loss) & (loss > 0)
    exponent = float(np.atleast_1d(estimate.exponent)[0])
    x = np.log(widths[good].astype(float))
    height = float((np.log(loss[good]) + exponent * x).mean())
    ends = np.array([x.min(), x.max()])
    label = f"{record.line.label}: slope −{exponent:g}, height fitted"
    ax.plot(
        np.exp(ends), np.exp(height - exponent * ends), lw=1, label=label, **record.line.options()
    )
