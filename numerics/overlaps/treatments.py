"""The overlaps of a matrix raw, centred, and without its leading directions, side by side.

``compare_treatments(W)`` is for rows that may share a mean or a few strong directions, as those of
language models do: these, not the packing, then determine the raw overlaps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from numerics.overlaps.result import Overlaps
from numerics.overlaps.statistics import TooFewRowsError, overlaps
from numerics.tensors.row_matrix import as_rows
from theory.checks import check_integer
from theory.computing.argument_kinds import check_kinds
from theory.results import result, short_table


@dataclass(frozen=True, eq=False)
@result
class Treatments:
    """The overlaps of one matrix after each treatment.

    Attributes
    ----------
    results : tuple of Overlaps
        Raw, centred, and with directions removed.
    left_out : tuple of str
        Why a treatment is missing: fewer than two rows had a direction after it.
    """

    results: tuple[Overlaps, ...]
    left_out: tuple[str, ...] = ()

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each treatment and statistic, beside chance and the bounds."""
        tables = []
        for one in self.results:
            table = one.to_dataframe()
            table.insert(0, "treatment", one.treatment)
            tables.append(table)
        return pd.concat(tables, ignore_index=True)

    def plot(self, ax: Any = None) -> Any:
        """Draw the density of t after each treatment beside that of random directions."""
        for k, one in enumerate(self.results):
            ax = one.plot(ax, random=k == len(self.results) - 1)
        spans = [one.span for one in self.results]
        ax.set_xlim(-max(spans), max(spans))
        return ax

    def __str__(self) -> str:
        first = self.results[0]
        values = pd.DataFrame({one.treatment: one.values for one in self.results})
        table = short_table(values.reset_index(names="statistic"), float_format="{:.5g}".format)
        return "\n".join(
            [f"overlaps of n = {first.n} rows in m = {first.m} dimensions", table, *self.left_out]
        )

    def __repr__(self) -> str:
        return str(self)


@check_kinds
def compare_treatments(
    W: Any, *, remove: int | None = None, transpose: bool = False, **options: Any
) -> Treatments:
    """Measure the overlaps raw, centred, and centred with leading directions removed.

    Parameters
    ----------
    W : array_like or RowMatrix, shape (n, m)
        As in ``overlaps``.
    remove : int, optional
        Principal directions to remove; 0 leaves that treatment out. By default m/100, at least 1,
        as Mu and Viswanath, "All-but-the-Top" (ICLR 2018, section 2), recommend for word vectors.
    transpose : bool
        Compare the columns of W instead.
    **options
        Other arguments of ``overlaps``.

    Returns
    -------
    Treatments
        One result for each that leaves at least two rows with a direction.

    Raises
    ------
    ValueError
        As ``overlaps``.

    Examples
    --------
    >>> import numpy as np
    >>> W = np.random.default_rng(0).standard_normal((200, 20)) + 1
    >>> raw, centred, removed = compare_treatments(W).results
    >>> raw.mean_square > 0.2, centred.mean_square < 0.06, removed.treatment
    (True, True, 'top 1 removed')
    """
    if "center" in options:
        raise TypeError("center is one of the treatments that are compared: leave it out")
    source = as_rows(W, transpose)
    if remove is None:
        remove = max(1, source.m // 100) if source.m > 1 else 0
    remove = check_integer("remove", remove, 0, max(source.m - 1, 0))
    results, left_out = [overlaps(source, **options)], []
    treatments: list[dict[str, Any]] = [{"center": True}]
    if remove:
        treatments.append({"remove": remove})
    for treatment in treatments:
        try:
            results.append(overlaps(source, **treatment, **options))
        except TooFewRowsError as error:
            left_out.append(str(error))
    return Treatments(tuple(results), tuple(left_out))
