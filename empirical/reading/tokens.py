"""How many tokens of a language model can be superposed and read: ``read_tokens(source)``.

A state is the sum of the directions of k tokens; it is read if these have the k highest scores of
the whole vocabulary. Supports are drawn, uniformly or by token counts; raw rows, centred rows and
rows without leading directions stand beside random directions.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from empirical.unembeddings.rows import choose
from empirical.unembeddings.unembedding import open_unembedding
from numerics.overlaps.unit_rows import UnitRows
from numerics.tensors.row_matrix import as_rows
from theory.checks import as_generator, check_integer, check_real
from theory.computing.argument_kinds import check_kinds
from theory.computing.memory import check_memory
from theory.figures.style import BLACK, GREY, curve, finish, open_axes
from theory.reading.recall import max_active, recall, required_width
from theory.results import result

Values = NDArray[np.float64]
_ROUNDS = 1000  # of draws with replacement, for different tokens of one state
_BLOCK = 4096
_MOST = 256  # tokens superposed, at most


@dataclass(frozen=True)
@result
class TreatmentReading:
    """How often k superposed tokens are read, for one treatment of the rows.

    Attributes
    ----------
    treatment : str
        "raw", "centred", or how many directions were removed.
    active : ndarray of int
        Numbers k that were tried.
    right, stderr : ndarray
        Share of the drawn states that are read correctly, and its standard error.
    capacity : int
        Largest k tried up to which the share of errors is within the allowed error.
    width : int
        Random unit directions of this width read as many with that error.
    """

    treatment: str
    active: NDArray[np.int64]
    right: Values
    stderr: Values
    capacity: int
    width: int


@dataclass(frozen=True)
@result
class TokenReading:
    """How many tokens can be superposed and read, beside random directions.

    Attributes
    ----------
    name : str
        The source.
    n, m : int
        Tokens and width.
    error : float
        Allowed share of states that are misread.
    samples : int
        States drawn for each k.
    weighted : bool
        Whether tokens were drawn by their counts.
    treatments : tuple of TreatmentReading
        Raw, centred, without leading directions.
    random_capacity : int
        Tokens that random unit directions of the same width allow.
    """

    name: str
    n: int
    m: int
    error: float
    samples: int
    weighted: bool
    treatments: tuple[TreatmentReading, ...]
    random_capacity: int

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each treatment and number of tokens, beside random directions."""
        return pd.DataFrame(
            [
                {
                    "treatment": one.treatment,
                    "tokens": int(k),
                    "right": right,
                    "stderr": stderr,
                    "random directions": recall(self.n, self.m, int(k), codes="unit").probability,
                }
                for one in self.treatments
                for k, right, stderr in zip(one.active, one.right, one.stderr, strict=True)
            ]
        )

    def plot(self, ax: Any = None) -> Any:
        """Draw the share of states read correctly against the tokens superposed."""
        ax = open_axes(ax)
        for index, one in enumerate(self.treatments):
            ax.errorbar(one.active, one.right, one.stderr, label=one.treatment, **curve(index))
        most = max(int(one.active.max()) for one in self.treatments)
        k = np.unique(np.geomspace(1, max(most, 2 * self.random_capacity, 2), 40).astype(int))
        k = k[k < self.n]
        law = [recall(self.n, self.m, int(x), codes="unit").probability for x in k]
        ax.plot(k, law, color=BLACK, ls="--", label="random directions")
        ax.axhline(1 - self.error, color=GREY, lw=0.8)
        title = f"{self.name}: n = {self.n}, m = {self.m}"
        return finish(ax, "tokens superposed", "share of states read correctly", log="x",
                      title=title)  # fmt: skip

    def __str__(self) -> str:
        drawn = "by count" if self.weighted else "uniformly"
        lines = [
            f"{self.name}: {self.n} tokens in {self.m} dimensions; tokens superposed and read with "
            f"error {self.error:g} ({self.samples} states for each number, tokens drawn {drawn})"
        ]
        lines += [
            f"{one.treatment}: {one.capacity} (random directions of width {one.width})"
            for one in self.treatments
        ]
        return "\n".join([*lines, f"random directions: {self.random_capacity}"])


