"""The cost of independent interference against samples, differences and closed forms."""

from dataclasses import fields

import numpy as np
import pytest
from scipy.stats import norm

from theory.activation import UNIFORM, Activation
from theory.bounds.gegenbauer import evaluate_gegenbauer
from theory.mean_field.groups import FeatureGroups
from theory.mean_field.interference.expected_loss import InterferenceModel, expected_loss
from theory.mean_field.interference.kernels import gegenbauer_means, integrate, turn
from theory.mean_field.interference.overlap_laws import random_nodes
from theory.mean_field.interference.quadrature import choose_rule

GROUPS = FeatureGroups(np.array([1, 3, 16]), np.array([0.4, 0.15, 0.02]))
Z, WEIGHTS = random_nodes(6.0, 7)
R = np.array([0.9, 1.05, 1.1])
B = np.array([-0.05, -0.15, 0.04])
PAIRS = 6
T = Z + 0.3 * np.sin(np.arange(PAIRS))[:, None] - 0.05 * Z**2


def evaluate(model, level, r, b, t):
    return expected_loss(model, choose_rule(model, level, r, b, t), r, b, t)


def cost_of(activation=UNIFORM, one_hot=False, groups=GROUPS, level=0, r=R, b=B, t=T, m=6.0):
    return evaluate(InterferenceModel(groups, m, WEIGHTS, activation, one_hot), level, r, b, t)


def sample(groups, activation, one_hot, count, rng, bias=0.0, importance=None):
    """The loss of one draw after another, plainly: every feature, every overlap drawn anew."""
    group = np.repeat(np.arange(3), groups.sizes)
    p, n = groups.p[group], len(group)
    law = np.empty((3, 3, len(Z)))
    for k, (g, h) in enumerate(zip(*np.triu_indices(3), strict=True)):
        law[g, h] = law[h, g] = T[k]
    if one_hot:
        on = np.zeros((count, n), dtype=bool)
        which = rng.choice(n + 1, count, p=[*p, 1 - p.sum()])
        on[np.flatnonzero(which < n), which[which < n]] = True
    else:
        on = rng.random((count, n)) < p
    x = on * activation.sample(on.size, rng).reshape(on.shape)
    total = np.zeros(count)
    for i in range(n):
        seen = np.zeros(count)
        for j in range(n):
            if j != i:
                rows = np.flatnonzero(on[:, j])
                t = rng.choice(law[group[i], group[j]], rows.size, p=WEIGHTS)
                seen[rows] += R[group[i]] * R[group[j]] * t / np.sqrt(6) * x[rows, j]
        own = R[group[i]] ** 2 * x[:, i]
        error = np.maximum(B[group[i]] + bias + own + seen, 0) - x[:, i]
        total += (groups.importance if importance is None else importance)[group[i]] * error**2
    return total


@pytest.mark.parametrize(
    "activation", [UNIFORM, Activation(0.5, 1.0), Activation(0.0, 1.5, (1, 0, 3))]
)
@pytest.mark.parametrize("one_hot", [False, True])
def test_samples(activation, one_hot):
    groups = FeatureGroups(GROUPS.sizes, GROUPS.p / (2 if one_hot else 1))
    rng = np.random.default_rng(3)
    drawn = sample(groups, activation, one_hot, 60_000, rng)
    wrong = sample(groups, activation, one_hot, 60_000, rng, bias=0.02)
    expected = cost_of(activation, one_hot, groups).loss
    assert abs(drawn.mean() - expected) < 4 * drawn.std() / np.sqrt(drawn.size)
    assert abs(wrong.mean() - expected) > 4 * wrong.std() / np.sqrt(wrong.size)


@pytest.mark.parametrize("one_hot", [False, True])
def test_samples_with_importances(one_hot):
    importance = np.array([0.3, 2.0, 1.0])
    groups = FeatureGroups(GROUPS.sizes, GROUPS.p / (2 if one_hot else 1), importance)
    rng = np.random.default_rng(4)
    drawn = sample(groups, UNIFORM, one_hot, 40_000, rng)
    wrong = sample(groups, UNIFORM, one_hot, 40_000, rng, importance=1.05 * importance)
    expected = cost_of(UNIFORM, one_hot, groups).loss
    assert abs(drawn.mean() - expected) < 4 * drawn.std() / np.sqrt(drawn.size)
    assert abs(wrong.mean() - expected) > 4 * wrong.std() / np.sqrt(wrong.size)


