"""The width that a loss, or a number of kept features, takes: ``required_width``.

It is the inverse of ``predict``; ``predict(features, m).kept`` says how many features are kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from theory.checks import Sampling, check_integer, check_real
from theory.computing.argument_kinds import check_kinds
from theory.features import Features, as_features
from theory.frequencies import Frequencies
from theory.registry import THEORIES, predict

# Theories that are asked, the first that applies.
_BEST = ("mean_field", "weak")


@check_kinds
def required_width(
    features: Features | Frequencies,
    *,
    loss: float | None = None,
    kept: int | None = None,
    theory: str | None = None,
    sampling: Sampling = "bernoulli",
) -> int:
    """Return the least width at which a theory predicts a loss, or keeps a number of features.

    Parameters
    ----------
    features : Features or Frequencies
        What the model is shown.
    loss : float, optional
        Loss, above 0, that is not to be exceeded.
    kept : int, optional
        Number of features, 1 to n, to be kept: live ones of the mean field, the m that cost most
        in weak superposition. Give this or ``loss``.
    theory : str, optional
        A theory that ``predict`` takes; by default "mean_field" (seconds for each width that is
        tried, some eight of them), or "weak" where ``predict`` does not ask that by default.
    sampling : {"bernoulli", "one_hot"}
        As in ``predict``.

    Returns
    -------
    int
        Width m, 1 <= m <= n. At m = n every feature has its own direction and nothing is lost, by
        any theory.

    Raises
    ------
    TypeError
        If neither or both of ``loss`` and ``kept`` are given.
    ValueError
        For a loss or number out of range, or a theory that does not apply or gives no loss (or
        does not say what is kept).

    Notes
    -----
    The predicted loss falls with m, the number of kept features grows; the least width is bracketed
    and found by the secant through the ends in log L against log m, halved where that is slow.

    Examples
    --------
    >>> words = Frequencies.power_law(n=1000, alpha=1.5)
    >>> required_width(words, loss=0.1, theory="weak")
    62
    >>> predict(words, [61, 62], theory="weak").loss["weak"].round(4)
    array([0.1003, 0.0992])
    >>> required_width(words, kept=40, theory="weak")
    40
    """
    features = as_features(features)
    if (loss is None) == (kept is None):
        raise TypeError("give one of loss and kept, as required_width(features, loss=0.1)")
    name = theory or next(
        one.name
        for best in _BEST
        for one in THEORIES
        if one.name == best
        and one.applies(features)
        and sampling in one.samplings
        and (best == _BEST[-1] or one.not_by_default(features) is None)
    )
    if kept is not None:
        wanted = float(check_integer("kept", kept, 1, features.n))
        return _find(lambda m: _ask_kept(features, m, name, sampling), features.n, 1 / wanted)
    wanted = check_real("loss", loss, 0.0, strict=True)
    return _find(lambda m: _ask_loss(features, m, name, sampling), features.n, wanted)


def _ask_loss(features: Features, m: int, theory: str, sampling: Sampling) -> float:
    prediction = predict(features, m, theory, sampling=sampling)
    if not prediction[theory].has_loss:
        raise ValueError(f"theory {theory!r} gives no loss here: name another")
    return float(prediction.loss[theory])


def _ask_kept(features: Features, m: int, theory: str, sampling: Sampling) -> float:
    """Return 1/(features kept), which falls with m as a loss does."""
    prediction = predict(features, m, theory, sampling=sampling)
    if theory not in prediction.kept:
        raise ValueError(
            f"theory {theory!r} does not say which features are kept: name mean_field or weak"
        )
    return 1 / max(float(prediction.kept[theory]), 0.5)


def _find(ask: Callable[[int], float], n: int, wanted: float) -> int:
    """Return the least m with ask(m) <= wanted (to rounding), ask falling and met at n."""
    limit = wanted * (1 + 1e-12)
    low = 1
    at_low = ask(1)
    if not math.isfinite(at_low) and n > 2:  # a theory that begins at m = 2
        low, at_low = 2, ask(2)
        if at_low <= limit:
            return 2
    if at_low <= limit or n == 1:
        return 1
    high, at_high, halve = n, 0.0, False
    while high - low > 1:
        place = math.sqrt(low * high)
        if at_high > 0 and not halve:  # the secant
            share = math.log(at_low / limit) / math.log(at_low / at_high)
            place = low * (high / low) ** share
        m = int(np.clip(math.ceil(place - 1e-9), low + 1, high - 1))
        value, before = ask(m), high - low
        if value <= limit:
            high, at_high = m, value
        else:
            low, at_low = m, value  # NaN: too narrow for this theory
        if not math.isfinite(at_low):
            at_low = 2 * limit
        halve = not halve and high - low > before / 2
    return high
