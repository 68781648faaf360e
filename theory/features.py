"""What the model is shown: frequencies, law of v, importances, dependence: ``Features``.

Every loss, trainer and theory takes ``Features``, and its dependence or says that it cannot. A bare
``Frequencies`` stands for independent, equally important features with v ~ U(0, 2); ``as_features``
makes that promotion. ``Features.exclusive``, ``.hierarchy``, ``.mixture``, ``.common_cause``
and ``.from_samples`` make features that depend on each other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.activation import UNIFORM, Activation
from theory.checks import check_importance, check_real, read_only, shown
from theory.computing.argument_kinds import check_kinds
from theory.dependence.forest import Forest, check_marginals
from theory.dependence.samples import FitOptions, fit_samples
from theory.dependence.structures import (
    common_cause_forest,
    exclusive_forest,
    hierarchy_forest,
    mixture_forest,
)
from theory.frequencies import Frequencies
from theory.results import result


@dataclass(frozen=True, eq=False, init=False)
@result
class Features:
    """Features x_i = u_i v_i, u_i ~ Bernoulli(p_i), with importances I_i; independent by default.

    The loss of the toy model is L = Σ_i I_i ⟨(y_i - x_i)²⟩ (arXiv 2209.10652; all I_i = 1 in
    arXiv 2505.10465).

    Parameters
    ----------
    frequencies : Frequencies
        How often each feature occurs, p_1 >= ... >= p_n.
    activation : Activation
        The law of v, the size of an active feature; U(0, 2) by default.
    importance : array_like, shape (n,), optional
        I_i >= 0, the weight of feature i's squared error, in the order in which frequencies were
        given (``p``); 1 each by default.
    dependence : Forest, optional
        Which features are on together, in the same order; its marginals are the frequencies. The
        sizes v stay independent of it and of each other.

    Attributes
    ----------
    frequencies, activation, dependence
        As given; ``dependence`` is None for independent features.
    importance : ndarray, shape (n,), or None
        Read-only; None where every I_i is 1.

    Raises
    ------
    TypeError
        If ``frequencies`` is not a ``Frequencies``, ``activation`` not an ``Activation`` or
        ``dependence`` not a ``Forest``.
    ValueError
        If an importance is negative or not finite, all are 0, or their number is not n; if the
        marginals of the dependence are not the frequencies.

    Examples
    --------
    >>> words = Frequencies.power_law(n=4, alpha=1.0)
    >>> features = Features(words, Activation(0, 1), importance=[1, 0.5, 0.25, 0.125])
    >>> features
    Features(n=4, E=1, v in [0, 1], importance 1 to 0.125)
    >>> features.lost_losses.round(4)
    array([0.1024, 0.0328, 0.0117, 0.0046])
    """

    frequencies: Frequencies
    activation: Activation
    importance: NDArray[np.float64] | None
    dependence: Forest | None

    def __init__(
        self,
        frequencies: Frequencies,
        activation: Activation = UNIFORM,
        importance: ArrayLike | None = None,
        dependence: Forest | None = None,
    ) -> None:
        if not isinstance(frequencies, Frequencies):
            raise TypeError(
                f"frequencies = {frequencies!r} is not a Frequencies: make one with "
                "Frequencies.power_law, .from_counts or .from_probabilities"
            )
        if not isinstance(activation, Activation):
            raise TypeError(
                f"activation = {activation!r} is not an Activation: write Activation(low, high)"
            )
        object.__setattr__(self, "frequencies", frequencies)
        object.__setattr__(self, "activation", activation)
        object.__setattr__(self, "importance", check_importance(importance, frequencies.n))
        if dependence is not None:
            check_marginals(dependence, frequencies.p_as_given)
        object.__setattr__(self, "dependence", dependence)

    # ---- features that depend on each other -------------------------------------------------

    @classmethod
    @check_kinds
    def exclusive(
        cls,
        frequencies: Frequencies,
        sets: Iterable[Iterable[int]],
        activation: Activation = UNIFORM,
        importance: ArrayLike | None = None,
    ) -> Features:
        """Return sets of features of which at most one is on; the others are independent.

        ``sets`` holds lists of places in the list of frequencies, from 0; the frequencies of a set
        sum to at most 1.

        Examples
        --------
        >>> words = Frequencies.power_law(100, alpha=1.0)
        >>> Features.exclusive(words, [range(100)])             # exactly one at a time
        Features(n=100, E=1, v in [0, 2], Forest(100 features on 1 variable of 101 states, 0 edges))
        """
        forest = exclusive_forest(_list_of(frequencies), sets)
        return cls(frequencies, activation, importance, forest)

    @classmethod
    @check_kinds
    def hierarchy(
        cls,
        frequencies: Frequencies,
        parents: Iterable[int | None],
        activation: Activation = UNIFORM,
        importance: ArrayLike | None = None,
    ) -> Features:
        """Return features that occur only while their parents do, with p_child/p_parent.

        ``parents`` holds for each feature the place of its parent in the list, or None.

        Examples
        --------
        >>> f = Frequencies.from_probabilities([0.4, 0.2, 0.1])
        >>> Features.hierarchy(f, [None, 0, 1]).dependence
        Forest(3 features on 3 variables of 2 states, 2 edges)
        """
        return cls(
            frequencies, activation, importance, hierarchy_forest(_list_of(frequencies), parents)
        )

    @classmethod
    @check_kinds
    def mixture(
        cls,
        weights: ArrayLike,
        probabilities: ArrayLike,
        activation: Activation = UNIFORM,
        importance: ArrayLike | None = None,
    ) -> Features:
        """Return topics: one of K is on, and features are independent given which.

        ``weights``, shape (K,), are the probabilities of the topics; ``probabilities``, shape
        (K, n), how often each feature occurs under each.

        Examples
        --------
        >>> Features.mixture([0.5, 0.5], [[0.2, 0.2, 0], [0, 0, 0.4]]).p
        array([0.1, 0.1, 0.2])
        """
        forest = mixture_forest(weights, probabilities)
        frequencies = Frequencies.from_probabilities(forest.marginals)
        return cls(frequencies, activation, importance, forest)

    @classmethod
    @check_kinds
    def common_cause(
        cls,
        frequencies: Frequencies,
        groups: Iterable[Iterable[int]],
        causes: ArrayLike,
        without: ArrayLike = 0.0,
        activation: Activation = UNIFORM,
        importance: ArrayLike | None = None,
    ) -> Features:
        """Return groups of features, independent given the hidden cause of each group.

        A cause is on with probability q (``causes``, one number or one a group); a feature of its
        group (``groups``, lists of places) then occurs with (p - (1 - q) without)/q, else with
        ``without``. Features in no group are independent.

        Examples
        --------
        >>> f = Frequencies.power_law(20, alpha=1.0)
        >>> Features.common_cause(f, [range(10), range(10, 20)], causes=0.4).dependence
        Forest(20 features on 22 variables of 2 states, 20 edges)
        """
        forest = common_cause_forest(_list_of(frequencies), groups, causes, without)
        return cls(frequencies, activation, importance, forest)

    @classmethod
    @check_kinds
    def from_samples(
        cls, X: Any, *, importance: ArrayLike | None = None, **options: Unpack[FitOptions]
    ) -> Features:
        """Fit features to a sample of activations >= 0, dense or scipy sparse, samples by features.

        Frequencies, the law of v and the most likely tree (Chow and Liu 1968); columns that are
        never on are left out. ``fit_samples`` takes the same options (``tree``, ``least_gain``,
        ``cells``, ``scale``) and says more.

        Examples
        --------
        >>> rng = np.random.default_rng(0)
        >>> Features.from_samples(rng.random((1000, 5)) < 0.2, least_gain=4).dependence
        Forest(5 features on 5 variables of 2 states, 0 edges)
        """
        fit = fit_samples(X, **options)
        return cls(fit.frequencies, fit.activation, importance, fit.dependence)

    # ---- values -----------------------------------------------------------------------------

    @property
    def n(self) -> int:
        """Number of features."""
        return self.frequencies.n

    @property
    def p(self) -> NDArray[np.float64]:
        """Frequencies p_i in the order in which they were given, that of W's rows; shape (n,)."""
        return self.frequencies.p_as_given

    @cached_property
    def ranked(self) -> Features:
        """The same features by rank, p_1 >= ... >= p_n."""
        if self.frequencies.ranked is self.frequencies:
            return self
        by_rank = self.frequencies.by_rank
        importance = None if self.importance is None else by_rank(self.importance)
        forest = self.dependence
        if forest is not None:
            forest = forest.take(by_rank(np.arange(self.n)))
        return Features(self.frequencies.ranked, self.activation, importance, forest)

    @property
    def density(self) -> float:
        """Activation density E = Σ p_i."""
        return self.frequencies.density

    @property
    def has_equal_importance(self) -> bool:
        """Whether every I_i is 1."""
        return self.importance is None

    @property
    def is_independent(self) -> bool:
        """Whether features are on independently of each other."""
        return self.dependence is None

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """The importances I_i as an array of shape (n,), ones included; read-only."""
        return read_only(np.ones(self.n)) if self.importance is None else self.importance

    @cached_property
    def lost_losses(self) -> NDArray[np.float64]:
        """Loss I_i (⟨v²⟩ p_i - ⟨v⟩² p_i²) of each feature at its best constant output."""
        first, second = (float(self.activation.moment(k)) for k in (1, 2))
        return read_only(self.weights * (second * self.p - (first * self.p) ** 2))

    def describe(self) -> dict[str, Any]:
        """Return plain values for a record: lists of importances by their SHA-256 only.

        Examples
        --------
        >>> Features(Frequencies.linear(3)).describe()["activation"]
        {'low': 0.0, 'high': 2.0, 'shares': [1.0]}
        """
        v = self.activation
        record: dict[str, Any] = {
            "frequencies": self.frequencies.describe(),
            "activation": {"low": v.low, "high": v.high, "shares": list(v.shares)},
        }
        if self.importance is not None:
            record["importance"] = hashlib.sha256(self.importance.tobytes()).hexdigest()
        if self.dependence is not None:
            record["dependence"] = self.dependence.digest()
        return record

    @classmethod
    @check_kinds
    def from_description(
        cls,
        record: Mapping[str, Any],
        p: ArrayLike,
        importance: ArrayLike | None = None,
        dependence: Forest | None = None,
    ) -> Features:
        """Rebuild from what ``describe`` returned, the list p, the importances and the dependence.

        Examples
        --------
        >>> features = Features(Frequencies.linear(3), importance=[3, 2, 1])
        >>> Features.from_description(features.describe(), features.p, [3, 2, 1]) == features
        True
        """
        if not {"activation", "frequencies"} <= record.keys():
            raise ValueError(f"record = {shown(record)}: give what describe() returned")
        v = record["activation"]
        return cls(
            Frequencies.from_description(record["frequencies"], p),
            Activation(v["low"], v["high"], tuple(v["shares"])),
            importance,
            dependence,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Features):
            return NotImplemented
        return (
            self.frequencies == other.frequencies
            and self.activation == other.activation
            and np.array_equal(self.weights, other.weights)
            and self.dependence == other.dependence
        )

    def __hash__(self) -> int:
        importance = None if self.importance is None else self.importance.tobytes()
        return hash((self.frequencies, self.activation, importance, self.dependence))

    def __repr__(self) -> str:
        low, high = self.activation.low, self.activation.high
        law = f"v in [{low:g}, {high:g}]" + ("" if self.activation.is_uniform else " in steps")
        matter = ""
        if self.importance is not None:
            matter = f", importance {self.importance.max():g} to {self.importance.min():g}"
        together = "" if self.dependence is None else f", {self.dependence}"
        return f"Features(n={self.n}, E={self.density:g}, {law}{matter}{together})"


