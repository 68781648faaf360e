"""A scalar in gives a float out, an array an array of its shape, with the same numbers."""

import inspect
from functools import cache

import numpy as np
import pytest

import superscale as ss

WORDS = ss.Frequencies.power_law(40, alpha=1.0)
COUNTED = ss.Frequencies.from_counts(np.arange(40, 0, -1))
SIZES = [7, 8, 12]


@cache
def fitted():
    m = np.array([8, 16, 32, 64, 128])
    return ss.scaling_laws.fit_power_law(m, 3 / m**0.9 + 0.5 + 0.001 * (m % 3))


@cache
def surface():
    N, D = (x.ravel() for x in np.meshgrid([1e8, 3e8, 1e9, 3e9], [3e9, 1e10, 3e10, 1e11]))
    return ss.scaling_laws.fit_chinchilla(N, D, 1.69 + 406.4 / N**0.34 + 410.7 / D**0.28)


# Each takes one number, or several: widths, sizes, ranks or overlaps.
FUNCTIONS = {
    "regimes.weak_loss": lambda x: ss.regimes.weak_loss(WORDS, x),
    "regimes.weak_loss of counts": lambda x: ss.regimes.weak_loss(COUNTED, x),
    "regimes.weak_exponent": lambda x: ss.regimes.weak_exponent(WORDS, x),
    "regimes.weak_exponent of counts": lambda x: ss.regimes.weak_exponent(COUNTED, x),
    "regimes.equiangular_loss": lambda x: ss.regimes.equiangular_loss(WORDS, x),
    "regimes.interference_loss, g": lambda x: ss.regimes.interference_loss(x, -0.5),
    "regimes.interference_loss, b": lambda x: ss.regimes.interference_loss(0.5, x),
    "regimes.self_loss, g": lambda x: ss.regimes.self_loss(x, -0.5),
    "regimes.self_loss, b": lambda x: ss.regimes.self_loss(0.5, x),
    "directions.welch_mean_square, n": lambda x: ss.directions.welch_mean_square(x, 3),
    "directions.welch_mean_square, m": lambda x: ss.directions.welch_mean_square(40, x),
    "directions.frame_capacity": ss.directions.frame_capacity,
    "RandomOverlap.pdf": lambda x: ss.directions.RandomOverlap(10).pdf(np.multiply(x, 0.05)),
    "RandomOverlap.survival": lambda x: ss.directions.RandomOverlap(9).survival(
        np.multiply(x, 0.05)
    ),
    "PowerPotential": ss.packings.PowerPotential(4),
    "ReluPotential": ss.packings.ReluPotential(1, -1),
    "Frequencies.frequency": WORDS.frequency,
    "Frequencies.frequency of counts": COUNTED.frequency,
    "Frequencies.tail_sum": WORDS.tail_sum,
    "Frequencies.tail_sum of counts": COUNTED.tail_sum,
    "RankLawFit.exponent": lambda x: ss.counts.fit_rank_law(
        np.round(1e6 / np.arange(1, 101)), "zipf"
    ).exponent(x),
    "PowerLawFit.predict": lambda x: fitted().predict(x),
    "ChinchillaFit.predict, N": lambda x: surface().predict(np.multiply(x, 1e7), 1e10),
    "ChinchillaFit.predict, D": lambda x: surface().predict(1e9, np.multiply(x, 1e9)),
    "mechanisms.peaked_loss": lambda x: ss.mechanisms.peaked_loss(np.multiply(x, 0.1), 16, 2.0),
    "mechanisms.peaked_gradient": lambda x: ss.mechanisms.peaked_gradient(
        np.multiply(x, 0.1), 16, 2.0
    ),
    "predict, weak": lambda x: ss.predict(WORDS, x, "weak").loss["weak"],
    "predict, equiangular": lambda x: ss.predict(WORDS, x, "equiangular").exponent["equiangular"],
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_scalar_in_scalar_out(name):
    function = FUNCTIONS[name]
    several = function(SIZES)
    assert isinstance(several, np.ndarray) and several.shape == (3,)
    for kind in (int, np.int64, np.asarray):
        for size, value in zip(SIZES, several, strict=True):
            one = function(kind(size))
            assert isinstance(one, float)
            assert np.array_equal(one, value, equal_nan=True) or one == pytest.approx(value, 1e-14)
    single = function(SIZES[:1])
    assert isinstance(single, np.ndarray) and single.shape == (1,)


def test_every_function_of_a_width_is_tried():
    """Those that take one width, or what they return has none, are named with the reason."""
    one_width = {"solve_mean_field", "train", "train_many", "monte_carlo_loss", "measure", "pack"}
    one_size = {"bound_one_active_loss", "bounds", "certify_energy", "certify_packing", "construct"}
    symbolic = {"equiangular_conditions", "frame_potential"}
    # One width, or the width is what they return.
    one_width |= {"recall", "recall_combinations", "max_active"}
    one_size |= {"required_width", "asymptotic_width", "most_active"}
    one_size |= {"frontier_mass", "search_success", "search_width"}
    one_size |= {"breadth_first", "search_strengths"}
    one_width |= {"ground_state", "first_order_loss", "narrow_flow_loss", "simulate_peaked"}
    one_size |= {"flow_of_peaked_loss", "free_energy", "complex_bounds", "pack_complex"}
    tables = {
        *(
            "bracket_loss",
            "compare",
            "fit_chinchilla",
            "fit_exponent",
            "fit_power_law",
            "fit_solved_model",
            "sweep",
        ),
        *(
            "compare_mechanisms",
            "read_runs",
            "predict_width_exponents",
            "random_overlaps",
            "width_exponent",
        ),
    }
    tried = {name.split(",")[0].split(" ")[0].split(".")[-1] for name in FUNCTIONS}
    for owner in (ss, *(getattr(ss, space) for space in ss.__all__ if space.islower())):
        for name in getattr(owner, "__all__", ()):
            value = getattr(owner, name)
            if (
                inspect.isfunction(value)
                and {"m", "n"} & inspect.signature(value).parameters.keys()
            ):
                assert name in tried | one_width | one_size | symbolic | tables, name
