"""How often each feature occurs: p_1 >= p_2 >= ... >= p_n, and exact sums over their tails.

Use ``Frequencies.power_law``, ``.exponential`` or ``.linear`` for a law, ``.from_counts`` for
measured counts (words, tokens), ``.from_probabilities`` for a list of your own. Laws never build
the list unless ``p`` is read, so n may be 10^9.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.checks import check_finite, check_integer, check_numbers, check_real, read_only, shown
from theory.computing.argument_kinds import check_kinds
from theory.rank_frequency.weights import check_density, tail_sums, weight, weight_sum
from theory.results import result

Law = Literal["power_law", "exponential", "linear", "table"]

_LARGEST_LIST = 10**8
# Ranks are exact in float64 up to 2^53.
_LARGEST_N = 10**15
# 2^-alpha is 0 in float64 beyond 1074.
_STEEPEST = 1000.0


@dataclass(frozen=True, eq=False)
@result
class Frequencies:
    """Activation frequencies p_1 >= ... >= p_n in (0, 1] with activation density E = Σ p_i.

    Theories go by rank (``p``); what is paired with the rows of a matrix goes by the order in which
    the list was given (``p_as_given``). The two differ only for lists that are not sorted.

    (A p_i below 1e-308 is stored as 0.)

    Build one with a constructor below; the fields are for reading.

    Attributes
    ----------
    n : int
        Number of features.
    density : float
        Activation density E, the expected number of active features per sample.
    law : {"power_law", "exponential", "linear", "table"}
        Form of the list; "table" for counts and lists.
    parameter : float or None
        The exponent alpha of a power law, the scale s of an exponential one, else None.
    dropped : int
        How many zero counts were left out by ``from_counts``.

    Examples
    --------
    >>> words = Frequencies.power_law(n=1000, alpha=1.0)
    >>> words.p[:3].round(4)
    array([0.1336, 0.0668, 0.0445])
    >>> float(words.tail_sum(10).round(4))        # Σ_{i > 10} p_i
    0.6087
    """

    n: int
    density: float
    law: Law
    parameter: float | None = None
    dropped: int = 0
    _table: NDArray[np.float64] | None = field(default=None, repr=False)
    # Of a list that was not sorted: the place in it of each rank, from 0.
    _order: NDArray[np.int64] | None = field(default=None, repr=False)

    # ---- constructors -------------------------------------------------------------------

    @classmethod
    @check_kinds
    def power_law(cls, n: int, alpha: float, density: float = 1.0) -> Frequencies:
        """p_i = E i^-alpha / H_n^(alpha), for any alpha >= 0 (0: even; 1: Zipf).

        Raises
        ------
        ValueError
            If n < 1, alpha is not from 0 to 1000 (2^-alpha is 0 in floats beyond), density <= 0,
            or the density would put p_1 above 1; the message names the largest density possible.

        Examples
        --------
        >>> Frequencies.power_law(4, alpha=0).p
        array([0.25, 0.25, 0.25, 0.25])
        >>> Frequencies.power_law(1000, alpha=1.0, density=8)
        Traceback (most recent call last):
            ...
        ValueError: density = 8 would put the top frequency p_1 at 1.06874, above 1: \