@pytest.mark.parametrize(
    "activation", [UNIFORM, Activation(0.5, 3.0), Activation(0.0, 3.0, (1, 3, 2))]
)
@pytest.mark.parametrize("one_hot", [False, True])
def test_derivatives(activation, one_hot):
    importance = np.array([1.5, 0.4, 1.0])
    groups = FeatureGroups(GROUPS.sizes, GROUPS.p / (2 if one_hot else 1), importance)
    rng = np.random.default_rng(1)
    found = cost_of(activation, one_hot, groups)
    at = {"r": R, "b": B, "t": T}
    for name, start in at.items():
        way, step = rng.standard_normal(start.shape), 1e-6
        ends = [
            cost_of(activation, one_hot, groups, **{name: start + sign * step * way}).loss
            for sign in (-1, 1)
        ]
        slope = (ends[1] - ends[0]) / (2 * step)
        assert np.sum(getattr(found, name) * way) == pytest.approx(slope, rel=1e-6, abs=1e-8)


def test_finer_integrals_change_little():
    # Large interference, and small beside near-orthogonal features, where steps are coarse.
    for scale, most in ((1.0, 2e-4), (0.05, 2e-3)):
        coarse, fine = (cost_of(level=f, t=scale * T, b=-np.abs(B)).loss for f in (0, 1))
        assert coarse == pytest.approx(fine, rel=most)


def test_many_weak_terms_are_gaussian():
    """The closed form for Gaussian interference, with E so large that it is one."""
    n, m, p = 4000, 400.0, 0.5
    groups = FeatureGroups(np.array([n]), np.array([p]))
    z, weights = np.polynomial.hermite_e.hermegauss(15)
    r, b = 1.1, -0.4
    model = InterferenceModel(groups, m, weights / weights.sum(), UNIFORM)
    found = evaluate(model, 0, np.array([r]), np.array([b]), z[None, :]).loss / n
    s = r**2 * np.sqrt((n - 1) * p * 4 / 3 / m)

    def square(mu):
        return (mu**2 + s**2) * norm.cdf(mu / s) + mu * s * norm.pdf(mu / s)

    v = np.linspace(0, 2, 4001)
    mu = r**2 * v + b
    on = square(mu) - 2 * v * (mu * norm.cdf(mu / s) + s * norm.pdf(mu / s)) + v**2
    expected = (1 - p) * square(b) + p * np.trapezoid(on, v) / 2
    assert found == pytest.approx(expected, rel=2e-3)
    assert abs(found / ((1 - p) * square(b + 0.02) + p * np.trapezoid(on, v) / 2) - 1) > 4e-3


def test_no_overlap_costs_only_what_features_cost_alone():
    # Nothing decays here but 1/s³: the hardest case for the integrals, were it not taken out.
    for level in (0, 1):
        found = cost_of(t=0 * T, level=level)
        assert found.loss == pytest.approx(found.self_error, rel=1e-6)
    nearly = cost_of(t=1e-3 * T)
    assert nearly.loss == pytest.approx(cost_of(t=1e-3 * T, level=3).loss, rel=5e-4)
    assert abs(nearly.loss / found.self_error - 1) > 1e-6
    perfect = cost_of(t=0 * T, r=np.ones(3), b=np.zeros(3))
    assert perfect.loss == pytest.approx(0, abs=1e-6) and perfect.self_error == pytest.approx(0)
    assert {field.name for field in fields(found)} == {"loss", "self_error", "r", "b", "t"}


