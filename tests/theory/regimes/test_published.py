import numpy as np
import pytest
import sympy as sp

from theory.frequencies import Frequencies
from theory.regimes.published import derive_even, derive_skewed
from theory.registry import predict


def test_published_scalings():
    even_scaling, skewed = derive_even().scaling, derive_skewed().scaling
    assert [float(even_scaling.subs(s, 10)) for s in even_scaling.free_symbols] == [0.1]
    # Σ_{i > m²/2} p_i at alpha = 2, m = 100, E = 1, against the exact tail.
    at = {"alpha": 2, "m": 100, "E": 1}
    value = float(skewed.subs({s: at[s.name] for s in skewed.free_symbols}))
    exact = float(Frequencies.power_law(10**9, 2.0).tail_sum(5000))
    assert value == pytest.approx(exact, rel=1e-3)
    m = next(s for s in derive_skewed().derivation["capacity"].free_symbols)
    assert derive_skewed().derivation["capacity"].subs(m, 7) == 28
    limit = derive_even().derivation["least overlap"]
    assert [limit.subs(s, 10) for s in limit.free_symbols] == [sp.Rational(1, 10)]


def test_published_exponents():
    assert derive_even().exponent == 1
    alpha = next(iter(derive_skewed().exponent.free_symbols))
    assert sp.simplify(derive_skewed().exponent - 2 * (alpha - 1)) == 0
    for even in (Frequencies.linear(10), Frequencies.power_law(10, 1.0)):
        assert dict(predict(even, 5, theory="asymptotic").exponent) == {"strong_even": 1.0}
    steep = predict(Frequencies.power_law(10, 2.0), 5, theory="asymptotic")
    assert dict(steep.exponent) == {"strong_even": 1.0, "strong_skewed": 2.0}


@pytest.mark.parametrize("alpha", [1.5, 2.0, 2.5])
def test_the_skewed_exponent_is_the_slope_of_the_tail_beyond_capacity(alpha):
    f = Frequencies.power_law(10**9, alpha)
    m = np.array([100, 200])
    tail = f.tail_sum(m * (m + 1) // 2)
    slope = -np.log(tail[1] / tail[0]) / np.log(2)
    # m(m+1)/2 against m²/2, and what n cuts off, are one per cent here.
    assert slope == pytest.approx(2 * (alpha - 1), rel=0.02)
    assert slope != pytest.approx(alpha - 1, rel=0.3)


def test_derivations_print():
    for form in (derive_even(), derive_skewed()):
        assert len(str(form.derivation)) > 200 and form.derivation.latex().count(r"\[") >= 3
        assert "claimed" in form.claimed
