"""Predictions as values: what each theory says at each width, with its expression and derivation.

``theory.registry.predict`` makes a ``Prediction``; this module says what one can be asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import sympy as sp

from theory.derivation import Derivation, density, plain
from theory.estimate import Estimate, Theory, Values
from theory.features import Features
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

    Examples
    --------
    >>> from theory.frequencies import Frequencies
    >>> from theory.registry import predict
    >>> prediction = predict(Frequencies.power_law(1000, alpha=1.0), m=[10, 100])
    >>> prediction.loss["weak"].round(3)
    array([0.81 , 0.409])
    >>> prediction.expression("weak", limit="leading")
    4*log(n/m)/(3*log(n))
    """

    features: Features
    m: Values
    estimates: Mapping[str, Estimate]
    records: Mapping[str, Theory]

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
        >>> predict(f, 10).expression("weak", of="exponent", limit="leading").subs({"alpha": 1.5})
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

    def latex(self, theory: str | None = None, *, of: Of = "loss", limit: Limit = "exact") -> str:
        r"""Return ``expression(...)`` as LaTeX.

        Examples
        --------
        >>> from theory.frequencies import Frequencies
        >>> from theory.registry import predict
        >>> f = Frequencies.power_law(1000, alpha=1.5)
        >>> print(predict(f, 10).latex("strong_skewed", of="exponent"))
        2 \alpha - 2
        """
        return str(sp.latex(self.expression(theory, of=of, limit=limit)))

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
        >>> text = str(predict(Frequencies.linear(100), 10).explain("weak"))
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

    def __str__(self) -> str:
        table = short_table(self.to_dataframe())
        return f"{self._heading()}\n{table}"

    def _heading(self) -> str:
        features = self.features
        ordinary = features == Features(features.frequencies)
        return f"{features.frequencies}" + ("" if ordinary else f"; {features!r}")

    def plot(self, ax: Any = None) -> Any:
        """Draw each predicted loss against m, on logarithmic axes; return the axes."""
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots()
        order = np.argsort(np.atleast_1d(self.m))
        m = np.atleast_1d(self.m)[order]
        for name, estimate in self.estimates.items():
            loss = np.atleast_1d(estimate.loss)[order]
            if np.isfinite(loss).any():
                line = self.records[name].line
                # One point has no line to be seen by.
                options = line.options() | ({} if m.size > 1 else {"marker": line.marker or "o"})
                # A logarithmic axis has no place for a loss of 0.
                ax.plot(m, np.where(loss > 0, loss, np.nan), label=line.label, **options)
        ax.set(xscale="log", yscale="log", xlabel="width m", ylabel="loss")
        ax.legend()
        return ax
