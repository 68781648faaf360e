"""Predictions as values: what each theory says at each width, with its expression and derivation.

Use ``theories.predict`` to make a ``Prediction``; this module says what one can be asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import pandas as pd
import sympy as sp
from numpy.typing import NDArray

from theory.derivation import Derivation, density, plain
from theory.frequencies import Frequencies

Of = Literal["loss", "exponent"]
Limit = Literal["exact", "infinite_n", "leading"]


@dataclass(frozen=True, eq=False)
class Estimate:
    """What one theory says at each width.

    Attributes
    ----------
    theory : str
        Its name.
    m : ndarray of int, shape (k,)
        Widths.
    loss : ndarray, shape (k,)
        Predicted loss, summed over features; NaN where the theory gives none.
    exponent : ndarray, shape (k,)
        Local exponent -d ln L / d ln m.
    parts : mapping of str to ndarray
        Named contributions that sum to the loss.
    assumptions : tuple of str
        What was assumed, and where it is claimed to hold.
    expressions : mapping
        Sympy expressions, keyed by (of, limit).
    derivation : Derivation
        Step by step.
    details : tuple
        For each width what was solved for (``MeanField``), where a theory solves.
    """

    theory: str
    m: NDArray[np.int64]
    loss: NDArray[np.float64]
    exponent: NDArray[np.float64]
    parts: Mapping[str, NDArray[np.float64]]
    assumptions: tuple[str, ...]
    expressions: Mapping[tuple[str, str], Any]
    derivation: Derivation
    details: tuple[Any, ...] = ()


@dataclass(frozen=True, eq=False)
class Prediction:
    """The predictions of several theories at the same widths.

    Attributes
    ----------
    frequencies : Frequencies
        What was asked about.
    m : ndarray of int
        Widths.
    estimates : mapping of str to Estimate
        One for each theory, by name.

    Examples
    --------
    >>> from theory.registry import predict
    >>> prediction = predict(Frequencies.power_law(1000, alpha=1.0), m=[10, 100])
    >>> prediction.loss["weak"].round(3)
    array([0.81 , 0.409])
    >>> prediction.expression("weak", limit="leading")
    4*log(n/m)/(3*log(n))
    """

    frequencies: Frequencies
    m: NDArray[np.int64]
    estimates: Mapping[str, Estimate]

    @property
    def theories(self) -> tuple[str, ...]:
        """Names of the theories, in order."""
        return tuple(self.estimates)

    @property
    def loss(self) -> Mapping[str, NDArray[np.float64]]:
        """Predicted loss by theory name, one value for each width."""
        return MappingProxyType({name: e.loss for name, e in self.estimates.items()})

    @property
    def exponent(self) -> Mapping[str, NDArray[np.float64]]:
        """Local exponent -d ln L / d ln m by theory name, one value for each width."""
        return MappingProxyType({name: e.exponent for name, e in self.estimates.items()})

    @property
    def parts(self) -> Mapping[str, Mapping[str, NDArray[np.float64]]]:
        """Named contributions to the loss, by theory name."""
        return MappingProxyType({name: e.parts for name, e in self.estimates.items()})

    def __getitem__(self, theory: str) -> Estimate:
        if theory not in self.estimates:
            raise ValueError(
                f"theory {theory!r} is not in this prediction: it has {', '.join(self.theories)}"
            )
        return self.estimates[theory]

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
        >>> from theory.registry import predict
        >>> f = Frequencies.power_law(1000, alpha=1.5)
        >>> predict(f, 10).expression("weak", of="exponent", limit="leading").subs({"alpha": 1.5})
        0.500000000000000
        """
        estimate = self[self._only(theory)]
        if (of, limit) not in estimate.expressions:
            have = ", ".join(f"of={o!r} limit={w!r}" for o, w in estimate.expressions) or "none"
            raise ValueError(
                f"theory {estimate.theory!r} has no expression of={of!r}, limit={limit!r} for "
                f"{self.frequencies.law} frequencies; it has: {have}"
            )
        value = sp.Rational(repr(self.frequencies.density))
        return plain(estimate.expressions[of, limit].subs(density, value))

    def latex(self, theory: str | None = None, *, of: Of = "loss", limit: Limit = "exact") -> str:
        r"""Return ``expression(...)`` as LaTeX.

        Examples
        --------
        >>> from theory.registry import predict
        >>> f = Frequencies.power_law(1000, alpha=1.5)
        >>> print(predict(f, 10).latex("strong_skewed", of="exponent"))
        2 \alpha - 2
        """
        return str(sp.latex(self.expression(theory, of=of, limit=limit)))

    def explain(self, theory: str | None = None) -> None:
        """Print the derivation step by step, and what is assumed.

        The steps as values are in ``prediction[theory].derivation``.
        """
        estimate = self[self._only(theory)]
        print(estimate.derivation, "\n\nAssumed:")
        for text in estimate.assumptions:
            print(f"- {text}")

    def _only(self, theory: str | None) -> str:
        if theory is not None:
            return theory
        if len(self.estimates) > 1:
            raise ValueError(f"name one of the theories: {', '.join(self.theories)}")
        return self.theories[0]

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each width and theory.

        Examples
        --------
        >>> from theory.registry import predict
        >>> predict(Frequencies.linear(100), [10], theory="weak").to_dataframe().round(3)
            m theory   loss  exponent
        0  10   weak  1.072      0.22
        """
        columns: dict[str, list[Any]] = {"m": [], "theory": [], "loss": [], "exponent": []}
        for k, width in enumerate(self.m):
            for name, estimate in self.estimates.items():
                columns["m"].append(int(width))
                columns["theory"].append(name)
                columns["loss"].append(float(estimate.loss[k]))
                columns["exponent"].append(float(estimate.exponent[k]))
        return pd.DataFrame(columns)

    def __str__(self) -> str:
        return f"{self.frequencies}\n{self.to_dataframe().to_string(index=False)}"

    def _repr_html_(self) -> str:
        return str(self.to_dataframe().to_html(index=False))

    def plot(self, ax: Any = None) -> Any:
        """Draw each predicted loss against m, on logarithmic axes; return the axes."""
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots()
        for name, estimate in self.estimates.items():
            if np.isfinite(estimate.loss).any():
                ax.plot(self.m, estimate.loss, label=name)
        ax.set(xscale="log", yscale="log", xlabel="width m", ylabel="loss")
        ax.legend()
        return ax
