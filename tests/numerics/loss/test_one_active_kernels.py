import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from numerics.loss.law_table import law_table, law_tables
from numerics.loss.one_active_kernels import (
    few_active_rows,
    interference,
    mean_self_term,
    one_hot_rows,
    relu_pairs,
    self_term,
)
from theory.activation import Activation
from theory.regimes.one_active import interference_loss, self_loss

numbers = st.floats(-3, 3).filter(lambda x: x == 0 or abs(x) > 1e-6)
LAWS = {
    "U(0, 2)": Activation(),
    "U(0.5, 1)": Activation(0.5, 1.0),
    "two steps": Activation(0.0, 2.0, (3.0, 1.0)),
    "triangular": Activation(0.5, 1.5, (1.0, 2.0, 3.0, 2.0, 1.0)),
    "a gap": Activation(0.0, 1.5, (1.0, 0.0, 2.0)),
}
law_of_v = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)


def slope(f, x, h=1e-6):
    return (f(x + h) - f(x - h)) / (2 * h)


@law_of_v
def test_the_table_of_a_law(law):
    table = law_table(law)
    low, high = law.low, law.high
    assert table[:, 0] == pytest.approx(np.linspace(low, high, len(law.shares) + 1))
    assert table[:-1, 1] == pytest.approx(np.array(law.shares) / sum(law.shares))
    cells = [tuple(float(x) for x in cell) for cell in law.cells]
    for end, row in zip(table[:, 0], table, strict=True):
        for column, some in ((3, [c for c in cells if c[1] <= end + 1e-9]), (6, None)):
            some = [c for c in cells if c[0] >= end - 1e-9] if some is None else some
            moments = [
                sum(d * (b ** (k + 1) - a ** (k + 1)) / (k + 1) for a, b, d in some)
                for k in range(3)
            ]
            mass, mean, variance = row[column : column + 3]
            assert [mass, mass * mean] == pytest.approx(moments[:2])
            assert mass * (mean**2 + variance) == pytest.approx(moments[2])


@law_of_v
@given(g=numbers, b=numbers)
def test_kernels_are_the_derived_closed_forms(law, g, b):
    table = law_tables(law)
    assert interference(g, b, *table)[0] == pytest.approx(interference_loss(g, b, law), abs=1e-13)
    own = abs(g)
    assert self_term(own, b, *table)[0] == pytest.approx(self_loss(own, b, law), abs=1e-13)


# Where the argument of the ReLU is 0 at an end of the law, the slopes have a kink.
@law_of_v
@pytest.mark.parametrize("g", [0.05, 0.4, 1.3, -0.3, -1.1])
@pytest.mark.parametrize("b", [-1.02, -0.07, 0.03, 0.9])
def test_slopes(law, g, b):
    t = law_tables(law)
    _, by_g, by_b = interference(g, b, *t)
    assert by_g == pytest.approx(slope(lambda x: interference(x, b, *t)[0], g), abs=1e-8)
    assert by_b == pytest.approx(slope(lambda x: interference(g, x, *t)[0], b), abs=1e-8)
    own = abs(g)
    _, by_g, by_b = self_term(own, b, *t)
    assert by_g == pytest.approx(slope(lambda x: self_term(x, b, *t)[0], own), abs=1e-8)
    assert by_b == pytest.approx(slope(lambda x: self_term(own, x, *t)[0], b), abs=1e-8)
    for other in (0.6, -0.8):
        _, by_own, by_g, by_b = mean_self_term(own, other, b, *t)
        found = slope(lambda x, o=other: mean_self_term(x, o, b, *t)[0], own)
        assert by_own == pytest.approx(found, abs=1e-8)
        found = slope(lambda x: mean_self_term(own, x, b, *t)[0], other)
        assert by_g == pytest.approx(found, abs=1e-8)
        found = slope(lambda x, o=other: mean_self_term(own, o, x, *t)[0], b)
        assert by_b == pytest.approx(found, abs=1e-8)


