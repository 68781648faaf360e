import csv
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import eval_gegenbauer

from theory.bounds.certificates import (
    EnergyCertificate,
    PackingCertificate,
    PowerPotential,
    ReluPotential,
)
from theory.bounds.gegenbauer import combine, evaluate_gegenbauer, gegenbauer, is_nonpositive
from theory.bounds.linear_programming import certify_energy, certify_packing
from theory.bounds.packing_bounds import bounds, equiangular_conditions, frame_potential
from theory.regimes.one_active import interference_loss

DATA = Path(__file__).parents[2] / "data"


def rows(name):
    with (DATA / name).open() as file:
        return list(csv.DictReader(file))


def value(polynomial, t):
    return sum(c * t**k for k, c in enumerate(polynomial))


def random_vectors(n, m, seed, shift=0.0):
    U = np.random.default_rng(seed).standard_normal((n, m)) + shift
    return U / np.linalg.norm(U, axis=1, keepdims=True)


# ---- polynomials -----------------------------------------------------------------------------


@pytest.mark.parametrize("m", [2, 3, 4, 8, 100])
def test_gegenbauer_by_scipy_and_by_orthogonality(m):
    t = np.linspace(-1, 1, 41)
    exact, table = gegenbauer(m, 9), evaluate_gegenbauer(m, 9, t)
    for k, p in enumerate(exact):
        assert sum(p) == 1
        assert table[k] == pytest.approx([float(value(p, Fraction(x))) for x in t], abs=1e-12)
        if m > 2:
            order = m / 2 - 1
            known = eval_gegenbauer(k, order, t) / eval_gegenbauer(k, order, 1.0)
            assert table[k] == pytest.approx(known, abs=1e-11)
        else:
            assert table[k] == pytest.approx(np.cos(k * np.arccos(t)), abs=1e-12)
    for j, k in ((1, 3), (2, 4), (3, 3)):
        found, _ = quad(
            lambda a, j=j, k=k: (
                np.prod(evaluate_gegenbauer(m, k, np.cos(a))[[j, k]]) * np.sin(a) ** (m - 2)
            ),
            0,
            np.pi,
        )
        assert (abs(found) < 1e-12) == (j != k)


@given(st.integers(2, 6), st.integers(2, 12), st.integers(0, 10**6))
def test_gegenbauer_matrices_are_positive_semidefinite(m, n, seed):
    U = random_vectors(n, m, seed)
    for P in evaluate_gegenbauer(m, 8, (U @ U.T).ravel()).reshape(9, n, n):
        assert np.linalg.eigvalsh(P).min() > -1e-10


small = st.integers(-6, 6).map(lambda k: Fraction(k, 4))


@given(st.lists(small, min_size=1, max_size=6), small, small.filter(lambda x: x > 0))
@example([Fraction(0), Fraction(0), Fraction(-1)], Fraction(-1, 2), Fraction(1))  # touches 0
def test_proofs_agree_with_the_largest_value(coefficients, low, width):
    t = sp.Symbol("t")
    p = sum(sp.Rational(c.numerator, c.denominator) * t**k for k, c in enumerate(coefficients))
    high = low + width
    ends = [value(coefficients, low), value(coefficients, high)]
    inner = (
        [r for r in sp.Poly(p, t).diff(t).nroots(n=30) if abs(sp.im(r)) < 1e-12]
        if (sp.Poly(p, t).degree() > 1)
        else []
    )
    inside = [float(p.subs(t, sp.re(r))) for r in inner if float(low) <= sp.re(r) <= float(high)]
    largest = max([*map(float, ends), *inside])
    proved = is_nonpositive(coefficients, low, high)
    if largest > 1e-9:
        assert not proved
    elif largest < -1e-9 or not any(coefficients):
        assert proved
    if proved:
        assert largest < 1e-9


def test_a_proof_gives_up_where_zero_is_only_touched_inside():
    third = Fraction(1, 3)
    touching = [-third * third, 2 * third, Fraction(-1)]  # -(t - 1/3)²
    assert not is_nonpositive(touching, Fraction(0), Fraction(1), depth=40)
    touching[0] -= Fraction(1, 10**15)
    assert is_nonpositive(touching, Fraction(0), Fraction(1))


