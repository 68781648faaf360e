import itertools

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

from theory.activation import UNIFORM, Activation
from theory.features import Features
from theory.frequencies import Frequencies
from theory.regimes.tails import case_of, derive_tail
from theory.regimes.weak import (
    lost_loss,
    tail_loss,
    weak_exponent,
    weak_loss,
    weak_parts,
)
from theory.regimes.weak_derivation import derive_feature_loss, derive_weak
from theory.registry import predict

LAWS = [
    Frequencies.power_law(500, 0.0),
    Frequencies.power_law(500, 0.5),
    Frequencies.power_law(500, 0.75, density=0.3),
    Frequencies.power_law(500, 1.0, density=3.0),
    Frequencies.power_law(500, 1.2),
    Frequencies.power_law(500, 2.0),
    Frequencies.exponential(500, 40.0, density=2.0),
    Frequencies.exponential(500, 1e7),
    Frequencies.linear(500),
    Frequencies.from_counts(np.arange(1, 501) ** 2),
]


def feature_loss_by_quadrature(p, activation):
    """Least ⟨(u v - c)²⟩ over c >= 0, with the mean by quadrature and the minimum by search."""
    low, high = activation.low, activation.high

    def loss(c):
        active, _ = quad(lambda v: (v - c) ** 2 / (high - low), low, high)
        return (1 - p) * c**2 + p * active

    return minimize_scalar(loss, bounds=(0, high), method="bounded", options={"xatol": 1e-10}).fun


@pytest.mark.parametrize("activation", [UNIFORM, Activation(0.5, 1.0)])
@pytest.mark.parametrize("p", [0.001, 0.3, 0.9, 1.0])
def test_the_least_loss_of_a_lost_feature(p, activation):
    symbolic = float(
        derive_feature_loss(activation)[0]
        .subs({"p": p}, simultaneous=True)
        .subs({s: p for s in derive_feature_loss(activation)[0].free_symbols})
    )
    assert symbolic == pytest.approx(feature_loss_by_quadrature(p, activation), rel=1e-9)