the largest density possible here is 7.48547
        """
        return cls._from_law(n, density, "power_law", check_real("alpha", alpha, 0.0, _STEEPEST))

    @classmethod
    @check_kinds
    def exponential(cls, n: int, scale: float, density: float = 1.0) -> Frequencies:
        """p_i ∝ exp(-i / scale), scale > 0 in ranks.

        Examples
        --------
        >>> Frequencies.exponential(10240, scale=400).p[:2].round(6)
        array([0.002497, 0.002491])
        """
        scale = check_real("scale", scale, 0.0, 1e100, strict=True)
        return cls._from_law(n, density, "exponential", scale)

    @classmethod
    @check_kinds
    def linear(cls, n: int, density: float = 1.0) -> Frequencies:
        """p_i ∝ n + 1 - i.

        Examples
        --------
        >>> Frequencies.linear(3).p.round(4)
        array([0.5   , 0.3333, 0.1667])
        """
        return cls._from_law(n, density, "linear", None)

    @classmethod
    @check_kinds
    def from_counts(
        cls, counts: ArrayLike, density: float = 1.0, top: int | None = None
    ) -> Frequencies:
        """Frequencies in proportion to counts: zeros dropped, rescaled to Σ p_i = density.

        ``p`` has them by rank, ``p_as_given`` in the order of the counts.

        Parameters
        ----------
        counts : array_like, shape (k,)
            Occurrences of each feature, >= 0, in any order (relative frequencies will do).
        density : float
            Activation density E.
        top : int, optional
            Keep only this many of the most frequent.

        Raises
        ------
        ValueError
            For negative, NaN or infinite counts, for no positive count, for ``top`` above their
            number, and for a density that puts p_1 above 1 (names the largest possible).

        Examples
        --------
        >>> f = Frequencies.from_counts([2, 0, 6, 0])
        >>> f.p, f.dropped
        (array([0.75, 0.25]), 2)
        """
        array = check_finite("counts", counts)
        negative = np.flatnonzero(array < 0)
        if negative.size:
            i = negative[0]
            raise ValueError(f"counts[{i}] = {array[i]:g} is not allowed: counts are at least 0")
        positive = array[array > 0]
        if positive.size == 0:
            raise ValueError("every count is 0: give at least one positive count")
        dropped = array.size - positive.size
        if top is not None:
            kept = _rank(positive)[: check_integer("top", top, 1, positive.size)]
            positive = positive[np.sort(kept)]
        density = check_real("density", density, 0.0, strict=True)
        order = _rank(positive)
        weights = positive[order] / positive.max()
        check_density(density, float(weights.sum()))
        return cls._from_table(weights * (density / weights.sum()), density, dropped, order)

    @classmethod
    @check_kinds
    def from_probabilities(cls, p: ArrayLike) -> Frequencies:
        """Take a list of frequencies as it is, in any order, each in (0, 1].

        ``p`` has them by rank, ``p_as_given`` in the order of the list.

        Examples
        --------
        >>> f = Frequencies.from_probabilities([0.2, 0.5])
        >>> f.density, f.p, f.p_as_given
        (0.7, array([0.5, 0.2]), array([0.2, 0.5]))
        """
        array = check_finite("p", p)
        bad = np.flatnonzero((array <= 0) | (array > 1))
        if bad.size:
            raise ValueError(
                f"p[{bad[0]}] = {array[bad[0]]:g} is not allowed: a frequency is above 0 and at "
                "most 1 (use from_counts to rescale counts)"
            )
        order = _rank(array)
        p = array[order]
        return cls._from_table(p, float(np.sum(p, dtype=np.longdouble)), order=order)

    @classmethod
    def _from_law(cls, n: int, density: float, law: Law, parameter: float | None) -> Frequencies:
        n = check_integer("n", n, 1, _LARGEST_N)
        density = check_real("density", density, 0.0, strict=True)
        new = cls(n, density, law, parameter)
        check_density(density, float(new._weight_sum(1, 1) / new._weight(np.ones(1))[0]))
        return new

    @classmethod
    def _from_table(
        cls,
        p: NDArray[np.float64],
        density: float,
        dropped: int = 0,
        order: NDArray[np.int64] | None = None,
    ) -> Frequencies:
        if order is not None and np.array_equal(order, np.arange(p.size)):
            order = None
        given = None if order is None else read_only(order)
        return cls(p.size, density, "table", None, dropped, read_only(np.minimum(p, 1.0)), given)

    # ---- values -------------------------------------------------------------------------

    @cached_property
    def p(self) -> NDArray[np.float64]:
        """The list p_1..p_n itself, read-only; refused above n = 10^8 (use ``tail_sum``)."""
        if self._table is not None:
            return self._table
        if self.n > _LARGEST_LIST:
            raise ValueError(
                f"a list of n = {self.n} frequencies is not built (the limit is {_LARGEST_LIST}): "
                "use tail_sum, which needs no list"
            )
        return read_only(self.frequency(np.arange(1, self.n + 1)))

    @cached_property
    def p_as_given(self) -> NDArray[np.float64]:
        """The list in the order in which it was given; that of ``p`` for a law. Read-only.

        Row i of a matrix W belongs to feature i of this list.
        """
        return self.p if self._order is None else read_only(self.as_given(self.p))

    @cached_property
    def ranked(self) -> Frequencies:
        """The same frequencies as a list that was given by rank."""
        return self if self._order is None else replace(self, _order=None)

    @check_kinds
    def as_given(self, ranked: NDArray[Any]) -> NDArray[Any]:
        """Return values by rank, shape (n, …), in the order in which the list was given.

        Examples
        --------
        >>> Frequencies.from_probabilities([0.2, 0.5]).as_given(np.array(["first", "second"]))
        array(['second', 'first'], dtype='<U6')
        """
        ranked = self._check_rows("ranked", ranked)
        if self._order is None:
            return ranked
        given = np.empty_like(ranked)
        given[self._order] = ranked
        return given

    @check_kinds
    def by_rank(self, given: NDArray[Any]) -> NDArray[Any]:
        """Return values in the order in which the list was given, shape (n, …), by rank.

        Examples
        --------
        >>> Frequencies.from_probabilities([0.2, 0.5]).by_rank(np.array([20, 50]))
        array([50, 20])
        """
        given = self._check_rows("given", given)
        return given if self._order is None else given[self._order]

    def _check_rows(self, name: str, values: ArrayLike) -> NDArray[Any]:
        try:
            array = np.asarray(values)
        except ValueError:  # rows of several lengths
            array = np.zeros(0)
        if array.shape[:1] != (self.n,):
            raise ValueError(f"{name} = {shown(values)}: give an array of {self.n} rows, one each")
        return array

    @property
    def largest(self) -> float:
        """The top frequency p_1."""
        return float(self.frequency(1))

    @check_kinds
    def frequency(self, i: ArrayLike) -> NDArray[np.float64]:
        """Return p_i at ranks i (1..n), without building the list.

        Examples
        --------
        >>> Frequencies.linear(10**9).frequency([1, 10**9])
        array([2.e-09, 2.e-18])
        """
        ranks = check_numbers("i", i)
        if not np.all((ranks >= 1) & (ranks <= self.n) & (ranks == np.floor(ranks))):
            raise ValueError(
                f"rank i = {ranks} is not allowed: give whole ranks from 1 to {self.n}"
            )
        if self._table is not None:
            return self._table[ranks.astype(np.int64) - 1]
        weights = self._weight(ranks.astype(np.float64))
        return np.minimum(weights * (self.density / float(self._weight_sum(1, 1))), 1.0)

    @property
    def exponent(self) -> float | None:
        """The exponent alpha of a power law, else None."""
        return self.parameter if self.law == "power_law" else None

    @check_kinds
    def tail_sum(self, r: ArrayLike, power: int = 1) -> NDArray[np.float64]:
        """Σ_{i > r} p_i^power for power 1 or 2, without cancellation.

        Parameters
        ----------
        r : int or array_like of int
            How many of the most frequent features to leave out, 0 <= r <= n.
        power : {1, 2}
            1 for the lost frequency, 2 for the sum of squares.

        Returns
        -------
        float or ndarray
            One sum for each r.

        Examples
        --------
        >>> Frequencies.power_law(10**9, alpha=1.0).tail_sum([0, 10**9 - 1])
        array([1.00000000e+00, 4.69472955e-11])
        """
        r = check_numbers("r", r)
        power = check_integer("power", power, 1, 2)
        if r.size and not (np.all(r >= 0) and np.all(r <= self.n) and np.all(r == np.floor(r))):
            raise ValueError(f"r = {r} is not allowed: give whole numbers from 0 to {self.n}")
        if self._table is not None:
            return self._table_tails[power - 1][r.astype(np.int64)]
        total = self._weight_sum(1, 1)
        return self.density**power * self._weight_sum(power, r + 1.0) / total**power

    @cached_property
    def _table_tails(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return tail_sums(self.p), tail_sums(self.p**2)

    def _weight(self, i: NDArray[np.float64]) -> NDArray[np.float64]:
        return weight(self.law, self.parameter, self.n, i)

    def _weight_sum(self, power: int, a: ArrayLike) -> NDArray[np.float64]:
        return weight_sum(self.law, self.parameter, self.n, power, a)

    # ---- a record of it -----------------------------------------------------------------

    def describe(self) -> dict[str, Any]:
        """Return the settings that rebuild a law (for a table: a description only).

        Examples
        --------
        >>> Frequencies.power_law(10, alpha=0.5).describe()
        {'law': 'power_law', 'n': 10, 'density': 1.0, 'alpha': 0.5}
        """
        record: dict[str, Any] = {"law": self.law, "n": self.n, "density": self.density}
        name = {"power_law": "alpha", "exponential": "scale"}.get(self.law)
        if name:
            record[name] = self.parameter
        if self.dropped:
            record["zeros_dropped"] = self.dropped
        return record

    @classmethod
    @check_kinds
    def from_description(cls, record: Mapping[str, Any], p: ArrayLike) -> Frequencies:
        """Rebuild from what ``describe`` returned and the list ``p_as_given``.

        Examples
        --------
        >>> f = Frequencies.from_counts([1, 0, 3])
        >>> Frequencies.from_description(f.describe(), f.p_as_given) == f
        True
        """
        if not {"n", "density", "law"} <= record.keys():
            raise ValueError(f"record = {shown(record)}: give what describe() returned")
        n, density = record["n"], record["density"]
        if record["law"] == "power_law":
            return cls.power_law(n, record["alpha"], density)
        if record["law"] == "exponential":
            return cls.exponential(n, record["scale"], density)
        if record["law"] == "linear":
            return cls.linear(n, density)
        table = cls.from_probabilities(p)
        dropped = record.get("zeros_dropped", 0)
        return cls._from_table(table.p, density, dropped, table._order)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Frequencies):
            return NotImplemented
        if (self._table is None) != (other._table is None) or self.n != other.n:
            return False
        if self._table is not None and other._table is not None:
            return bool(np.array_equal(self.p_as_given, other.p_as_given))
        return self.describe() == other.describe()

    def __hash__(self) -> int:
        return hash((self.n, self.law, self.parameter))

    def __str__(self) -> str:
        what = {
            "power_law": f"power law, alpha = {self.parameter}",
            "exponential": f"exponential, scale = {self.parameter}",
            "linear": "linear",
            "table": "table",
        }[self.law]
        zeros = f", {self.dropped} zero counts dropped" if self.dropped else ""
        return f"{what}: n = {self.n}, E = {self.density:g}, p_1 = {self.largest:.4g}{zeros}"


def _rank(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the places of values from the largest to the least, equal ones as they stand."""
    return np.argsort(-values, kind="stable")
