"""Recall laws against sampled states, published widths, and what they must obey."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_ndtr
from scipy.stats import norm

import superscale as ss
from theory.reading.score_law import ScoreLaw

recall = ss.reading.recall


def draw_scores(n, m, x, noise, codes, draws, rng):
    """Yield the scores of n items, of which the first are on, all vectors drawn."""
    for _ in range(draws):
        U = rng.standard_normal((n, m)) / np.sqrt(m)
        if codes == "unit":
            U /= np.linalg.norm(U, axis=1, keepdims=True)
        if codes == "bipolar":
            U = np.sign(U) / np.sqrt(m)
        yield U @ (x @ U[: len(x)] + noise * rng.standard_normal(m))


def assert_near(hits, probability, draws):
    stderr = math.sqrt(max(probability * (1 - probability), 1 / draws) / draws)
    assert abs(hits / draws - probability) < 4 * stderr


SETTINGS = [
    # n, m, strengths, noise, codes
    (60, 20, [1] * 3, 0, "random"),
    (50, 30, [1] * 2, 0, "random"),
    (60, 30, [1], 0, "random"),
    (60, 20, [1], 0.15, "random"),
    (100, 40, [1] * 4, 0.1, "random"),
    (100, 60, [1, 1, 0.7, 1.3], 0, "random"),
    (100, 60, [1, 1, 0.7, 1.3], 0.1, "random"),
    (40, 12, [2, 0.8], 0, "random"),
    (100, 60, [1] * 4, 0, "unit"),
    (100, 60, [1, 1, 0.7, 1.3], 0.1, "unit"),
    (200, 120, [1] * 9, 0, "bipolar"),
]


@pytest.mark.parametrize(("n", "m", "x", "noise", "codes"), SETTINGS)
def test_against_sampled_states(n, m, x, noise, codes):
    draws, k = 1500, len(x)
    rng = np.random.default_rng(3)
    options = {"codes": codes, "strengths": x, "noise": noise}
    top, argmax, cut, rates = 0, 0, 0, []
    threshold = 0.6 * min(x)
    for s in draw_scores(n, m, np.array(x, float), noise, codes, draws, rng):
        top += s[:k].min() > s[k:].max()
        argmax += s[0] > s[k:].max()
        cut += s[:k].min() > threshold > s[k:].max()
        rates.append((np.mean(s[k:] > threshold), np.mean(s[:k] < threshold)))
    assert_near(top, recall(n, m, k, **options).probability, draws)
    assert_near(argmax, recall(n - k + 1, m, k, "argmax", **options).probability, draws)
    at = recall(n, m, k, "threshold", threshold=threshold, **options)
    assert_near(cut, at.probability, draws)
    mean, spread = np.mean(rates, axis=0), np.std(rates, axis=0) / math.sqrt(draws)
    if codes == "random":  # the others keep the rates to order 1/m
        assert np.all(np.abs(mean - (at.false_alarm, at.miss)) < 4 * spread + 1e-3 / draws)
    if len(set(x)) > 1:
        return
    best = recall(n, m, k, "threshold", **options)
    assert (
        best.probability >= at.probability
        and best.probability <= recall(n, m, k, **options).probability
    )


def conditional(n, m, k, draws, rng):
    """Return the mean probability of success given each drawn state."""
    U = rng.standard_normal((draws, k, m)) / np.sqrt(m)
    h = U.sum(axis=1)
    lowest = np.einsum("akm,am->ak", U, h).min(axis=1)
    right = np.exp((n - k) * log_ndtr(lowest * np.sqrt(m) / np.linalg.norm(h, axis=1)))
    return right.mean()


@pytest.mark.parametrize("error", [0.5, 0.1, 0.01, 0.001])
@pytest.mark.parametrize(("n", "k"), [(100, 1), (1000, 4), (100_000, 8), (10_000, 16)])
def test_large_sizes_and_k_plus_one_is_rejected(n, k, error):
    m = ss.reading.required_width(n, k, error)
    assert recall(n, m, k).error <= error < recall(n, m - 1, k).error
    draws = 800
    sampled, p = conditional(n, m, k, draws, np.random.default_rng(k)), recall(n, m, k).probability
    # The mean square of a state's probability is the law with twice as many others.
    stderr = math.sqrt((recall(2 * n - k, m, k).probability - p**2) / draws)
    assert abs(sampled - p) < 4 * stderr
    if error >= 0.1:
        assert abs(sampled - recall(n, m, k + 1).probability) > 4 * stderr


def test_published_widths():
    """Frady, Kleyko and Sommer 2018: 1000 items superposed, one of 100 candidates is right."""
    for codes in ("bipolar", "unit", "random"):
        for error, width in ((0.1, 15_221), (0.01, 25_717)):
            found = ss.reading.required_width(100, 1000, error, "argmax", codes=codes)
            assert found == pytest.approx(width, rel=0.002)
            assert found != pytest.approx(width * 1001 / 1000, rel=2e-4)


def test_against_the_joint_law_of_few_normals():
    """Two members: their scores are ρ R ± Z/√2, one integral over each of R and Z."""
    m, n = 14, 50
    z = np.linspace(-8, 8, 1601)
    R = np.linspace(0.01, 12, 1201)
    chi = np.exp((m - 1) * np.log(R) - R * R / 2 - math.lgamma(m / 2) - (m / 2 - 1) * math.log(2))
    lowest = R[:, None] / math.sqrt(2) - np.abs(z) / math.sqrt(2)
    right = np.exp((n - 2) * log_ndtr(lowest)) * chi[:, None] * norm.pdf(z)
    brute = right.sum() * (z[1] - z[0]) * (R[1] - R[0])
    assert recall(n, m, 2).probability == pytest.approx(brute, abs=5e-6)
    # By the integral over Y that three and more members need, as hardly any noise makes it.
    law = ScoreLaw(m, n - 2, (1.0,), (2,), 1e-4, "random")
    assert law.all_above_others() == pytest.approx(brute, abs=2e-5)
    two_kinds = ScoreLaw(m, n - 2, (1.0, 1.0 + 1e-9), (1, 1), 0.0, "random")
    assert two_kinds.all_above_others() == pytest.approx(brute, abs=2e-5)


@given(n=st.integers(3, 3000), m=st.integers(2, 800), k=st.integers(1, 40), noise=st.floats(0, 0.5))
def test_what_recall_obeys(n, m, k, noise):
    k = min(k, n - 1)
    here = recall(n, m, k, noise=noise)
    assert 0 <= here.probability <= 1 and here.error == pytest.approx(1 - here.probability)
    tolerance = 1e-6
    assert recall(n, m + 7, k, noise=noise).error <= here.error + tolerance
    assert recall(n + 9, m, k, noise=noise).error >= here.error - tolerance
    assert recall(n, m, k, noise=noise + 0.2).error >= here.error - tolerance
    # All strengths and the noise twice as large: the same.
    double = recall(n, m, k, noise=2 * noise, strengths=np.full(k, 2.0))
    assert double.error == pytest.approx(here.error, abs=1e-9)


def test_inverses_agree():
    for readout in ("top_k", "argmax", "threshold"):
        k = ss.reading.max_active(5000, 600, 0.02, readout)
        assert recall(5000, 600, k, readout).error <= 0.02 < recall(5000, 600, k + 1, readout).error
        assert ss.reading.required_width(5000, k, 0.02, readout) <= 600
        assert ss.reading.required_width(5000, k + 1, 0.02, readout) > 600
    assert ss.reading.max_active(1000, 2, 0.001) == 0


def test_the_asymptotic_form_is_reached_slowly():
    """The exact width over the leading order falls towards 1 as n and k grow."""
    ratios = [
        ss.reading.required_width(n, k, 0.3) / ss.reading.asymptotic_width(n, k)
        for n, k in ((100, 2), (10**4, 16), (10**6, 128))
    ]
    assert 0.7 < ratios[-1] < 1.0
    assert abs(ratios[-1] - 1) < abs(ratios[0] - 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"active": 101}, "at most n are on"),
        ({"readout": "best"}, "give 'argmax', 'top_k' or"),
        ({"codes": "sparse"}, "give 'random', 'unit'"),
        ({"threshold": 0.5}, "goes with readout='threshold'"),
        ({"blocks": 4}, "goes with codes='block'"),
        ({"strengths": [1.0, -1.0]}, "finite number above 0"),
        ({"noise": -1}, "of at least 0"),
        ({"codes": "block", "blocks": 3, "readout": "threshold"}, "divides m = 50"),
        ({"codes": "block", "blocks": 5}, "union of units"),
    ],
)
def test_bad_arguments(changes, message):
    with pytest.raises(ValueError, match=message):
        recall(**({"n": 100, "m": 50, "active": 2} | changes))
    with pytest.raises(ValueError, match="too much"):
        ss.reading.required_width(100, 2, 0.01, noise=1.0)
