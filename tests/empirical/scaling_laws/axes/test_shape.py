"""The best shape for a budget, against a search over all shapes and the law's own exponents."""

import math

import numpy as np
import pandas as pd
import pytest

import superscale as ss

C, A = (275.0, 6.7, 530.0), (0.95, 1.3, 0.3)


@pytest.fixture(scope="module")
def fit():
    grid = np.meshgrid((256, 512, 1024, 2048), (4, 8, 16, 32), (1e9, 1e10, 1e11))
    m, depth, D = (x.ravel() for x in grid)
    noise = np.exp(0.002 * np.random.default_rng(0).standard_normal(m.size))
    loss = (1.75 + C[0] / m ** A[0] + C[1] / depth ** A[1] + C[2] / D ** A[2]) * noise
    table = pd.DataFrame({"m": m, "l": depth, "D": D, "loss": loss})
    return ss.scaling_laws.fit_axes(table, ["m", "l", "D"])


def loss_of(fit, m, depth, D):
    return fit.predict(m=m, l=depth, D=D)


@pytest.mark.parametrize("vocabulary", [0, 32000])
def test_no_shape_of_the_budget_is_better(fit, vocabulary):
    best = ss.scaling_laws.plan_shape(fit, compute=1e21, vocabulary=vocabulary, samples=2)
    m, depth = np.meshgrid(np.geomspace(200, 20000, 700), np.geomspace(3, 300, 700))
    D = 1e21 / (6 * (12 * m**2 * depth + vocabulary * m))
    loss = loss_of(fit, m, depth, D)
    assert best.loss <= loss.min() * (1 + 1e-9)
    k = np.unravel_index(np.argmin(loss), loss.shape)
    assert best.width == pytest.approx(m[k], rel=0.01)
    assert best.depth == pytest.approx(depth[k], rel=0.01)
    assert best.compute == pytest.approx(1e21)
    assert loss_of(fit, best.width, best.depth, best.tokens) == pytest.approx(best.loss)


def test_a_doubled_budget_moves_it_as_the_exponents_say(fit):
    one, two = (
        ss.scaling_laws.plan_shape(fit, compute=budget, samples=2) for budget in (1e21, 2e21)
    )
    # Stationarity at C = 72 m^2 l D: alpha_m c_m/m^alpha_m = 2 alpha_D c_D/D^alpha_D, for the
    # depth the same without the 2; so each is a power of D.
    a, b, d = fit.exponents.values()
    tokens = 1 / (1 + 2 * d / a + d / b)
    expected = {"width": tokens * d / a, "depth": tokens * d / b, "tokens": tokens}
    for name, power in expected.items():
        assert math.log2(getattr(two, name) / getattr(one, name)) == pytest.approx(power, rel=1e-4)
        assert one.growth[name] == pytest.approx(power, rel=1e-4)
        assert abs(one.growth[name] - 1.1 * power) > 1e-3  # the negative control
    names = ("width", "depth", "tokens")
    terms = zip(names, (a, b, d), fit.coefficients.values(), strict=True)
    pull = [alpha * c * getattr(one, name) ** -alpha for name, alpha, c in terms]
    assert pull[0] == pytest.approx(2 * pull[2], rel=1e-6)
    assert pull[1] == pytest.approx(pull[2], rel=1e-6)


def test_a_budget_of_parameters(fit):
    best = ss.scaling_laws.plan_shape(fit, parameters=1e9, tokens=2e10, vocabulary=32000, samples=2)
    m = np.geomspace(200, 10000, 20001)
    depth = (1e9 - 32000 * m) / (12 * m**2)
    m, depth = m[depth > 0], depth[depth > 0]
    loss = loss_of(fit, m, depth, 2e10)
    assert best.loss <= loss.min() * (1 + 1e-12)
    assert best.width == pytest.approx(m[np.argmin(loss)], rel=1e-3)
    assert best.parameters == pytest.approx(1e9)
    assert best.tokens == 2e10


def test_flat_directions_raise_the_loss_by_the_tolerance(fit):
    best = ss.scaling_laws.plan_shape(fit, compute=1e21, samples=2, tolerance=1e-4)
    for row in best.flat.to_dict("records"):
        shape = (
            best.width * row["width"],
            best.depth * row["depth"],
            best.tokens * row["tokens"],
        )
        assert 72 * shape[0] ** 2 * shape[1] * shape[2] == pytest.approx(1e21)
        assert loss_of(fit, *shape) / best.loss - 1 == pytest.approx(1e-4, rel=0.1)
    first, second = best.flat.to_dict("records")
    spread = [abs(math.log(row["width"])) + abs(math.log(row["depth"])) for row in (first, second)]
    assert spread[0] > spread[1]


def test_intervals_hold_the_optimum_of_the_true_law(fit):
    a, b, d = A
    best = ss.scaling_laws.plan_shape(fit, compute=1e21, samples=60, level=0.99)

    def true_tokens(D):
        m = (2 * d * C[2] * D**-d / (a * C[0])) ** (-1 / a)
        depth = (d * C[2] * D**-d / (b * C[1])) ** (-1 / b)
        return 72 * m**2 * depth * D, m, depth

    D = np.geomspace(1e9, 1e13, 400001)
    budget, m, depth = true_tokens(D)
    k = np.argmin(np.abs(np.log(budget / 1e21)))
    for name, value in (("width", m[k]), ("depth", depth[k]), ("tokens", D[k])):
        interval = best.intervals[name]
        assert interval.low < value < interval.high
        assert not interval.low < 1.5 * value < interval.high


def test_other_counts_of_parameters_and_compute(fit):
    mixture = ss.scaling_laws.plan_shape(
        fit, compute=1e21, samples=2, count_compute=lambda N, D: 2 * N * D
    )
    plain = ss.scaling_laws.plan_shape(fit, compute=3e21, samples=2)
    assert mixture.width == pytest.approx(plain.width, rel=1e-5)
    assert mixture.compute == pytest.approx(1e21)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "give either compute= or parameters="),
        ({"compute": 1e21, "parameters": 1e9}, "give either"),
        ({"compute": -1}, "compute = -1"),
        ({"compute": 1e21, "tokens": 1e9}, "tokens= goes with parameters="),
        ({"parameters": 1e9}, "give tokens= with parameters="),
        ({"compute": 1e21, "axes": ("m", "l")}, "needs a fit over width and depth and tokens"),
        ({"compute": 1e21, "axes": ("m", "l", "x")}, "give axes of the fit"),
        ({"compute": 1e21, "samples": 1}, "samples = 1"),
        ({"compute": 1e21, "level": 95}, "level = 95"),
        ({"compute": 1e21, "group": "x"}, "group = 'x' is not allowed"),
    ],
)
def test_bad_arguments_are_refused(fit, options, message):
    with pytest.raises(ValueError, match=message):
        ss.scaling_laws.plan_shape(fit, **options)
