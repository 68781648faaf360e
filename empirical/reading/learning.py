"""Learn the directions of superposed items from states alone: ``learn_directions(states, count)``.

Expectation maximisation for binary items that add ("binary") or of which the largest entry wins
("maximum"), with the posterior over all supports or over truncated ones; and scikit-learn's
dictionary learning ("dictionary"). ``match_directions`` compares what was learnt with the truth,
``draw_bars`` draws the bars test.

Sources: binary sparse coding, Haft, Hofmann and Tresp (2004); maximal causes, Lücke and Sahani,
JMLR 9 (2008); truncated posteriors, Lücke and Eggert, JMLR 11 (2010).
"""

from __future__ import annotations

import itertools
import math
import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from theory.checks import MOST_DRAWS, as_generator, check_finite, check_integer, check_real
from theory.computing.argument_kinds import check_kinds
from theory.computing.memory import check_memory
from theory.results import result

Values = NDArray[np.float64]
Model = Literal["binary", "maximum", "dictionary"]
MOST_EXACT = 14  # items up to which all supports are enumerated
# Soft maximum in the update of maximal causes: the entries share a state's number in proportion to
# their powers.
_POWER = 20.0
_JITTER = 0.5  # of the noise, in the warm iterations
_MOST_CANDIDATES = 20  # of which all supports are gone over
_LARGEST = 1e100  # squares are finite
_LEAST_NOISE = 1e-6
_WARM = 0.7  # share of the iterations in which the temperature falls


@dataclass(frozen=True, eq=False)
@result
class LearnedDirections:
    """Directions that were learnt from states.

    Attributes
    ----------
    W : ndarray, shape (count, m)
        A direction in each row.
    p : float
        Probability that an item is on (NaN for dictionary learning).
    noise : float
        Standard deviation of the noise on each number.
    log_likelihood : ndarray
        Of the states, a number, after each iteration (truncated: a lower bound); empty for
        dictionary learning.
    model : str
        As given.
    """

    W: Values
    p: float
    noise: float
    log_likelihood: Values
    model: str


@dataclass(frozen=True)
class _Supports:
    """Supports that the posterior is taken over, among all items or candidates of each state."""

    on: NDArray[np.float64]
    """Shape (supports, items or candidates)."""
    candidates: NDArray[np.int64] | None
    """Shape (states, candidates); None: all items."""


@check_kinds
def learn_directions(
    states: ArrayLike,
    count: int,
    model: Model = "binary",
    *,
    candidates: int | None = None,
    most_on: int | None = None,
    iterations: int = 60,
    temperature: float = 2.0,
    starts: int = 1,
    seed: int | np.random.Generator = 0,
) -> LearnedDirections:
    """Learn the directions of binary items from superposed states.

    Parameters
    ----------
    states : array_like, shape (N, m)
        The states.
    count : int
        Number of items.
    model : {"binary", "maximum", "dictionary"}
        h = Σ_{i on} W_i + noise; h_d = max_{i on} W_id + noise, W >= 0; or scikit-learn's
        dictionary learning (nonnegative coefficients), which needs ``pip install
        'superscale[sparse]'``.
    candidates, most_on : int, optional
        Truncate the posterior: for each state only supports of at most ``most_on`` of the
        ``candidates`` best items. By default (count <= 14) all supports.
    iterations : int
        Iterations of a start.
    temperature : float
        Of the posterior at the start; it falls to 1 in the first 70 % of the iterations, against
        local optima.
    starts : int
        Random starts, of which the one with the highest likelihood is returned.
    seed : int or Generator
        Seed of the starts.

    Returns
    -------
    LearnedDirections
        Directions, the probability of an item and the noise.

    Raises
    ------
    ValueError
        For values out of range; for more than 14 items without truncation.

    Notes
    -----
    A start may end in a local optimum, which its lower likelihood shows: where items are many and
    the noise is small, about every second one does, so give several starts.

    Examples
    --------
    >>> states, bars = draw_bars(400, seed=1)
    >>> found = learn_directions(states, 10, "maximum", iterations=30, seed=1)
    >>> bool(match_directions(found.W, bars).min() > 0.95)
    True
    """
    data = check_finite("states", states, 2, low=-_LARGEST, high=_LARGEST)
    if len(data) < 2:
        raise ValueError(f"states has shape {data.shape}: give two states or more")
    count = check_integer("count", count)
    check_memory(f"count = {count}", 32.0 * count * sum(data.shape), "give fewer items")
    iterations = check_integer("iterations", iterations, 1, MOST_DRAWS)
    starts = check_integer("starts", starts, 1, MOST_DRAWS)
    temperature = check_real("temperature", temperature, 1)
    rng = as_generator(seed)
    if model == "dictionary":
        return _dictionary(data, count, rng)
    if (candidates is None) != (most_on is None):
        raise ValueError("candidates and most_on go together: give both or neither")
    if candidates is None:
        if count > MOST_EXACT:
            raise ValueError(
                f"count = {count}: all supports are enumerated up to {MOST_EXACT} items; give "
                "candidates and most_on, as candidates=8, most_on=4"
            )
        candidates, most_on, exact = count, count, True
    else:
        candidates = check_integer("candidates", candidates, 1, min(count, _MOST_CANDIDATES))
        most_on = check_integer("most_on", most_on, 1, candidates)
        exact = candidates == count
    supports = sum(math.comb(candidates, on) for on in range(most_on + 1))
    check_memory(f"{supports:.3g} supports", 24.0 * supports * len(data), "truncate further")
    on = np.array(
        [row for row in itertools.product((0.0, 1.0), repeat=candidates) if sum(row) <= most_on]
    )
    runs = (
        _maximise(data, count, model, on, exact, iterations, temperature, rng)
        for _ in range(starts)
    )
    return max(runs, key=lambda one: float(one.log_likelihood[-1]))


