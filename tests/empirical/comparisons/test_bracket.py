import numpy as np
import pytest
from matplotlib.figure import Figure

from empirical.comparisons.bracket import bracket_loss
from theory.regimes.one_active import interference_loss, self_loss


@pytest.fixture(scope="module")
def bracket():
    return bracket_loss(30, 6, steps=800, batch=64)  # the bound takes seconds a width


def loss(U, r, b):
    t = (U @ U.T)[~np.eye(len(U), dtype=bool)]
    return float(self_loss(r * r, b) + np.sum(interference_loss(r * r * t, b)) / len(U))


def test_the_order_holds_and_every_loss_is_what_it_says(bracket):
    for row, U in zip(bracket.rows, bracket.vectors, strict=True):
        assert row.ordered and row.certified < row.optimised < row.trained < row.random
        r, b = row.norms["optimised"], row.biases["optimised"]
        assert np.linalg.norm(U, axis=1) == pytest.approx(np.ones(30))
        assert loss(U, r, b) == pytest.approx(row.optimised, rel=1e-9)
        # Its norm and bias are the best for these directions.
        for dr, db in ((0.03, 0), (-0.03, 0), (0, 0.03), (0, -0.03)):
            assert loss(U, r + dr, b + db) > row.optimised


def test_what_it_shows():
    bracket = bracket_loss(30, [4, 6], 1.0, -0.1, steps=300, batch=64)
    table = bracket.to_dataframe()
    assert table["m"].tolist() == [4, 6] and table["ordered"].all()
    assert "certified" in str(bracket)
    axes = bracket.plot(Figure().add_subplot())
    assert [line.get_label() for line in axes.lines] == [
        "random",
        "trained",
        "optimised",
        "certified",
    ]


def test_given_norm_and_bias():
    seen = []
    found = bracket_loss(
        20, 5, 1.0, -0.1, steps=300, batch=64, progress=lambda k, n: seen.append((k, n))
    )
    assert seen == [(1, 1)] and found.rows[0].ordered
    assert set(found.rows[0].norms.values()) == {1.0}
    assert set(found.rows[0].biases.values()) == {-0.1}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"m": 1}, "m = 1"),
        ({"m": 30}, "m"),
        ({"r": 1.0}, "give both"),
        ({"r": 1.0, "b": 0.5}, "b = 0.5"),
        ({"r": -1.0, "b": -0.5}, "r = -1"),
        ({"density": 2.0e9}, "density"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        bracket_loss(**({"n": 20, "m": 4} | arguments))