# ---- certificates ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "m", "kind"), [(28, 7, "lines"), (20, 4, "lines"), (20, 3, "code"), (30, 5, "code")]
)
def test_a_changed_certificate_is_rejected(n, m, kind):
    certificate = certify_packing(n, m, kind, 10)
    assert certificate.verify()
    t = np.linspace(0 if kind == "lines" else -1, float(certificate.cosine), 200_001)
    P = evaluate_gegenbauer(m, 10, t)
    broken = 0
    for k, a in enumerate(certificate.coefficients):
        for change in (Fraction(1, 10**9), Fraction(-1, 10**9)):
            spoiled = list(certificate.coefficients)
            spoiled[k] = a + change
            f = np.array([float(c) for c in spoiled]) @ P
            if f.max() > 1e-11 or sum(spoiled) >= n * spoiled[0]:
                assert not replace(certificate, coefficients=tuple(spoiled)).verify()
                broken += 1
    # Whatever is changed, one direction or the other breaks the proof.
    assert broken >= sum(a > 0 for a in certificate.coefficients)
    assert not replace(certificate, n=n - 1).verify()
    assert not replace(certificate, cosine=certificate.cosine + Fraction(1, 1000)).verify()
    negative = (*certificate.coefficients, Fraction(0), Fraction(-1, 10**9))
    assert not replace(certificate, coefficients=negative).verify()


def test_energy_certificates_reject_what_is_wrong():
    certificate = certify_energy(60, 6, ReluPotential(Fraction(1), Fraction(-1, 5)), 8)
    assert certificate.verify() and certificate.value > 0
    for k, a in enumerate(certificate.coefficients):
        if a > 0:
            spoiled = list(certificate.coefficients)
            spoiled[k] += Fraction(1, 10**6)
            assert not replace(certificate, coefficients=tuple(spoiled)).verify()
    # The same h is no bound for a weaker potential.
    weaker = ReluPotential(Fraction(1), Fraction(-21, 100))
    assert not replace(certificate, potential=weaker).verify()


@pytest.mark.parametrize("b", [-0.7, -0.2, 0.0, 0.3])
def test_relu_potential_is_the_interference_of_one_active_feature(b):
    t = np.linspace(-1, 1, 101)
    potential = ReluPotential(Fraction(4, 5), Fraction(b))
    assert potential(t) == pytest.approx(interference_loss(0.8 * t, b), abs=1e-14)
    # Its conditions say h <= f: they hold for h a little below f, and fail a little above.
    for shift, wanted in ((-0.05, True), (0.05, False)):
        fitted = np.polynomial.Polynomial.fit(t, potential(t), 9).convert().coef
        assert np.abs(np.polynomial.Polynomial(fitted)(t) - potential(t)).max() < 0.04
        h = [Fraction(float(c)) for c in fitted]
        h[0] += Fraction(shift)
        proved = all(is_nonpositive(p, low, high) for p, low, high in potential.conditions(h))
        assert proved == wanted


@given(
    st.integers(2, 6),
    st.integers(2, 25),
    st.integers(0, 10**6),
    st.sampled_from([-0.8, -0.2, 0.0, 0.4]),
    st.floats(0, 2),
)
def test_no_configuration_has_less_energy_than_is_proved(m, n, seed, b, shift):
    U = random_vectors(n, m, seed, shift)
    t = (U @ U.T)[~np.eye(n, dtype=bool)]
    for potential in (
        PowerPotential(2),
        PowerPotential(3),
        ReluPotential(Fraction(1), Fraction(b)),
    ):
        certificate = certify_energy(n, m, potential, 6)
        assert certificate.verify()
        assert potential(t).sum() >= float(certificate.value) - 1e-9 * n * n