def plain_integrals(y, weights, ends, jumps, others, p, none, one, b, gain, silent, active, s, ds):
    """What ``integrate`` adds up, as the formulas have it: complex numbers, no recurrences."""
    K = len(b)

    def mean(x):  # ⟨e^{xv}⟩ for any shape
        return sum(jump * np.exp(end * x) for end, jump in zip(ends, jumps, strict=True)) / x

    def moment(x, k):  # the k-th derivative of that, on a circle around x
        circle = np.exp(2j * np.pi * np.arange(32) / 32)
        values = mean(x[..., None] + 0.4 * circle) * circle**-k
        return values.mean(-1) * np.prod(np.arange(1, k + 1)) / 0.4**k

    parts = np.zeros((K, 5))
    for g in range(K):
        up, down = (np.einsum("hzs,z->hs", mean(sign * s[g] * y[g][..., None]), weights)
                    for sign in (1, -1))  # fmt: skip
        M = [np.prod((1 - p[:, None] + p[:, None] * x) ** others[g][:, None], axis=0)
             for x in (up, down)]  # fmt: skip
        x = s[g]
        off = 2 * np.exp(x * b[g]) / x**3 * ds[g] * (M[0] - none[g] - one[g] @ up)
        tilt = 2 * np.exp(-x * b[g]) * ds[g] * (M[1] - none[g])
        e = [moment(-x * gain[g], k) for k in range(3)]
        on = tilt * (e[0] / x**3 + e[1] / x**2)
        parts[g, 0] = np.sum(silent[g] * off - active[g] * on).real
        parts[g, 1] = np.sum(x * (silent[g] * off + active[g] * on)).real
        parts[g, 2] = active[g] * np.sum(tilt * (e[1] / x**2 + e[2] / x)).real
        parts[g, 3:] = [np.log(np.abs(each)).max() for each in M]
    return parts


@pytest.mark.parametrize("activation", [UNIFORM, Activation(0.5, 1.5, (1, 3, 2))])
def test_compiled_integrals_are_those_of_the_formulas(activation):
    rng = np.random.default_rng(0)
    K, N = 3, 5
    inner = np.sort(rng.random(N))
    omega = np.concatenate([inner, 1 + inner, 2 * (1 + inner), 4 * (1 + inner)])
    y = rng.uniform(-0.6, 0.6, (K, K, 4))
    weights = rng.dirichlet(np.ones(4))
    ends, jumps = (np.asarray(a, dtype=float) for a in activation.steps)
    raw = np.array([float(activation.moment(k)) for k in range(7)])
    others = np.array([[0.0, 3, 20], [1, 2, 20], [1, 3, 19.5]])
    p = np.array([0.6, 0.1, 0.004])  # logarithms by the function, and by either length of series
    none, gain, silent, active = rng.uniform(0.1, 1.2, (4, K))
    one, b = rng.uniform(0, 0.3, (K, K)), rng.uniform(-0.3, 0.1, K)
    unit, domega = np.array([0.5, 0.8, 1.1]), rng.random(len(omega))
    parts, slope = np.empty((K, 5)), np.empty_like(y)
    room = np.empty((len(ends), K, 4, 2, len(omega)))
    at = (ends, jumps, raw, others, p, none, one, b, gain, silent, active)
    rule = (unit, 3.0, inner, omega, domega)
    integrate(y, weights, *at, *rule, room, parts, slope)
    s, ds = unit[:, None] * (3.0 + 1j * omega), unit[:, None] * domega
    formulas = (others, p, none, one, b, gain, silent, active, s, ds)
    expected = plain_integrals(y, weights, ends, jumps, *formulas)
    assert parts == pytest.approx(expected, rel=1e-9)
    way = rng.standard_normal(y.shape)
    ends_of = [
        plain_integrals(y + sign * 1e-6 * way, weights, ends, jumps, *formulas)[:, 0].sum()
        for sign in (-1, 1)
    ]
    assert np.sum(slope * weights * way) == pytest.approx(
        (ends_of[1] - ends_of[0]) / 2e-6, rel=1e-6
    )


def test_compiled_cos_and_sin():
    angle = np.concatenate([np.linspace(-300, 300, 2001), [0.0, np.pi, 1e-9]])
    cos, sin = np.empty_like(angle), np.empty_like(angle)
    turn(angle, cos, sin)
    assert np.abs(cos - np.cos(angle)).max() < 3e-14
    assert np.abs(sin - np.sin(angle)).max() < 3e-14


def test_compiled_gegenbauer_means():
    rng = np.random.default_rng(1)
    x, weights, m = rng.uniform(-1, 1, (3, 4)), rng.dirichlet(np.ones(4)), 7.3
    means, slopes = np.empty((6, 3)), np.empty((6, 3, 4))
    gegenbauer_means(m, x, weights, means, slopes)
    plain = evaluate_gegenbauer(m, 6, x.ravel()).reshape(7, 3, 4)[1:]
    assert means == pytest.approx(plain @ weights, rel=1e-12)
    step = 1e-6
    above, below = (
        evaluate_gegenbauer(m, 6, (x + sign * step).ravel()).reshape(7, 3, 4)[1:]
        for sign in (1, -1)
    )
    assert slopes == pytest.approx((above - below) / (2 * step) * weights, rel=1e-7, abs=1e-9)
