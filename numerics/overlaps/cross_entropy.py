"""Cross entropy of an unembedding due to overlaps between its rows.

``estimate_cross_entropy(W)`` evaluates -ln softmax(W h)_i at the hidden state h = W_i/‖W_i‖, the
limit that the representation sets for token i (arXiv 2505.10465, appendix A.2).

With r = ‖W_i‖ and the logits x_j = W_j·W_i/‖W_i‖ of the n - 1 other tokens (W_i's own is r) it is

    L_i = ln(1 + e^-r Σ_j e^{x_j}).

Without overlaps (x = 0) that is ln(1 + c), c = (n - 1)e^-r, the *floor*; the *size part* is the
rest. To second order in x, with q = e^-r/(1 + c), S_1 = Σ_j x_j and S_2 = Σ_j x_j²,

    L_i - ln(1 + c) = q (S_1 + S_2/2) - q² S_1²/2 + O(x³).                        (second order)

The published form is e^-r S_2/2: it omits S_1 (0 for rows that sum to 0) and replaces 1 + c by 1,
which needs norms well above ln n. For smaller norms, c ≫ 1, the size part is the mean of x plus
half its variance over the other tokens: about r²/(2m) for random directions. Either way it falls as
1/m if norms do not change with m; only the prefactor differs. A vector added to all rows changes no
softmax, but it changes h, and therefore these numbers: compare raw and centred rows.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from numerics.overlaps.statistics import TooFewRowsError
from numerics.overlaps.unit_rows import UnitRows, moments
from numerics.tensors.row_matrix import RowMatrix
from theory.checks import as_generator, check_finite, check_integer
from theory.computing.argument_kinds import check_kinds
from theory.results import result

# Rows of W in memory at once, on either side of a product.
_BLOCK = 2048
# Above it sums of logits overflow.
_LARGEST_NORM = 1e250


@dataclass(frozen=True)
@result
class CrossEntropy:
    """The representation-limited cross entropy, in nats: means over tokens i with weights w_i.

    Attributes
    ----------
    n, m : int
        Tokens with a direction, and width.
    treatment : str
        "raw" or "centred".
    weighted : bool
        Whether weights were given.
    rows : int
        Different tokens whose cross entropy was computed; n if it is exact.
    cross_entropy : float
        ⟨-ln softmax(W h)_i⟩ at h = W_i/‖W_i‖.
    stderr : float
        Standard error of ``cross_entropy`` and of ``size_part``: 0 if all tokens were computed.
    floor : float
        ⟨ln(1 + (n - 1)e^{-‖W_i‖})⟩, the value for rows without overlaps; over all tokens.
    size_part : float
        ``cross_entropy`` - ``floor``.
    second_order : float
        The size part to second order in the overlaps; over all tokens.
    published : float
        The published form of it, ½⟨e^{-‖W_i‖} Σ_j x_j²⟩; over all tokens.
    linear : float
        The linear term that the published form omits, ⟨e^{-‖W_i‖} Σ_j x_j⟩.
    crowding : float
        ⟨(n - 1)e^{-‖W_i‖}⟩, which the published form assumes to be far below 1.
    rms, largest : float
        Root mean square of the x_j over all pairs; largest |x_j| of the tokens computed.
    """

    n: int
    m: int
    treatment: str
    weighted: bool
    rows: int
    cross_entropy: float
    stderr: float
    floor: float
    size_part: float
    second_order: float
    published: float
    linear: float
    crowding: float
    rms: float
    largest: float

    @property
    def caveats(self) -> tuple[str, ...]:
        """Approximations that are off by more than a tenth, and why."""
        reasons = []
        error = self.second_order - self.size_part
        if abs(error) > 0.1 * abs(self.size_part) + 3 * self.stderr:
            reasons.append(
                f"second order is off by {error:+.2g}: overlaps are not small "
                f"(logits of other tokens: rms {self.rms:.2g}, up to {self.largest:.2g})"
            )
        if self.crowding > 0.1:
            reasons.append(
                f"the published form needs (n - 1)e^-|W_i| << 1 and it is {self.crowding:.3g}: "
                "norms are too small for so many tokens"
            )
        if abs(self.linear) > 0.1 * self.published:
            reasons.append(
                f"the published form omits a linear term, {self.linear:.3g} beside "
                f"{self.published:.3g}"
            )
        return tuple(reasons)

    def to_dataframe(self) -> pd.DataFrame:
        """Return the numbers as a table of one row."""
        return pd.DataFrame([asdict(self)])

    def __str__(self) -> str:
        error = f" ± {self.stderr:.2g}" if self.stderr else ""
        weighted = ", weighted" * self.weighted
        head = (
            f"{self.treatment}{weighted}: cross entropy {self.cross_entropy:.5g}{error} = "
            f"{self.floor:.5g} without overlaps + {self.size_part:.4g} from them "
            f"(second order {self.second_order:.4g}, published form {self.published:.4g})"
        )
        return "\n".join([head, *(f"  not valid: {reason}" for reason in self.caveats)])


@check_kinds
def estimate_cross_entropy(
    W: Any,
    *,
    center: bool = False,
    weights: ArrayLike | None = None,
    tokens: int = 2048,
    seed: np.random.Generator | int = 0,
) -> CrossEntropy:
    """Compute -ln softmax(W h)_i at h = W_i/‖W_i‖, and its approximations for small overlaps.

    Parameters
    ----------
    W : array_like or RowMatrix, shape (n, m)
        As in ``numerics.overlaps.statistics.overlaps``; rows of zeros are left out.
    center : bool
        Subtract the mean row (of all rows that are not zero) first.
    weights : array_like, shape (n,), optional
        Weight of each token in the means, such as its count; equal by default.
    tokens : int
        If at most this many tokens have a direction, all are computed; otherwise so many are drawn,
        with replacement, in proportion to their weights. The cost is tokens x n x m.
    seed : Generator or int
        Of the draw.

    Returns
    -------
    CrossEntropy
        The exact value and the approximations.

    Raises
    ------
    ValueError
        For entries that are not finite, norms above 1e250, weights that do not fit, or fewer than
        2 rows drawn; as ``TooFewRowsError`` if fewer than two rows have a direction.

    Examples
    --------
    >>> found = estimate_cross_entropy(5 * np.eye(3))   # ln(1 + 2 e^-5)
    >>> round(found.cross_entropy, 6), found.size_part
    (0.013386, 0.0)
    """
    source = W if isinstance(W, RowMatrix) else RowMatrix(W)
    tokens, rng = check_integer("tokens", tokens, 2), as_generator(seed)
    unit = UnitRows(source, center, 0)
    n, treatment = unit.ids.size, "centred" if center else "raw"
    if n < 2:
        raise TooFewRowsError(
            f"{n} rows have a direction ({treatment}): a cross entropy needs at least two"
        )
    share = _check_weights(weights, source.n)[unit.ids]
    if not share.sum() > 0:
        raise ValueError("the weights are all 0: give a token with a direction a positive weight")
    share = share / share.sum()
    norms = unit.norms * unit.scale
    if norms.max() > _LARGEST_NORM:
        i = int(norms.argmax())
        raise ValueError(
            f"row {unit.ids[i]} of W has norm {norms[i]:.4g}, above {_LARGEST_NORM:g}: "
            "logits are overlaps times norms; rescale the rows to the logits of the model"
        )
    floor = np.logaddexp(0.0, math.log(n - 1) - norms)
    first, second = _sums(unit)
    rare = np.exp(-norms)  # e^-r
    crowding = (n - 1) * rare
    # Sums are in units of the scale, which is multiplied last to avoid overflow.
    linear, square = rare * unit.scale * first, rare * unit.scale * unit.scale * second
    expanded = (linear + square / 2) / (1 + crowding) - (linear / (1 + crowding)) ** 2 / 2
    if n <= tokens:
        drawn, repeats = np.arange(n), share
    else:
        drawn, repeats = np.unique(rng.choice(n, size=tokens, p=share), return_counts=True)
        repeats = repeats / tokens
    exact, largest = _exact(unit, norms, drawn)
    # The floor is known for every token; only the size part is sampled.
    rest = exact - floor[drawn]
    size_part = float(repeats @ rest)
    stderr = 0.0 if n <= tokens else math.sqrt(repeats @ (rest - size_part) ** 2 / (tokens - 1))
    mean_floor = float(share @ floor)
    return CrossEntropy(
        n=int(n),
        m=source.m,
        treatment=treatment,
        weighted=weights is not None,
        rows=int(drawn.size),
        cross_entropy=mean_floor + size_part,
        stderr=stderr,
        floor=mean_floor,
        size_part=size_part,
        second_order=float(share @ expanded),
        published=float(share @ square) / 2,
        linear=float(share @ linear),
        crowding=float(share @ crowding),
        rms=math.sqrt(share @ second / (n - 1)) * unit.scale,
        largest=largest,
    )


def _check_weights(weights: ArrayLike | None, n: int) -> NDArray[np.float64]:
    if weights is None:
        return np.ones(n)
    w = check_finite("weights", weights)
    if w.size != n or np.any(w < 0):
        raise ValueError(f"weights: give one number of at least 0 for each of the {n} rows")
    return w


def _sums(unit: UnitRows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Σ x_j and Σ x_j² over j ≠ i for every i, through Σ W_j and Σ W_j W_jᵀ.

    They are in units of ``unit.scale`` and of its square.
    """
    norms = unit.norms
    places = np.arange(norms.size)
    blocks = [places[start : start + _BLOCK] for start in range(0, places.size, _BLOCK)]
    total = sum(norms[some] @ unit.unit(some).astype(np.float64) for some in blocks)
    _, second = moments(unit, places, norms**2)
    sums, squares = np.empty(norms.size), np.empty(norms.size)
    for some in blocks:
        u = unit.unit(some)
        sums[some] = u.astype(np.float64) @ total - norms[some]
        projected = u @ second.astype(u.dtype)
        squares[some] = np.einsum("ij,ij->i", projected, u, dtype=np.float64) - norms[some] ** 2
    # Rounding may give a negative number where rows are orthogonal.
    return sums, np.maximum(squares, 0.0)