def test_energies_that_are_attained():
    third = ReluPotential(Fraction(1), Fraction(-1, 2))
    for n, m, potential, t in (
        (28, 7, PowerPotential(4), [1 / 3, -1 / 3]),  # equiangular: |t| = 1/3
        (6, 5, PowerPotential(2), [-1 / 5]),
        (6, 5, third, [-1 / 5]),
    ):
        least = float(potential(np.array(t)).mean()) * n * (n - 1)
        assert float(certify_energy(n, m, potential, 8).value) == pytest.approx(least, abs=1e-6)
    assert float(certify_energy(40, 9, PowerPotential(2)).value) == pytest.approx(
        float(frame_potential(40, 9)) - 40
    )


# ---- bounds --------------------------------------------------------------------------------------


def test_every_bound_holds_for_the_known_optimal_systems():
    for row in rows("known_optimal.csv"):
        n, m, known = int(row["n"]), int(row["m"]), sp.sympify(row["coherence_exact"])
        found = bounds(n, m, degree=0)
        assert found.best.value <= float(known) + 1e-14
        if row["certifying_bound"].lower().startswith(("welch", "levenshtein", "orthoplex")):
            assert sp.simplify(found.best.exact - known) == 0, row


def test_no_bound_is_beaten_by_the_best_known_lines():
    table = rows("real_lines.csv")
    better = 0
    for row in table:
        n, m, known = int(row["n"]), int(row["m"]), float(row["coherence"])
        found = bounds(n, m, degree=0)
        assert found.best.value <= known + 2e-10, row
        # The table's own bound is one of these (its orders of Welch go up to 12, too).
        assert found.best.value >= float(row["best_bound"]) - 1e-11, row
        better += found.best.value > float(row["best_bound"]) + 1e-11
    assert len(table) == 539 and better == 0


@pytest.mark.parametrize("seed", range(2))
def test_the_linear_program_against_the_table(seed):
    rng = np.random.default_rng(seed)
    table = rows("real_lines.csv")
    better = 0
    for k in rng.choice(len(table), 8, replace=False):
        n, m = int(table[k]["n"]), int(table[k]["m"])
        found = bounds(n, m)
        assert found.certificate.verify()
        assert found["linear_program"].value <= float(table[k]["coherence"])
        better += found.best.name == "linear_program"
    assert better >= 1


@given(st.integers(2, 7), st.integers(2, 40), st.integers(0, 10**6), st.floats(0, 3))
def test_no_configuration_beats_a_bound(m, n, seed, shift):
    U = random_vectors(n, m, seed, shift)
    t = (U @ U.T)[~np.eye(n, dtype=bool)]
    for bound in bounds(n, m, degree=0).all:
        assert np.abs(t).max() >= bound.value - 1e-12, bound
    for bound in bounds(n, m, "code", degree=0).all:
        assert t.max() >= bound.value - 1e-12, bound
    if n >= m:
        assert (t**2).sum() + n >= float(frame_potential(n, m)) - 1e-9


def test_known_values():
    assert bounds(28, 7)["welch_1"].exact == sp.Rational(1, 3)
    assert bounds(120, 8)["levenshtein"].exact == sp.Rational(1, 2)
    assert bounds(4, 2, degree=0).best.exact == sp.sqrt(2) / 2  # four lines in the plane
    assert bounds(5, 4, "code", 0).best.exact == sp.Rational(-1, 4)
    assert bounds(8, 4, "code", 0).best.exact == 0
    assert bounds(5, 2, "code", 0)["levenshtein"].value == pytest.approx(np.cos(2 * np.pi / 5))
    assert bounds(16, 5, "code", 0)["levenshtein"].exact == sp.Rational(1, 5)  # Clebsch
    assert bounds(27, 6, "code", 0)["levenshtein"].exact == sp.Rational(1, 4)  # Schläfli
    assert bounds(6, 10, degree=0).best.exact == 0
    # The icosahedron and the E8 roots are optimal by linear programming (Levenshtein 1979).
    assert bounds(12, 3, "code").best.value == pytest.approx(1 / np.sqrt(5), abs=1e-5)
    assert bounds(240, 8, "code").best.value == pytest.approx(0.5, abs=1e-5)