@check_kinds
def read_tokens(
    source: Any,
    *,
    error: float = 0.1,
    remove: int | None = None,
    counts: ArrayLike | None = None,
    rows: slice | ArrayLike | None = None,
    tensor: str | None = None,
    transpose: bool = False,
    samples: int = 400,
    seed: int | np.random.Generator = 0,
) -> TokenReading:
    """Return how many tokens can be superposed and read from their directions.

    Parameters
    ----------
    source : str, Path, array_like or RowMatrix
        An unembedding, as ``superscale.unembeddings.analyze`` takes it, or any matrix with an item
        in each row.
    error : float
        Allowed share of misread states, in (0, 1).
    remove : int, optional
        Leading directions that the last treatment removes; by default m/100, at least 1; 0 leaves
        it out.
    counts : array_like, optional
        Token counts: tokens are drawn in proportion to them. By default uniformly.
    rows : slice or array_like, optional
        Only these rows.
    tensor, transpose
        As in ``open_unembedding``.
    samples : int
        States drawn for each number of tokens.
    seed : int or Generator
        Seed of the draws.

    Returns
    -------
    TokenReading
        For each treatment the shares of 1, 2, 4, … tokens, and the capacity, found by bisection.

    Raises
    ------
    ValueError
        As ``open_unembedding``; for values out of range.

    Notes
    -----
    A state is Σ of the unit rows of k different tokens, read if these have the k highest scores.
    The decision at each k is that of the sample: repeat with another seed to see its spread.

    Examples
    --------
    >>> W = np.random.default_rng(0).standard_normal((2000, 150))
    >>> found = read_tokens(W, samples=200)
    >>> abs(found.treatments[0].capacity - found.random_capacity) <= 1
    True
    """
    error = check_real("error", error, 0, 1 - 1e-12, strict=True)
    samples = check_integer("samples", samples, 2)
    check_memory(f"samples = {samples}", 48.0 * samples, "give fewer samples")
    name, matrix = "matrix", source
    if isinstance(source, str | Path):
        opened = open_unembedding(source, tensor, transpose=transpose)
        name, matrix, transpose = opened.name, opened.matrix, False
    chosen = choose(as_rows(matrix, transpose), rows, counts)
    kept = chosen.matrix
    if kept.m < 2 or kept.n < 3:
        raise ValueError(f"the matrix is {kept.n} x {kept.m}: give at least 3 rows and 2 columns")
    if remove is None:
        remove = max(1, kept.m // 100)
    remove = check_integer("remove", remove, 0, kept.m - 1)
    rng = as_generator(seed)
    weights = None if chosen.counts is None else np.asarray(chosen.counts, dtype=np.float64)
    treatments = [("raw", False, 0), ("centred", True, 0)]
    if remove:
        treatments.append((f"top {remove} removed", True, remove))
    found = []
    for label, center, directions in treatments:
        unit = UnitRows(kept, center, directions)
        if unit.ids.size > 2:
            law = None if weights is None else weights[unit.ids]
            found.append(_read_treatment(label, unit, law, error, samples, rng))
    random = max_active(kept.n, kept.m, error, codes="unit")
    return TokenReading(
        name, kept.n, kept.m, error, samples, weights is not None, tuple(found), random
    )


def _read_treatment(
    label: str, rows: UnitRows, weights: Values | None, error: float, samples: int, rng: Any
) -> TreatmentReading:
    """Try 1, 2, 4, … tokens until too many states are misread, then bisect."""
    shares: dict[int, float] = {}
    most = min(_MOST, rows.ids.size - 1 if weights is None else int((weights > 0).sum()) - 1)

    def read(k: int) -> bool:
        shares[k] = _share_right(rows, k, weights, samples, rng)
        return shares[k] >= 1 - error

    low, high = 0, 1
    while high <= most and read(high):
        low, high = high, 2 * high
    high = min(high, most + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if read(middle) else (low, middle)
    active = np.array(sorted(shares), dtype=np.int64)
    right = np.array([shares[int(k)] for k in active])
    inside = np.clip(right, 1 / samples, 1 - 1 / samples)
    stderr = np.sqrt(inside * (1 - inside) / samples)
    width = required_width(rows.ids.size, max(low, 1), error, codes="unit")
    return TreatmentReading(label, active, right, stderr, low, width)


def _share_right(
    rows: UnitRows, active: int, weights: Values | None, samples: int, rng: np.random.Generator
) -> float:
    """Return the share of drawn states of ``active`` tokens whose k highest scores are theirs."""
    n = rows.ids.size
    members = _draw_tokens(n, active, weights, samples, rng)
    different = np.unique(members)
    place = np.searchsorted(different, members)
    directions = rows.unit(different)
    h = np.stack([directions[some].sum(axis=0) for some in place])
    lowest = np.min(
        [np.einsum("am,am->a", directions[place[:, j]], h) for j in range(active)], axis=0
    )
    highest = np.full(samples, -np.inf)
    state, token = np.repeat(np.arange(samples), active), members.ravel()
    for start in range(0, n, _BLOCK):
        block = rows.unit(np.arange(start, min(start + _BLOCK, n)))
        scores = h @ block.T
        inside = (token >= start) & (token < start + len(block))
        scores[state[inside], token[inside] - start] = -np.inf
        highest = np.maximum(highest, scores.max(axis=1))
    return float(np.mean(lowest > highest))


def _draw_tokens(
    n: int, active: int, weights: Values | None, samples: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return different tokens of each state, one after the other with the given weights."""
    total = np.arange(1, n + 1, dtype=np.float64) if weights is None else np.cumsum(weights)
    members = np.empty((samples, active), dtype=np.int64)
    for index in range(samples):
        taken: dict[int, None] = {}
        rounds = 0
        while len(taken) < active:
            rounds += 1
            if weights is not None and rounds > _ROUNDS:  # a few tokens have nearly all the weight
                with np.errstate(divide="ignore"):
                    keys = np.log(weights) + rng.gumbel(size=n)
                keys[list(taken)] = -np.inf  # the largest keys are draws without replacement
                taken.update(dict.fromkeys(np.argsort(-keys)[: active - len(taken)].tolist()))
                break
            for token in np.searchsorted(total, rng.random(active) * total[-1], side="right"):
                taken.setdefault(int(min(token, n - 1)))
                if len(taken) == active:
                    break
        members[index] = list(taken)
    return members