def _maximise(
    data: Values,
    count: int,
    model: Model,
    on: Values,
    exact: bool,
    iterations: int,
    temperature: float,
    rng: np.random.Generator,
) -> LearnedDirections:
    N, m = data.shape
    # A random state each, drawn towards the mean: rows differ, none is far from the data.
    W = data[rng.choice(N, count, replace=count > N)] / 2 + data.mean(axis=0) / 2
    W = W + 0.1 * data.std() * rng.standard_normal(W.shape)
    if model == "maximum":
        W = np.abs(W)
    p, noise = min(0.5, 2 / count), max(float(data.std()), _LEAST_NOISE)
    likelihoods = []
    for iteration in range(iterations):
        heat = 1 + (temperature - 1) * max(0.0, 1 - iteration / (_WARM * iterations))
        supports = _Supports(on, None if exact else _choose(data, W, on.shape[1], model))
        weights, likelihood = _expect(data, W, p, noise, supports, model, heat)
        likelihoods.append(likelihood)
        update = _update_sums if model == "binary" else _update_maxima
        W, residual = update(data, W, weights, supports)
        if heat > 1:  # keeps rows apart that the warm posterior would merge
            W = W + _JITTER * noise * rng.standard_normal(W.shape)
            W = np.abs(W) if model == "maximum" else W
        p = float(np.clip((weights @ on.sum(axis=1)).mean() / count, 1e-3, 1 - 1e-3))
        noise = max(math.sqrt(max(residual / (N * m), 0.0)), _LEAST_NOISE)
    return LearnedDirections(W, p, noise, np.array(likelihoods), model)


def _choose(data: Values, W: Values, candidates: int, model: Model) -> NDArray[np.int64]:
    """Return the items that agree best with each state, by themselves."""
    if model == "maximum":  # what an item alone would add that is not there costs
        excess = np.stack([np.maximum(row - data, 0.0).sum(axis=1) for row in W], axis=1)
        scores = -excess / np.maximum(W.sum(axis=1), 1e-12)
    else:
        scores = data @ W.T - 0.5 * (W**2).sum(axis=1)
    return np.asarray(np.argpartition(-scores, candidates - 1, axis=1)[:, :candidates])


def _means(W: Values, supports: _Supports, model: Model, some: slice) -> Values:
    """Return the state without noise of each support: (supports, m), or for each state."""
    on = supports.on
    rows = W if supports.candidates is None else W[supports.candidates[some]]
    if model == "binary":
        return np.asarray(on @ rows)
    best = np.zeros((*rows.shape[:-2], len(on), W.shape[1]))
    for item in range(on.shape[1]):
        entry = on[:, item, None] * rows[..., item, :][..., None, :]
        np.maximum(best, entry, out=best)
    return best