@pytest.mark.parametrize("n", [3, 4, 5, 9, 30])
def test_the_regular_polygon_attains_the_bounds_of_the_plane(n):
    for kind, turn in (("lines", np.pi / n), ("code", 2 * np.pi / n)):
        angle = turn * np.arange(n)
        U = np.c_[np.cos(angle), np.sin(angle)]
        t = (U @ U.T)[np.triu_indices(n, 1)]
        reached = (np.abs(t) if kind == "lines" else t).max()
        found = bounds(n, 2, kind)
        assert found.best.value == pytest.approx(reached, abs=1e-14)
        assert found.certificate is None  # nothing is left to prove


SIZES = (2, 3, 4, 5, 6, 7, 9, 12, 15, 16, 20, 31, 60, 100, 1000, 10**5)


def test_no_closed_form_falls_with_n():
    count = 0
    for kind, m in product(("lines", "code"), (2, 3, 4, 5, 7, 10, 16, 30, 100, 1000)):
        values = [bounds(n, m, kind, degree=0).best.value for n in SIZES]
        assert all(a <= b + 1e-15 for a, b in pairwise(values)), (kind, m)
        count += len(values)
    assert count >= 300


@pytest.mark.parametrize(("m", "kind"), [(3, "code"), (3, "lines"), (5, "lines")])
def test_the_linear_program_does_not_fall_with_n_either(m, kind):
    values = []
    for n in (60, 200, 201, 1000, 10_000):
        found = bounds(n, m, kind)
        values.append(found.best.value)
        assert found.best.name == "linear_program" and found.certificate.verify()
        # The polynomial proves it for as few points as it says, and for no fewer.
        fewest = found.best.proved_at
        assert fewest <= n and replace(found.certificate, n=fewest).verify()
        assert not replace(found.certificate, n=fewest - 1).verify()
    assert all(a <= b for a, b in pairwise(values))
    assert values[0] > 0.65


def test_bounds_for_fewer_vectors_are_the_best_of_all():
    n, m = 400, 12
    found = bounds(n, m, degree=0)["bukh_cox"]
    every = [(k - m) * (k - m + 1) for k in range(m + 1, n + 1)]
    for place, k in enumerate(range(m + 1, n + 1)):
        d = k - m
        every[place] /= 2 * k + k * (d - 1) * (d + 2) ** 0.5 - d * (d + 1)
    assert found.value == pytest.approx(max(every))
    assert found.proved_at == m + 1 + int(np.argmax(every))
    code = bounds(500, 4, "code", degree=0)["levenshtein"]
    assert code.proved_at == 14
    assert code.exact == bounds(14, 4, "code", degree=0)["levenshtein"].exact


def test_no_program_is_solved_where_a_closed_form_is_attained(monkeypatch):
    def fail(*arguments):
        raise AssertionError(f"solved for {arguments}")

    monkeypatch.setattr("theory.bounds.packing_bounds.certify_packing", fail)
    for n, m, kind in ((50, 100, "lines"), (50, 50, "lines"), (50, 49, "code"), (80, 49, "code")):
        assert bounds(n, m, kind).best.value <= 0
    with pytest.raises(AssertionError):
        bounds(50, 49)


def test_the_code_form_of_levenshtein_is_its_polynomial():
    """At the bound n = m (1 - s)(2 + (m + 1) s)/(1 - m s²)."""
    for n, m in ((9, 4), (14, 4), (30, 7), (100, 15)):
        s = bounds(n, m, "code", 0)["levenshtein"].value
        assert m * (1 - s) * (2 + (m + 1) * s) / (1 - m * s * s) == pytest.approx(n)