@law_of_v
@pytest.mark.parametrize("own", [0.0, 0.3, 1.2])
@pytest.mark.parametrize("g", [0.0, 0.5, -0.9, 3.0])
@pytest.mark.parametrize("b", [-2.0, -0.4, 0.0, 0.7])
def test_mean_self_term_by_quadrature(law, own, g, b):
    (table, general), expected = law_tables(law), 0.0
    kinks = [(-own * end - b) / g for end in table[:, 0]] if g else []
    for low, high, density in law.cells:
        low, high = float(low), float(high)
        points = [v for v in kinks if low < v < high] or None
        part, _ = quad(
            lambda v: self_loss(own, b + g * v, law), low, high, points=points, epsabs=1e-13
        )
        expected += float(density) * part
    assert mean_self_term(own, g, b, table, general)[0] == pytest.approx(expected, abs=1e-12)


@law_of_v
def test_one_hot_rows_are_the_double_sum(law):
    rng = np.random.default_rng(0)
    W, b, p = rng.standard_normal((9, 4)), rng.standard_normal(9), rng.random(9)
    G = W @ W.T
    silent, own, _ = one_hot_rows(G[3:7], 3, p, b, *law_tables(law), None)
    for r, i in enumerate(range(3, 7)):
        terms = [p[j] * interference_loss(G[i, j], b[i], law) for j in range(9) if j != i]
        assert silent[r] == pytest.approx(sum(terms), rel=1e-13)
        assert own[r] == pytest.approx(self_loss(G[i, i], b[i], law), rel=1e-12)


@pytest.mark.parametrize("shift", [-0.8, 0.2])
def test_pairs_are_the_double_sum_with_its_slopes(shift):
    rng = np.random.default_rng(0)
    W, p = rng.standard_normal((9, 4)), rng.random(9)
    b = shift - 0.1 * rng.random(9) if shift < 0 else rng.standard_normal(9)
    gram = W @ W.T
    found = relu_pairs(slopes := gram.copy(), b, p)
    terms = p * interference_loss(gram, b[:, None])
    assert found == pytest.approx(terms.sum() - np.trace(terms), rel=1e-12)
    h, raised = 1e-6, gram.copy()
    raised[2, 5] = raised[5, 2] = gram[2, 5] + h
    terms = p * interference_loss(raised, b[:, None])
    rise = terms.sum() - np.trace(terms) - found
    assert slopes[2, 5] == slopes[5, 2] == pytest.approx(rise / h, abs=1e-5)
    assert np.array_equal(np.diag(slopes), np.zeros(9))


@law_of_v
def test_squares_are_of_the_side_on_which_the_output_lies(law):
    """For outputs that cannot cross zero the closed parts are the whole loss: its two moments."""
    rng = np.random.default_rng(1)
    W, p = rng.standard_normal((6, 3)), rng.uniform(0.1, 0.9, 6)
    G, (first, second) = W @ W.T, (float(law.moment(k)) for k in (1, 2))
    spread = second * p - (first * p) ** 2
    for b in (-50.0, 50.0):
        rows = few_active_rows(G, 0, p, np.full(6, b), *law_tables(law), None)
        assert np.all(rows[:, 4:6] == (b > 0))
        terms = rows[:, :2] + rows[:, 2:4]
        if b < 0:
            assert terms == pytest.approx(np.tile([0, second], (6, 1)), abs=1e-13)
            continue
        for i in range(6):
            others = np.arange(6) != i
            mean = b + first * (G[i] @ p - G[i, i] * p[i])
            variance = G[i, others] ** 2 @ spread[others]
            assert terms[i, 0] == pytest.approx(mean**2 + variance, rel=1e-13)
            own = G[i, i] - 1
            active = (mean + first * own) ** 2 + variance + own**2 * (second - first**2)
            assert terms[i, 1] == pytest.approx(active, rel=1e-13)


def test_the_closed_forms_do_not_cancel():
    """One overlap of 1e5 and a bias that leaves v above 1.999999 only: relative to itself."""
    with mpmath.workdps(40):
        g, b = mpmath.mpf(10) ** 5, mpmath.mpf(-199999.9)
        kink = -b / g
        exact = mpmath.quad(lambda v: (g * v + b) ** 2 / 2, [kink, 2])
    found = interference(float(g), float(b), *law_tables(Activation()))[0]
    assert found == pytest.approx(float(exact), rel=1e-8)
