"""AND and t-of-r readouts against sampled states; the asymptotic widths and their derivation."""

import math

import numpy as np
import pytest

import superscale as ss


def plainly(n, m, k, t, r, draws, rng):
    """Return how often all sets are told apart by some threshold, and by the midpoint."""
    best, middle = 0, 0
    for _ in range(draws):
        U = rng.standard_normal((n, m)) / math.sqrt(m)
        s = U @ U[:k].sum(axis=0)
        on, off = np.sort(s[:k]), np.sort(s[k:])
        least = min(on[:j].sum() + off[: r - j].sum() for j in range(t, r + 1))
        most = max(on[k - j :].sum() + off[n - k - r + j :].sum() for j in range(t))
        best += least > most
        middle += least > t - 0.5 > most
    return best / draws, middle / draws


@pytest.mark.parametrize(("m", "t", "r"), [(110, 2, 2), (250, 2, 3), (170, 1, 2), (90, 1, 1)])
def test_against_sampled_states(m, t, r):
    n, k, draws = 40, 4, 1500
    sampled = plainly(n, m, k, t, r, draws, np.random.default_rng(1))
    for value, place in zip(sampled, ("best", "midpoint"), strict=True):
        found = ss.reading.recall_combinations(n, m, k, t, r, threshold=place, seed=2)
        p = found.probability
        if not 0.02 < p < 0.98:  # says little
            assert place == "midpoint"
            continue
        stderr = math.hypot(found.stderr, math.sqrt(p * (1 - p) / draws))
        assert abs(value - p) < 4 * stderr
        more = ss.reading.recall_combinations(n, m, k + 1, t, r, threshold=place, seed=2)
        assert abs(value - more.probability) > 4 * stderr


def test_single_items_are_the_recall_law():
    found = ss.reading.recall_combinations(2000, 220, 8, 1, 1)
    exact = ss.reading.recall(2000, 220, 8).probability
    assert abs(found.probability - exact) < 4 * found.stderr
    few = ss.reading.recall_combinations(10, 30, 4, 3, 4, seed=3)  # fewer than 2 r are off
    sampled, _ = plainly(10, 30, 4, 3, 4, 3000, np.random.default_rng(4))
    assert abs(sampled - few.probability) < 4 * math.sqrt(0.25 / 3000)


def test_the_derivation_ends_at_the_widths():
    steps = ss.reading.derive_recall()
    n, k = 3000, 9
    rule = {"k": k, "n": n}
    rule |= {"lambda_1": math.sqrt(2 * math.log(k)), "lambda_0": math.sqrt(2 * math.log(n - k))}
    for t, r in ((1, 1), (2, 2), (3, 5)):
        expression = steps["width"].rhs.subs(
            {
                s: rule.get(s.name, {"t": t, "r": r}.get(s.name))
                for s in steps["width"].rhs.free_symbols
            }
        )
        assert float(expression) == pytest.approx(ss.reading.asymptotic_width(n, k, t, r))
    on, off = rule["lambda_1"], rule["lambda_0"]
    assert ss.reading.asymptotic_width(n, k, 2, 2, threshold="midpoint") == pytest.approx(
        4 * k * (on + off) ** 2
    )


def test_derived_moments_are_those_of_drawn_states():
    m, k, draws = 12, 5, 40_000
    U = np.random.default_rng(0).standard_normal((draws, k + 1, m)) / math.sqrt(m)
    s = np.einsum("akm,am->ak", U, U[:, :k].sum(axis=1))
    steps = ss.reading.derive_recall()
    values = {
        "variance, on": s[:, 0].var(),
        "covariance, on": np.cov(s[:, 0], s[:, 1])[0, 1],
        "variance, off": s[:, k].var(),
    }
    for name, value in values.items():
        expression = steps[name]
        derived = float(
            expression.subs({x: {"k": k, "m": m}[x.name] for x in expression.free_symbols})
        )
        assert value == pytest.approx(derived, abs=0.02)
    assert s[:, 0].var() != pytest.approx(k / m, abs=0.02)


def test_bad_arguments():
    for arguments, message in (
        ((100, 50, 3, 3, 2), "t = 3"),
        ((100, 50, 1, 2, 2), "active = 1"),
        ((100, 50, 99, 2, 2), "active = 99"),
    ):
        with pytest.raises(ValueError, match=message):
            ss.reading.recall_combinations(*arguments)
    with pytest.raises(ValueError, match="midpoint"):
        ss.reading.recall_combinations(100, 50, 3, threshold="low")
    with pytest.raises(ValueError, match="midpoint"):
        ss.reading.asymptotic_width(100, 3, threshold="low")
