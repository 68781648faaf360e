"""The points of a loss curve: widths, losses, groups, weights, labels and clusters, checked.

``fit_power_law`` reads its arguments with ``read_points``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from theory.checks import check_finite, read_only, shown
from theory.results import result

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
@result
class LossPoints:
    """Checked points, sorted by group; ``order`` gives their places in the input.

    Attributes
    ----------
    m, loss, weight : ndarray, shape (k,)
        Widths, losses and weights (1/stderr² where standard errors are known).
    index : ndarray of int, shape (k,)
        Group of each point, as an index into ``groups``.
    groups : tuple of str
        Names, in order of first appearance.
    labels : tuple of str
        A name for each point.
    clusters : tuple of str or None
        The cluster of each point (a model that is measured on several data sets).
    known : bool
        Whether the weights are 1/variance rather than relative.
    order : ndarray of int, shape (k,)
        Place of each point in the input arrays.
    """

    m: Array
    loss: Array
    weight: Array
    index: Integers
    groups: tuple[str, ...]
    labels: tuple[str, ...]
    clusters: tuple[str, ...] | None
    known: bool
    order: Integers

    @property
    def size(self) -> int:
        """Number of points."""
        return int(self.m.size)

    def find_group(self, group: object) -> int:
        """Return the index of a group; None stands for the only one."""
        if group is None and len(self.groups) == 1:
            return 0
        if group is None:
            raise ValueError(f"there are {len(self.groups)} groups: give group=, as {self._few()}")
        if str(group) not in self.groups:
            raise ValueError(f"no group {str(group)!r}: the groups are {self._few()}")
        return self.groups.index(str(group))

    def _few(self) -> str:
        return ", ".join(map(repr, self.groups[:6])) + (", …" if len(self.groups) > 6 else "")

    def in_given_order(self, columns: dict[str, Any]) -> pd.DataFrame:
        """Return a table of columns over the points, in the order of the input."""
        table = pd.DataFrame(columns)
        return table.iloc[np.argsort(self.order)].reset_index(drop=True)

    def cluster_index(self) -> tuple[Integers, tuple[str, ...]]:
        """Return the index of each point's cluster, and the clusters' names."""
        if self.clusters is None:
            raise ValueError(
                "no clusters were given: pass clusters= (what each point belongs to, as the model "
                "name) to fit_power_law"
            )
        given = [self.clusters[k] for k in np.argsort(self.order)]
        names = tuple(dict.fromkeys(given))
        return np.array([names.index(name) for name in self.clusters]), names


def _check_names(name: str, values: Iterable[Any], size: int) -> list[str]:
    if isinstance(values, (str, bytes)):
        raise TypeError(f"{name} = {values!r} is one text: give one for each point")
    if not isinstance(values, Iterable) or getattr(values, "ndim", 1) == 0:
        raise TypeError(f"{name} = {shown(values)} is not allowed: give a name for each point")
    given = list(values)
    if len(given) != size:
        raise ValueError(f"{name} has {len(given)} entries for {size} points: give one for each")
    for k, value in enumerate(given):
        if value is None or value != value:
            raise ValueError(f"{name}[{k}] is missing: give a name for each point")
    return [str(value) for value in given]


def _check_positive(name: str, values: ArrayLike, size: int) -> Array:
    array = check_finite(name, values)
    if array.size != size:
        raise ValueError(f"{name} has {array.size} entries for {size} points: give one for each")
    bad = np.flatnonzero(array <= 0)
    if bad.size:
        raise ValueError(f"{name}[{bad[0]}] = {array[bad[0]]:g} is not allowed: it must be above 0")
    return array


def read_points(
    m: ArrayLike,
    loss: ArrayLike,
    groups: Iterable[Any] | None = None,
    weights: ArrayLike | None = None,
    stderr: ArrayLike | None = None,
    labels: Iterable[Any] | None = None,
    clusters: Iterable[Any] | None = None,
) -> LossPoints:
    """Check the points and sort them by group.

    Raises
    ------
    ValueError
        For arrays of different lengths, widths, weights or standard errors that are not positive,
        losses that are not finite, missing names, or both weights and standard errors.

    Examples
    --------
    >>> points = read_points([8, 8, 16], [2.0, 3.0, 1.5], groups=["a", "b", "a"])
    >>> points.groups, points.m.tolist(), points.labels
    (('a', 'b'), [8.0, 16.0, 8.0], ('a, m = 8', 'a, m = 16', 'b, m = 8'))
    """
    losses = check_finite("loss", loss)
    if np.abs(losses).max() > 1e100:
        raise ValueError(f"loss contains {np.abs(losses).max():g}: give values of at most 1e100")
    widths = _check_positive("m", m, losses.size)
    size = losses.size
    if weights is not None and stderr is not None:
        raise ValueError("give weights (relative) or stderr (known standard errors), not both")
    weight = np.ones(size)
    if weights is not None:
        weight = _check_positive("weights", weights, size)
    if stderr is not None:
        weight = _check_positive("stderr", stderr, size) ** -2.0
    if not np.all(np.isfinite(weight)) or not np.isfinite(weight.sum()):
        raise ValueError("the weights are too large to add up: use other units")
    names = ["all"] * size if groups is None else _check_names("groups", groups, size)
    known = tuple(dict.fromkeys(names))
    index = np.array([known.index(name) for name in names])
    if labels is None:
        lead = [""] * size if groups is None else [f"{name}, " for name in names]
        label = [f"{a}m = {b:g}" for a, b in zip(lead, widths, strict=True)]
    else:
        label = _check_names("labels", labels, size)
    cluster = None if clusters is None else _check_names("clusters", clusters, size)
    order = np.argsort(index, kind="stable")
    return LossPoints(
        m=read_only(widths[order]),
        loss=read_only(losses[order]),
        weight=read_only(weight[order]),
        index=read_only(index[order]),
        groups=known,
        labels=tuple(label[k] for k in order),
        clusters=None if cluster is None else tuple(cluster[k] for k in order),
        known=stderr is not None,
        order=read_only(order),
    )