def _exact(
    unit: UnitRows, norms: NDArray[np.float64], drawn: NDArray[np.int64]
) -> tuple[NDArray[np.float64], float]:
    """Return -ln softmax_i for the drawn places, and the largest |x_j| among them."""
    out, largest = [], 0.0
    for start in range(0, drawn.size, _BLOCK):
        chosen = drawn[start : start + _BLOCK]
        states = unit.unit(chosen)
        peak = np.full(chosen.size, -np.inf)
        total = np.zeros(chosen.size)
        for begin in range(0, norms.size, _BLOCK):
            some = np.arange(begin, min(begin + _BLOCK, norms.size))
            block = unit.unit(some)
            x = states @ (block * norms[some, None].astype(block.dtype)).T
            own = np.flatnonzero((chosen >= begin) & (chosen < begin + _BLOCK))
            x[own, chosen[own] - begin] = 0.0
            largest = max(largest, float(x.max()), -float(x.min()))
            x[own, chosen[own] - begin] = -np.inf
            # Σ e^x in units of e^peak; peak is the largest logit so far.
            higher = np.maximum(peak, x.max(axis=1))
            total *= np.exp(peak - higher)
            x -= higher[:, None].astype(x.dtype)
            total += np.exp(x, out=x).sum(axis=1, dtype=np.float64)
            peak = higher
        out.append(np.logaddexp(0.0, peak + np.log(total) - norms[chosen]))
    return np.concatenate(out), largest