def importance_by_rank(
    frequencies: Frequencies, *, base: float | None = None, exponent: float | None = None
) -> NDArray[np.float64]:
    """Return importances I_i = base^i (as in arXiv 2209.10652) or i^exponent by the rank i.

    Parameters
    ----------
    frequencies : Frequencies
        Its order is that of the result: rank 1 is the most frequent feature.
    base, exponent : float
        One of them.

    Raises
    ------
    ValueError
        If both or neither are given, or an importance is negative or beyond floats.

    Examples
    --------
    >>> words = Frequencies.from_counts([1, 5, 3])
    >>> importance_by_rank(words, base=0.5)
    array([0.125, 0.5  , 0.25 ])
    """
    if (base is None) == (exponent is None):
        raise ValueError("give base, for base^i, or exponent, for i^exponent")
    ranks = np.arange(1.0, frequencies.p.size + 1)
    with np.errstate(over="ignore", invalid="ignore"):
        if base is not None:
            values = check_real("base", base, 0.0, strict=True) ** ranks
        else:
            values = ranks ** check_real("exponent", exponent)
    if not np.isfinite(values).all():
        raise ValueError(f"importances leave the range of floats at rank {ranks.size}")
    return frequencies.as_given(values)


def as_features(features: Features | Frequencies) -> Features:
    """Return ``features`` itself, or the ``Features`` that a bare ``Frequencies`` stands for.

    Raises
    ------
    TypeError
        If it is neither.

    Examples
    --------
    >>> as_features(Frequencies.power_law(n=100, alpha=1.0))
    Features(n=100, E=1, v in [0, 2])
    """
    if isinstance(features, Features):
        return features
    if isinstance(features, Frequencies):
        return Features(features)
    raise TypeError(
        f"features = {features!r} is neither a Features nor a Frequencies: make one with "
        "Features(frequencies, activation=…, importance=…) or Frequencies.power_law(n, alpha)"
    )


def _list_of(frequencies: Frequencies) -> NDArray[np.float64]:
    if not isinstance(frequencies, Frequencies):
        raise TypeError(
            f"frequencies = {frequencies!r} is not a Frequencies: make one with "
            "Frequencies.power_law, .from_counts or .from_probabilities"
        )
    return frequencies.p_as_given