def _expect(
    data: Values, W: Values, p: float, noise: float, supports: _Supports, model: Model, heat: float
) -> tuple[Values, float]:
    """Return the posterior of each state's supports, and the mean log-likelihood of a number."""
    N, m = data.shape
    weights = np.empty((N, len(supports.on)))
    total = 0.0
    size = supports.on.sum(axis=1)
    prior = size * math.log(p) + (len(W) - size) * math.log1p(-p)
    batch = N if supports.candidates is None else max(1, 2**22 // (len(supports.on) * m))
    for start in range(0, N, batch):
        some = slice(start, start + batch)
        means = _means(W, supports, model, some)
        block = data[some]
        squares = (block**2).sum(axis=1)[:, None] + (means**2).sum(axis=-1)
        if supports.candidates is None:
            squares = squares - 2 * block @ means.T
        else:
            squares = squares - 2 * np.einsum("am,asm->as", block, means)
        log = prior - squares / (2 * noise**2)
        total += float(np.logaddexp.reduce(log, axis=1).sum())
        log = log / heat
        log -= log.max(axis=1, keepdims=True)
        np.exp(log, out=log)
        weights[some] = log / log.sum(axis=1, keepdims=True)
    return weights, total / (N * m) - 0.5 * math.log(2 * math.pi * noise**2)


def _update_sums(
    data: Values, W: Values, weights: Values, supports: _Supports
) -> tuple[Values, float]:
    """Return the directions that fit best for items that add, and the expected squared error."""
    on, H = supports.on, len(W)
    if supports.candidates is None:
        first = weights @ on
        second = on.T @ (weights.sum(axis=0)[:, None] * on)
    else:
        first, second = np.zeros((len(data), H)), np.zeros((H, H))
        np.put_along_axis(first, supports.candidates, weights @ on, axis=1)
        pairs = np.einsum("as,si,sj->aij", weights, on, on)
        place = supports.candidates
        np.add.at(second, (place[:, :, None], place[:, None, :]), pairs)
    # A little of the old direction keeps items that are never on where they are.
    ridge = 1e-6 * max(np.trace(second) / H, 1e-12)
    cross = first.T @ data
    new = np.linalg.solve(second + ridge * np.eye(H), cross + ridge * W)
    residual = float((data**2).sum() - 2 * (new * cross).sum() + (second * (new @ new.T)).sum())
    return new, residual


def _update_maxima(
    data: Values, W: Values, weights: Values, supports: _Supports
) -> tuple[Values, float]:
    """Return the entries as means of the numbers that each is the largest of."""
    on, candidates = supports.on, supports.candidates
    above, below = np.zeros(W.shape), np.full(W.shape, 1e-12)
    residual = float((data**2).sum())
    batch = len(data) if candidates is None else max(1, 2**22 // (len(on) * data.shape[1]))
    largest = max(float(W.max()), 1e-12)
    for start in range(0, len(data), batch):
        some = slice(start, start + batch)
        w = weights[some]
        means = _means(W, supports, "maximum", some)
        powers = ((W if candidates is None else W[candidates[some]]) / largest) ** _POWER
        total = on @ powers + 1e-300
        # With shared supports the states enter through sums for each support.
        if candidates is None:
            mass, moment = w.sum(axis=0)[:, None], w.T @ data
        else:
            mass, moment = w[:, :, None], w[:, :, None] * data[some, None, :]
        residual += float((mass * means**2).sum() - 2 * (moment * means).sum())
        for item in range(on.shape[1]):
            share = on[:, item, None] * powers[..., item, :][..., None, :] / total
            place = item if candidates is None else candidates[some, item]
            np.add.at(above, place, (share * moment).sum(axis=-2))
            np.add.at(below, place, (share * mass).sum(axis=-2))
    seen = below > 1e-6
    return np.where(seen, np.maximum(above / below, 0.0), W), residual


def _dictionary(data: Values, count: int, rng: np.random.Generator) -> LearnedDirections:
    try:
        from sklearn.decomposition import MiniBatchDictionaryLearning
        from sklearn.exceptions import ConvergenceWarning
    except ImportError:
        raise ModuleNotFoundError(
            "dictionary learning needs scikit-learn: pip install 'superscale[sparse]'"
        ) from None
    learner = MiniBatchDictionaryLearning(
        count, alpha=0.3 * float(data.std()), positive_code=True, fit_algorithm="cd",
        transform_algorithm="lasso_cd", batch_size=100, max_iter=60, max_no_improvement=None,
        random_state=int(rng.integers(2**31)),
    )  # fmt: skip
    # Its codes draw from numpy's shared generator, for nothing: the caller finds it as it was.
    shared = np.random.get_state()  # noqa: NPY002
    try:
        with warnings.catch_warnings():
            # A code that is a little off hardly moves the directions.
            warnings.simplefilter("ignore", ConvergenceWarning)
            codes = learner.fit_transform(data)
    finally:
        np.random.set_state(shared)  # noqa: NPY002
    W = np.asarray(learner.components_, dtype=np.float64)
    noise = float((data - codes @ W).std())
    return LearnedDirections(W, math.nan, noise, np.empty(0), "dictionary")


def match_directions(found: ArrayLike, true: ArrayLike) -> Values:
    """Return the cosine of each true direction with the learnt one that is paired with it.

    Pairs are those of the largest sum of cosines, each direction used once.

    Parameters
    ----------
    found, true : array_like, shapes (a, m) and (b, m), a >= b
        Directions.

    Returns
    -------
    ndarray, shape (b,)
        Cosines in the order of ``true``.

    Examples
    --------
    >>> match_directions([[0.0, 2.0], [1.0, 0.0]], [[1.0, 0.0]])
    array([1.])
    """
    a, b = check_finite("found", found, 2), check_finite("true", true, 2)
    if a.shape[1] != b.shape[1] or len(a) < len(b):
        raise ValueError(
            f"found and true have shapes {a.shape} and {b.shape}: give a >= b directions of one "
            "dimension"
        )
    for name, directions in (("found", a), ("true", b)):
        zeros = np.flatnonzero(~directions.any(axis=1))
        if zeros.size:
            raise ValueError(f"{name}[{zeros[0]}] is zero and has no direction: leave it out")
    a, b = (x / np.abs(x).max(axis=1, keepdims=True) for x in (a, b))  # squares are finite
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    rows, columns = linear_sum_assignment(-(b @ a.T))
    cosines: Values = (b @ a.T)[rows, columns]
    return cosines


@check_kinds
def draw_bars(
    samples: int,
    *,
    size: int = 5,
    p: float = 0.2,
    weight: float = 10.0,
    noise: float = 2.0,
    model: Literal["maximum", "binary"] = "maximum",
    seed: int | np.random.Generator = 0,
) -> tuple[Values, Values]:
    """Draw the bars test: horizontal and vertical bars on a grid, each on with probability p.

    Parameters
    ----------
    samples : int
        States.
    size : int
        Side of the grid; there are 2 size bars on size² numbers.
    p, weight, noise : float
        Probability of a bar, its value, and the standard deviation of the noise.
    model : {"maximum", "binary"}
        Whether crossing bars take the maximum or add.
    seed : int or Generator
        Seed of the draws.

    Returns
    -------
    tuple of ndarray
        States (samples, size²) and bars (2 size, size²).

    Examples
    --------
    >>> states, bars = draw_bars(3, noise=0.0)
    >>> states.shape, int(bars.sum())
    ((3, 25), 500)
    """
    samples, size = check_integer("samples", samples), check_integer("size", size, 2)
    weight = check_real("weight", weight, -_LARGEST, _LARGEST)
    p, noise = check_real("p", p, 0, 1), check_real("noise", noise, 0, _LARGEST)
    rng = as_generator(seed)
    each = 2 * size if model == "maximum" else 3
    needed = 8.0 * size**2 * (samples * each + 4 * size)
    check_memory(f"samples = {samples}, size = {size}", needed, "give less")
    grid = np.zeros((2 * size, size, size))
    for k in range(size):
        grid[k, k, :] = grid[size + k, :, k] = weight
    bars = grid.reshape(2 * size, -1)
    on = rng.random((samples, 2 * size)) < p
    states = on @ bars if model == "binary" else np.where(on[:, :, None], bars, 0.0).max(axis=1)
    return states + noise * rng.standard_normal(states.shape), bars