@pytest.mark.parametrize("f", LAWS, ids=str)
@pytest.mark.parametrize("activation", [UNIFORM, Activation(0.5, 1.0)])
def test_loss_against_the_list(f, activation):
    r = np.array([0, 1, 7, 100, 499, 500])
    first, second = float(activation.moment(1)), float(activation.moment(2))
    direct = [np.sum(second * f.p[k:] - first**2 * f.p[k:] ** 2) for k in r]
    features = Features(f, activation)
    assert weak_loss(features, r) == pytest.approx(direct, rel=1e-12, abs=1e-15)
    parts = weak_parts(features, r)
    carried = [second * np.sum(f.p[k:]) for k in r]
    assert parts["lost activations"] == pytest.approx(carried, rel=1e-12, abs=1e-15)
    saved = [-(first**2) * np.sum(f.p[k:] ** 2) for k in r]
    assert parts["constant outputs"] == pytest.approx(saved, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("f", LAWS[:-1], ids=str)
def test_numbers_come_from_the_expression(f):
    """The plain expression, evaluated by sympy in its own arithmetic, gives the same numbers."""
    prediction = predict(f, [7, 100], theory="weak")
    values = {"n": f.n, "alpha": f.parameter, "s": f.parameter}
    values = {k: sp.nsimplify(v) for k, v in values.items() if v is not None}
    for of, numbers in (("loss", prediction.loss), ("exponent", prediction.exponent)):
        expression = prediction.expression("weak", of=of)
        for m, number in zip((7, 100), numbers["weak"], strict=True):
            exact = expression.subs(values | {"m": m}).evalf(25)
            assert number == pytest.approx(float(exact), rel=1e-11)


@pytest.mark.parametrize("f", LAWS[:-1], ids=str)
def test_exponent_is_the_slope_of_the_continued_loss(f):
    expression = predict(f, 7, theory="weak").expression("weak")
    values = {
        k: v for k, v in {"n": f.n, "alpha": f.parameter, "s": f.parameter}.items() if v is not None
    }
    loss = expression.subs({k: sp.nsimplify(v) for k, v in values.items()})
    step = sp.Rational(1, 10**8)
    for m in (7, 100):
        high, low = (sp.log(loss.subs("m", m + s)).evalf(40) for s in (step, -step))
        slope = -m * (high - low) / (2 * step)
        assert float(weak_exponent(f, m)) == pytest.approx(float(slope), rel=1e-10)


def test_exponent_of_a_table_is_its_slope_between_neighbours():
    law = Frequencies.power_law(2000, 1.3)
    table = Frequencies.from_probabilities(law.p)
    # A central difference is off by the third derivative: (1/m)² of the exponent or so.
    for m, tolerance in ((30, 2e-3), (300, 2e-5)):
        exact = float(weak_exponent(law, m))
        assert float(weak_exponent(table, m)) == pytest.approx(exact, rel=tolerance)
    low, high = (float(weak_loss(table, m)) for m in (1998, 1999))
    end = np.log(low / high) / np.log(1999 / 1998)
    assert weak_exponent(table, [0, 1999, 2000]) == pytest.approx([0, end, np.inf])


@pytest.mark.parametrize("alpha", [1e-16, 1e-12, 1e-6, 1e-3])
def test_exponent_of_nearly_even_frequencies(alpha):
    # Even frequencies have m/(n - m); a slope alpha changes it in proportion.
    value = float(weak_exponent(Frequencies.power_law(1000, alpha), 10))
    assert value == pytest.approx(10 / 990, rel=10 * alpha + 1e-12)


def test_exponent_where_the_loss_is_tiny_or_nothing(recwarn):
    f = Frequencies.exponential(10**6, 100.0)
    # e^(-m/s) at m = 10^5 is 1e-434: no float, but its slope is m/s.
    assert weak_loss(f, 10**5) == 0
    assert weak_exponent(f, [50_000, 10**5]) == pytest.approx([500, 1000], rel=1e-12)
    assert np.isnan(weak_exponent(Frequencies.power_law(1000, 1000.0), 10))
    assert not recwarn.list


# ---- limits ---------------------------------------------------------------------------


def test_exponent_one_half_exactly():
    f = Frequencies.power_law(1000, 1.5)
    exponent = predict(f, 10, "weak").expression("weak", of="exponent", limit="leading")
    assert exponent.subs("alpha", sp.Rational(3, 2)) == sp.Rational(1, 2)
    assert exponent.subs("alpha", sp.Rational(5, 4)) != sp.Rational(1, 2)


@pytest.mark.parametrize(
    ("f", "m", "tolerance"),
    [
        # The correction to each leading term is of the order given.
        (Frequencies.power_law(10**9, 2.0), 10**4, 1e-3),
        (Frequencies.power_law(10**9, 0.5), 10**7, 1e-4),
        (Frequencies.power_law(10**9, 0.0), 10**7, 1e-6),
        (Frequencies.exponential(10**9, 1e4), 10**5, 1e-3),
        (Frequencies.linear(10**9), 10**8, 1e-6),
    ],
    ids=str,
)
def test_leading_terms_are_reached(f, m, tolerance):
    values = {"m": m, "n": f.n, "alpha": f.parameter, "s": f.parameter}
    values = {k: v for k, v in values.items() if v is not None}
    prediction = predict(f, m, theory="weak")
    leading = float(prediction.expression(limit="leading").subs(values).evalf())
    assert prediction.loss["weak"] == pytest.approx(leading, rel=tolerance)
    slope = float(prediction.expression(of="exponent", limit="leading").subs(values).evalf())
    assert prediction.exponent["weak"] == pytest.approx(slope, rel=10 * tolerance)


def test_zipf_law_reaches_its_logarithm_slowly_but_surely():
    """ln(n/m)/ln n at fixed m = n^(1/2) is reached as 1/ln n: the error times ln n is constant.

    The constant is -γ (Euler's), from H_n = ln n + γ + …: a leading term off by a factor fails.
    """
    errors = []
    for digits in (4, 8, 14):
        f = Frequencies.power_law(10**digits, 1.0)
        m = 10 ** (digits // 2)
        leading = predict(f, m, theory="weak").expression(limit="leading")
        ratio = float(weak_loss(f, m)) / float(leading.subs({"m": m, "n": f.n}).evalf())
        errors.append((ratio - 1) * np.log(10.0**digits))
    gamma = float(sp.EulerGamma)
    assert errors[2] == pytest.approx(-gamma, rel=0.03)
    assert abs(errors[2] + gamma) < abs(errors[1] + gamma) < abs(errors[0] + gamma)


@pytest.mark.parametrize("alpha", [1.2, 1.5, 3.0])
def test_infinite_n(alpha):
    big = Frequencies.power_law(10**9, alpha)
    limit = predict(big, 10, "weak").expression("weak", limit="infinite_n")
    value = float(limit.subs({"m": 10, "alpha": sp.nsimplify(alpha)}).evalf())
    # What is cut off at n, by the integral.
    missing = 1e9 ** (1 - alpha) / (alpha - 1) * 4 / 3 / float(sp.zeta(alpha))
    assert float(weak_loss(big, 10)) == pytest.approx(value, abs=1.2 * missing + 1e-13)
    with pytest.raises(ValueError, match="has no expression"):
        predict(Frequencies.linear(10), 5, "weak").expression("weak", limit="infinite_n")


# ---- what to keep, and whether the model does what is said -------------------------------


def least_by_trying(features, r):
    """The least loss over all ways to keep r features."""
    some = itertools.combinations(range(features.n), r)
    lost = (~np.isin(np.arange(features.n), kept) for kept in some)
    return min(lost_loss(features, one) for one in lost)


importances = st.lists(st.sampled_from([0.0, 0.1, 0.5, 1.0, 3.0]), min_size=7, max_size=7)


@given(
    st.lists(st.floats(0.01, 1), min_size=2, max_size=7),
    st.integers(0, 7),
    st.none() | importances.filter(lambda i: any(i[:2])),
    st.sampled_from([UNIFORM, Activation(0.5, 1.0), Activation(0.0, 2.0, (1, 2, 3))]),
)
def test_no_other_choice_of_kept_features_loses_less(p, r, importance, activation):
    f = Frequencies.from_probabilities(sorted(p, reverse=True))
    r = min(r, f.n)
    features = Features(f, activation, None if importance is None else importance[: f.n])
    least = least_by_trying(features, r)
    assert weak_loss(features, r) == pytest.approx(least, rel=1e-12, abs=1e-15)
    in_order = lost_loss(features, np.arange(f.n) >= r)
    assert tail_loss(features, r) == pytest.approx(in_order, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(
    "f",
    [
        Frequencies.linear(400, density=200.0),
        Frequencies.power_law(400, 0.3, density=90.0),
        Frequencies.power_law(400, 0.0, density=360.0),
        Frequencies.exponential(400, 100.0, density=95.0),
    ],
    ids=str,
)
def test_dense_laws_keep_the_features_that_cost_most(f):
    """Without a list (bisection over ranks) as with one (sorted costs)."""
    r = np.array([0, 1, 20, 150, 399, 400])
    costs = np.sort(4 / 3 * f.p - f.p**2)[::-1]
    direct = [costs[k:].sum() for k in r]
    assert weak_loss(f, r) == pytest.approx(direct, rel=1e-12, abs=1e-13)
    slope = np.log(costs[19:].sum() / costs[21:].sum()) / np.log(21 / 19)
    # One number does not depend on what else is asked.
    several = weak_exponent(f, [1, 20, 300])
    assert several.tolist() == [weak_exponent(f, k) for k in (1, 20, 300)]
    # The exact slope of an even law, which has no better choice, differs by its curvature.
    assert weak_exponent(f, 20) == pytest.approx(slope, rel=1e-9 if f.parameter != 0 else 1e-3)


def test_importances_change_what_is_kept():
    f = Frequencies.power_law(50, 1.0, density=2.0)
    importance = np.linspace(0.1, 2, 50)
    features = Features(f, importance=importance)
    costs = np.sort(importance * (4 / 3 * f.p - f.p**2))[::-1]
    r = np.array([0, 3, 20, 50])
    assert weak_loss(features, r) == pytest.approx([costs[k:].sum() for k in r], rel=1e-12)
    assert weak_loss(Features(f, importance=2 * importance), r) == pytest.approx(
        2 * weak_loss(features, r), rel=1e-12
    )
    slope = np.log(costs[9:].sum() / costs[11:].sum()) / np.log(11 / 9)
    assert weak_exponent(features, 10) == pytest.approx(slope, rel=1e-12)
    # Negative controls: one importance 10 % off, and the importances reversed.
    off = importance * np.where(np.arange(50) == 40, 1.1, 1.0)
    for wrong in (off, importance[::-1]):
        assert weak_loss(Features(f, importance=wrong), 3) != pytest.approx(
            costs[3:].sum(), rel=1e-4
        )


def test_features_that_are_nearly_always_on_are_cheap_to_lose():
    f = Frequencies.from_probabilities([0.95, 0.6, 0.5])
    kept_second = lost_loss(f, [True, False, True])
    assert kept_second == pytest.approx(weak_loss(f, 1), rel=1e-14)
    assert kept_second < tail_loss(f, 1) - 0.05
    assert "at m = 1, 2 the most" in " ".join(predict(f, [1, 2, 3], "weak")["weak"].assumptions)
    for fine in (
        Frequencies.power_law(1000, 1.0),
        Frequencies.power_law(10, 0.0, density=9),  # all equal: no other choice is better
        Frequencies.from_probabilities([0.95, 0.94, 0.3]),  # 0.95 + 0.3 < 4/3
    ):
        m = 2 if fine.n == 3 else 1
        assert "and not kept" not in " ".join(predict(fine, m, "weak")["weak"].assumptions)
    both = Frequencies.from_probabilities([0.95, 0.94, 0.3])
    assert "at m = 1 the most" in " ".join(predict(both, [1, 2], "weak")["weak"].assumptions)


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=6), st.integers(1, 5))
def test_the_warning_says_when_an_exchange_would_help(p, m):
    f = Frequencies.from_probabilities(sorted(p, reverse=True))
    m = min(m, f.n - 1)
    exchanged = np.arange(f.n) > m  # feature 1 is lost instead of feature m + 1
    exchanged[0] = True
    helps = lost_loss(f, exchanged) < tail_loss(f, m) - 1e-12
    warned = "and not kept" in " ".join(predict(f, m, "weak")["weak"].assumptions)
    assert warned >= helps
    if warned:
        assert lost_loss(f, exchanged) <= tail_loss(f, m) + 1e-12


def test_lost_features_are_a_mask():
    f = Frequencies.linear(3)
    for bad in ([0, 1, 1], [True, False], [0.5, 0.3, 0.2]):
        with pytest.raises(ValueError, match="True or False for each of the 3 features"):
            lost_loss(f, bad)
    assert lost_loss(f, np.zeros(3, dtype=bool)) == 0


def test_a_number_for_a_number_and_an_array_for_an_array():
    f = Frequencies.linear(10)
    for quantity in (weak_loss, weak_exponent, tail_loss):
        assert isinstance(quantity(f, 3), float)
        assert quantity(f, [3, 4]).shape == (2,)
        assert quantity(f, [3, 4])[0] == quantity(f, 3)


def test_loss_of_the_model_itself_by_sampling():
    """Dense samples of the model with W = (1, 0), b = (0, p) against L(r), and wrong formulas."""
    f, r = Frequencies.power_law(40, 0.8, density=4.0), 6
    rng = np.random.default_rng(1)
    x = (rng.random((400_000, f.n)) < f.p) * rng.uniform(0, 2, (400_000, f.n))
    y = np.where(np.arange(f.n) < r, x, f.p)
    each = np.sum((y - x) ** 2, axis=1)
    mean, error = each.mean(), each.std() / np.sqrt(each.size)
    assert abs(mean - float(weak_loss(f, r))) < 4 * error
    # Negative controls: no p² term; one feature more or less; the wrong ⟨v²⟩.
    lost = weak_parts(f, r)["lost activations"]
    for wrong in (lost, weak_loss(f, r + 1), weak_loss(f, r - 1), weak_loss(f, r) - lost / 4):
        assert abs(mean - float(wrong)) > 4 * error


@given(st.floats(0, 3), st.integers(2, 10**6), st.floats(0.05, 1))
def test_loss_falls_with_width_and_rises_with_density(alpha, n, density):
    f = Frequencies.power_law(n, alpha, density)
    widths = np.unique(np.geomspace(1, n, 9).astype(int))
    loss = weak_loss(f, widths)
    # Strictly: in range p <= 2/3 or a top feature alone, each kept feature saves something.
    assert np.all(np.diff(loss) < 0) and loss[-1] == 0
    assert np.all(weak_loss(Frequencies.power_law(n, alpha, density / 2), widths[:-1]) < loss[:-1])


@pytest.mark.parametrize("case", sorted({case_of(f) for f in LAWS[:-1]}))
def test_derivations_hold_together(case):
    form = derive_weak(case)
    derivation = form.derivation
    assert derivation["loss"].rhs == form.loss["exact"]
    assert sp.simplify(sum(form.parts.values()) - form.loss["exact"]) == 0
    tail = derive_tail(case)
    assert derivation["tail"].rhs == tail.mass
    text = str(derivation)
    for step in derivation.steps:
        assert step.name in text and step.text in text
    assert r"\[" in derivation.latex()
    with pytest.raises(KeyError, match="the steps are"):
        derivation["no such step"]


def test_bad_input():
    f = Frequencies.linear(10)
    for r in (-1, 11, 2.5):
        with pytest.raises(ValueError, match="is not allowed"):
            weak_loss(f, r)
        with pytest.raises(ValueError, match="is not allowed"):
            weak_exponent(f, r)
    with pytest.raises(ValueError, match="no symbolic tail"):
        derive_tail("table")
