import math

import numpy as np
import pytest

from empirical.unembeddings.row_norms import summarise_norms


def test_weak_and_strong():
    """m of n rows alike and the others at 0, or a trifle: m/n. All alike: 1."""
    weak = summarise_norms(np.repeat([3.0, 0.0], [10, 90]))
    assert weak.phi_half == 0.1 and math.isnan(weak.phi_half_median)
    assert summarise_norms(np.repeat([3.0, 1e-3], [10, 90])).phi_half == 0.1
    strong = summarise_norms(0.01 * np.linspace(0.8, 1.2, 100))
    assert strong.phi_half == 1 == strong.phi_half_median
    # A tenth of the rows at 0.3 of the others' norm, then at 0.6.
    assert summarise_norms(np.repeat([1.0, 0.3], [90, 10])).phi_half == 0.9
    assert summarise_norms(np.repeat([1.0, 0.6], [90, 10])).phi_half == 1


def test_numbers_do_not_depend_on_the_scale_but_in_proportion():
    norms = np.random.default_rng(0).lognormal(size=1000)
    a, b = summarise_norms(norms), summarise_norms(1e-3 * norms)
    assert (a.phi_half, a.phi_half_median) == (b.phi_half, b.phi_half_median)
    assert a.phi_half == np.mean(norms / norms.mean() > 0.5) < a.phi_half_median
    assert b.mean == pytest.approx(1e-3 * norms.mean()) and a.std == pytest.approx(norms.std())
    assert a.quantiles[0.5] == pytest.approx(np.median(norms))
    assert list(a.quantiles) == sorted(a.quantiles) and a.smallest == norms.min()
    assert a.to_dict()["quantiles"] == dict(a.quantiles)
    huge = summarise_norms(1e200 * norms)
    assert huge.std == pytest.approx(1e200 * norms.std()) and huge.phi_half == a.phi_half