def test_equiangular_conditions_allow_what_exists():
    found = [
        (int(r["n"]), int(r["m"]))
        for r in rows("known_optimal.csv")
        if r["certifying_bound"] == "Welch"
    ]
    assert len(found) > 40
    for n, m in found:
        conditions = equiangular_conditions(n, m)
        assert all(conditions.values()), (n, m)
    # n = 2m needs n - 1 = a² + b²; 22 - 1 is none. 27 and 29 lines in R^7 fail elsewhere.
    assert not equiangular_conditions(22, 11)["integral"]
    assert not equiangular_conditions(29, 7)["absolute"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, 3), "n = 1"),
        ((5, 1), "m = 1"),
        ((5, 3, "planes"), "kind = 'planes'"),
        ((5, 3, "lines", -1), "degree = -1"),
        ((5, 3, "lines", 1000), "degree = 1000 .* from 0 to 60"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        bounds(*arguments)
    with pytest.raises(KeyError, match="no bound 'orthoplex' holds for n = 5"):
        bounds(5, 3, degree=0)["orthoplex"]
    for wrong, message in (
        (lambda: ReluPotential(Fraction(0), Fraction(1)), "g = 0"),
        (lambda: ReluPotential(1.0, np.nan), "b = nan"),
        (lambda: PowerPotential(-1), "k = -1"),
        (lambda: PowerPotential(2.5), "k = 2.5"),
        (lambda: certify_packing(5, 3, "planes"), "kind = 'planes'"),
        (lambda: certify_energy(5, 3, PowerPotential(2), 1000), "degree = 1000"),
    ):
        with pytest.raises(ValueError, match=message):
            wrong()


def test_table():
    table = bounds(20, 5).to_dataframe()
    assert list(table) == ["bound", "value", "exact", "holds for", "proved at n"]
    assert table["value"].is_monotonic_decreasing
    assert "largest |t| of lines, n = 20, m = 5" in str(bounds(20, 5, degree=0))
    assert isinstance(certify_packing(20, 5), PackingCertificate)
    assert isinstance(certify_energy(20, 5, PowerPotential(2)), EnergyCertificate)
    assert combine(3, [Fraction(1)]) == [1]
    found = bounds(20, 5)
    assert repr(found) == str(found) and "<table" in found._repr_html_()
    assert "P_k(1) = 1" in str(found.certificate) and len(str(found.certificate)) < 200


@pytest.mark.parametrize(("name", "value"), [("n", 6.5), ("m", 3.5), ("n", 0), ("m", 0)])
def test_certificates_are_of_whole_numbers(name, value):
    """The polynomial t² - 1/10 refutes 6 lines in R^3, and says nothing of 6.5."""
    f = (Fraction(1, 3) - Fraction(1, 10), Fraction(0), Fraction(2, 3))
    size = {"n": 6, "m": 3}
    assert PackingCertificate(**size, kind="lines", cosine=Fraction(3, 10), coefficients=f).verify()
    with pytest.raises(ValueError, match=f"{name} = {value} is not allowed"):
        PackingCertificate(
            **size | {name: value}, kind="lines", cosine=Fraction(3, 10), coefficients=f
        )
    with pytest.raises(ValueError, match=f"{name} = {value} is not allowed"):
        EnergyCertificate(**size | {name: value}, potential=PowerPotential(2), coefficients=f)


def test_a_certificate_of_an_unknown_kind():
    with pytest.raises(ValueError, match="kind = 'line' is not allowed"):
        PackingCertificate(6, 3, "line", Fraction(3, 10), (Fraction(1),))


# A bound for fewer vectors holds for more: the best one never falls with n. Ten sizes from m + 1
# to some hundred times m, in fifteen dimensions, of both kinds: 300 cells.
DIMENSIONS = (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 20, 23, 24)


def sizes(m):
    return sorted({m + 1, *np.geomspace(m + 2, 100 * m, 12).round().astype(int).tolist()})[:10]


def falls(m, kind, degree):
    """Return the pairs of neighbouring n between which the best bound falls."""
    values = [(n, bounds(n, m, kind, degree).best.value) for n in sizes(m)]
    return [pair for pair in pairwise(values) if pair[1][1] < pair[0][1] - 1e-15]


@pytest.mark.parametrize("kind", ["lines", "code"])
def test_closed_bounds_never_fall_with_n(kind):
    assert sum(len(sizes(m)) for m in DIMENSIONS) * 2 == 300
    assert not [fall for m in DIMENSIONS for fall in falls(m, kind, degree=0)]


@pytest.mark.parametrize("kind", ["lines", "code"])
def test_bounds_with_the_linear_program_never_fall_with_n(kind):
    assert not falls(3, kind, degree=8)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["lines", "code"])
@pytest.mark.parametrize("m", DIMENSIONS)
def test_the_best_bounds_never_fall_with_n(m, kind):
    assert not falls(m, kind, degree=16)
