"""Results: frozen, read-only, short as text, a table in notebooks, the same after a copy."""

import copy
import dataclasses
import importlib
import inspect
import io
import math
import pickle
import pkgutil
import re
from collections.abc import Mapping
from contextlib import suppress
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import superscale as ss
from empirical.comparisons.bracket import BracketRow
from superscale.importing.lazy_names import listing
from theory.bounds.loss_bounds import LossBound
from theory.results import result, same

RNG = np.random.default_rng(0)
WIDE = RNG.standard_normal((60, 12)) + 0.3
WIDTHS = np.unique(np.geomspace(2, 90, 40).astype(int))


@cache
def words():
    return ss.Frequencies.power_law(100, alpha=1.0)


@cache
def run():
    return ss.train(words(), 10, steps=5, batch=8, seed=0)


@cache
def fit():
    m = np.array([8, 16, 32, 64, 128, 256, 512] * 2)
    noise = 1 + 0.002 * np.random.default_rng(0).standard_normal(m.size)
    groups = ["a", "b"] * 7
    return ss.scaling_laws.fit_power_law(m, (3 / m**0.9 + 0.5) * noise, groups=groups)


@cache
def zipf():
    counts = np.random.default_rng(0).poisson(1e5 / np.arange(1, 401))
    return ss.counts.compare_zipf(counts, (1, 200))


def long(one):
    """Return a comparison or a sweep with sixty rows for each of its own."""
    return dataclasses.replace(one, rows=one.rows * 60)


def bracket():
    kinds = dict.fromkeys(("certified", "optimised", "trained", "random"), 0.5)
    rows = tuple(BracketRow(m, 0.1, 0.2, 0.3, 0.4, 1.5, kinds, kinds) for m in range(2, 42))
    return ss.packings.Bracket(50, rows, (np.ones((50, 4)),), {"steps": [1, 2]})


def loss_bound():
    relu = ss.packings.ReluPotential(Fraction(1), Fraction(-1, 10))
    found = ss.packings.certify_energy(28, 7, relu)
    return LossBound(28, 7, 0.1, 1.0, -0.1, (found,) * 5, math.inf)


def chinchilla():
    N, D = (x.ravel() for x in np.meshgrid([1e8, 3e8, 1e9, 3e9], [3e9, 1e10, 3e10, 1e11]))
    return ss.scaling_laws.fit_chinchilla(N, D, 1.69 + 406.4 / N**0.34 + 410.7 / D**0.28)


@cache
def axes():
    values = np.meshgrid([256, 512, 1024, 2048], [4, 8, 16, 32], [1e9, 1e10, 1e11])
    table = dict(zip(("m", "depth", "D"), (x.ravel() for x in values), strict=True))
    noise = 1 + 0.002 * np.random.default_rng(0).standard_normal(table["m"].size)
    loss = 1.75 + 275 / table["m"] ** 0.95 + 6.7 / table["depth"] ** 1.3 + 530 / table["D"] ** 0.3
    return ss.scaling_laws.fit_axes({**table, "loss": loss * noise}, list(table))


MADE = {
    "Activation": lambda: ss.Activation(0.5, 1.0),
    "AxesBootstrap": lambda: axes().bootstrap(samples=30),
    "AxesFit": axes,
    "AxesTest": lambda: axes().test(m=1, depth=1),
    "Bootstrap": lambda: fit().bootstrap(samples=49),
    "Bound": lambda: ss.packings.bounds(28, 7).best,
    "Bounds": lambda: ss.packings.bounds(28, 7),
    "Bracket": bracket,
    "ChinchillaFit": chinchilla,
    "CombinationRecall": lambda: ss.reading.recall_combinations(200, 250, 4, samples=99),
    "Comparison": lambda: long(
        ss.compare(words(), [5, 10], seeds=1, theory="weak", steps=2, batch=8, workers=1)
    ),
    "CrossEntropy": lambda: ss.unembeddings.estimate_cross_entropy(WIDE),
    "EnergyCertificate": lambda: ss.packings.certify_energy(28, 7, ss.packings.PowerPotential(2)),
    "DetectionRates": lambda: ss.reading.detection_rates(run().model, words(), samples=50),
    "ErrorRates": lambda: ss.reading.error_rates(WIDE, 3),
    "ExponentTest": lambda: fit().test_alpha(1.0),
    "Features": lambda: ss.Features(words(), importance=np.linspace(1, 2, 100)),
    "FirstOrderLoss": lambda: ss.dependence.first_order_loss(
        ss.Features.exclusive(ss.Frequencies.power_law(20, 0.0), [range(10)]), 4, draws=2
    ),
    "FittedExponent": lambda: ss.scaling_laws.fit_exponent([4, 8, 16], [4.0, 2.1, 1.0]),
    "Forest": lambda: ss.Features.exclusive(words(), [range(9)]).dependence,
    "Forecast": lambda: fit().forecast(np.arange(600, 700)),
    "Frequencies": lambda: ss.Frequencies.from_probabilities(np.linspace(0.4, 0.01, 50)),
    "GroundState": lambda: ss.ground_state(ss.Frequencies.linear(9), 2, starts=1),
    "FrontierMass": lambda: ss.reading.frontier_mass(100, 4, 32, 10.0),
    "GraphSearch": lambda: ss.reading.search_graph([[0, 1]], np.eye(9), 0, 1),
    "Influence": lambda: fit().influence(),
    "Interval": lambda: fit().interval(),
    "LawComparison": lambda: fit().compare(),
    "LearnedDirections": lambda: ss.reading.learn_directions(WIDE, 3, iterations=2),
    "LineSystem": lambda: ss.packings.construct(28, 7),
    "LossBound": loss_bound,
    "LossEstimate": lambda: ss.monte_carlo_loss(run().model, words(), samples=100),
    "LossReport": lambda: ss.population_loss(run().model, words(), rtol=0.1, gradient=True),
    "Mechanisms": lambda: ss.mechanisms.compare_mechanisms(words(), m=[10, 20], solve=False),
    "MeanField": lambda: ss.solve_mean_field(ss.Frequencies.linear(12), 4),
    "Measurement": lambda: ss.measure(run().model, words(), samples=100),
    "Overlaps": lambda: ss.overlaps(WIDE),
    "ComplexPacking": lambda: ss.packings.pack_complex(5, 2, starts=2),
    "Packing": lambda: ss.packings.pack(6, 3, seconds=0.1),
    "PackingCertificate": lambda: ss.packings.certify_packing(28, 7),
    "PowerLawFit": fit,
    "PowerPotential": lambda: ss.packings.PowerPotential(4),
    "Prediction": lambda: ss.predict(words(), WIDTHS, ["weak", "strong_even"]),
    "RandomOverlap": lambda: ss.directions.RandomOverlap(10),
    "RankLawFit": lambda: zipf()["zipf"],
    "ReadoutComparison": lambda: ss.reading.compare_readouts(WIDE, 2, samples=9),
    "Recall": lambda: ss.reading.recall(2000, 220, 8, "threshold"),
    "ReluPotential": lambda: ss.packings.ReluPotential(Fraction(1), Fraction(-1)),
    "Reproduction": lambda: ss.published.reproduce("fig7"),
    "RowNorms": lambda: ss.unembeddings.analyze(WIDE).norms,
    "Shape": lambda: ss.scaling_laws.plan_shape(axes(), compute=1e21, samples=5),
    "Shapes": lambda: ss.scaling_laws.Shapes(
        (ss.scaling_laws.plan_shape(axes(), compute=1e21, samples=5),)
    ),
    "SampleFit": lambda: ss.dependence.fit_samples(np.random.default_rng(0).random((50, 4)) < 0.4),
    "SolvedModelFit": lambda: ss.scaling_laws.fit_solved_model(
        [4, 8, 16, 32, 64], [1.0, 0.6, 0.4, 0.3, 0.25], n=200, alpha=[1, 1.5], theory="weak"
    ),
    "Spectrum": lambda: ss.directions.spectrum(WIDE),
    "SweepResult": lambda: long(
        ss.sweep({"m": [4, 8], "n": 40, "alpha": 0.0}, workers=1, steps=2, batch=8)
    ),
    "TokenCounts": lambda: ss.counts.TokenCounts(
        np.arange(100), tuple(f"word {k} of a long name" for k in range(100)), np.zeros((0, 3), int)
    ),
    "TokenReading": lambda: ss.reading.read_tokens(WIDE, samples=20),
    "ToyModel": lambda: run().model,
    "TrainingRun": run,
    "TrainingSettings": lambda: ss.TrainingSettings(steps=5),
    "Treatments": lambda: ss.unembeddings.compare_treatments(WIDE),
    "UnembeddingFamily": lambda: ss.unembeddings.analyze_many(
        {f"model {m} of a long name": WIDE[:, :m] for m in (3, 5, 8, 12)}
    ),
    "UnembeddingReport": lambda: ss.unembeddings.analyze(WIDE),
    "Validation": lambda: axes().validate("m"),
    "WidthExponent": lambda: ss.scaling_laws.width_exponent(
        0.35, [1e8, 9e8, 6e9], [512, 1536, 4096], stderr=0.02
    ),
    "WidthExponents": lambda: ss.counts.predict_width_exponents(zipf(), m=WIDTHS),
    "WidthForecast": lambda: fit().width_for(0.6, group="a"),
    "WorstCase": lambda: ss.reading.worst_case_active(WIDE),
    "ZipfComparison": zipf,
    "ZipfFit": lambda: ss.counts.fit_zipf(np.round(1e6 / np.arange(1, 301))),
}


@cache
def make(name):
    """Return a result, made once: no test changes it."""
    return MADE[name]()


# It reads a file, row by row, when asked: a handle, not a result.
HANDLES = {"Unembedding"}
# Made and looked at through a public result.
PARTS = {"Derivation", "Explanation"}


def public():
    """Return the public names, each with its value."""
    for stub in Path(ss.__file__).parent.glob("*.pyi"):
        owner = ss if stub.stem == "__init__" else getattr(ss, stub.stem)
        yield from ((name, getattr(owner, name)) for name in listing(stub))


@cache
def dataclasses_of_the_rooms():
    """Return the dataclasses that the four rooms define, by name."""
    found = {}
    for room in ("theory", "numerics", "empirical", "superscale"):
        package = importlib.import_module(room)
        for module in pkgutil.walk_packages(package.__path__, f"{room}."):
            if not module.name.endswith("__main__"):
                for value in vars(importlib.import_module(module.name)).values():
                    if isinstance(value, type) and dataclasses.is_dataclass(value):
                        found[value.__name__] = value
    return found


def returned(function):
    """Return the names in the return annotations of a function, or of a class's methods."""
    own = vars(function).values() if isinstance(function, type) else [function]
    for value in own:
        value = getattr(value, "fget", value)
        if callable(value) and not getattr(value, "__name__", "_").startswith("_"):
            with suppress(ValueError):  # a class that has no signature
                yield from re.findall(r"\w+", str(inspect.signature(value).return_annotation))


def test_every_public_result_is_tried():
    known = dataclasses_of_the_rooms()
    names = {name for name, value in public() if name in known and isinstance(value, type)}
    answers = {
        word for _, value in public() if callable(value) for word in returned(value)
    } & known.keys()
    assert names - HANDLES == MADE.keys()
    # What a public function or method returns is either public or a part of a public result.
    assert answers - MADE.keys() <= PARTS | HANDLES
    assert all(known[name].__dataclass_params__.frozen for name in names | answers)


def parts(value, seen=()):
    """Walk through a result, what its fields hold and, of results in them, their fields."""
    yield value
    if isinstance(value, Mapping):
        for entry in value.values():
            yield from parts(entry)
    elif type(value) is tuple:
        for entry in value:
            yield from parts(entry)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from parts(getattr(value, field.name))


def faults(one):
    """Return what is not as it should be in a result."""
    found = []
    for part in parts(one):
        if isinstance(part, np.ndarray) and part.flags.writeable:
            found.append("an array can be changed")
        if isinstance(part, dict | list):
            found.append(f"a {type(part).__name__} can be changed")
        if dataclasses.is_dataclass(part) and not type(part).__dataclass_params__.frozen:
            found.append(f"{type(part).__name__} is not frozen")
    lines = str(one).splitlines()
    if repr(one) != str(one):
        found.append("repr differs from str")
    if len(lines) > 25 or max(map(len, lines)) > 100:
        found.append(f"the text has {len(lines)} lines, {max(map(len, lines))} columns")
    if "array(" in str(one):
        found.append("the text has an array")
    if hasattr(one, "to_dataframe"):
        if not isinstance(one.to_dataframe(), pd.DataFrame):
            found.append("to_dataframe gives no data frame")
        if "<table" not in getattr(one, "_repr_html_", str)():
            found.append("no table in a notebook")
    return found


@pytest.mark.parametrize("name", sorted(MADE))
def test_a_result(name):
    one = make(name)
    assert type(one).__name__ == name
    assert not faults(one)
    for other in (pickle.loads(pickle.dumps(one)), copy.copy(one), copy.deepcopy(one)):
        assert other == one and hash(other) == hash(one)
        assert same(vars(other), vars(one)) or other == one
        assert not faults(other)
        assert str(other) == str(one)


DRAWN = sorted(name for name in MADE if hasattr(dataclasses_of_the_rooms()[name], "plot"))


@pytest.mark.parametrize("name", DRAWN)
def test_a_figure(name, overlapping_labels):
    """Both axes say what they show, no tick covers another, and it is written in each format."""
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    ax = figure.add_subplot()
    assert make(name).plot(ax) is ax
    for axis, label in (("x", ax.get_xlabel()), ("y", ax.get_ylabel())):
        bad, count = overlapping_labels(ax, axis)
        assert not bad and count >= 2, (axis, bad, count)
        assert label or (name == "LawComparison" and axis == "y")  # names of laws
    for ending, first in (("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")):
        data = io.BytesIO()
        figure.savefig(data, format=ending)
        assert data.getvalue().startswith(first)


def test_every_main_result_has_a_figure_and_a_table_in_notebooks():
    """What a command or a public function of its own gives back is looked at in a notebook."""
    main = {
        "Bootstrap", "Bracket", "ChinchillaFit", "Comparison", "Forecast", "Influence",
        "LossReport", "MeanField", "Measurement", "Overlaps", "Packing", "PowerLawFit",
        "Prediction", "Reproduction", "Spectrum", "SweepResult", "TokenCounts", "TrainingRun",
        "Treatments", "UnembeddingFamily", "UnembeddingReport", "WidthExponents", "ZipfComparison",
    }  # fmt: skip
    assert main <= set(DRAWN)
    assert all(hasattr(dataclasses_of_the_rooms()[name], "_repr_html_") for name in main)


def test_a_handle_is_shown_in_short(tmp_path):
    np.save(tmp_path / "wide.npy", WIDE)
    one = ss.unembeddings.open_unembedding(tmp_path / "wide.npy")
    assert repr(one) == str(one) == "wide: 60 x 12 (npy)"


def test_faults_are_seen():
    @dataclasses.dataclass(frozen=True)
    class Bare:
        a: np.ndarray
        b: dict

        def to_dataframe(self):
            return pd.DataFrame({"a": self.a})

        def __str__(self):
            return f"{self.a!r}" + "\n" * 30

    said = faults(Bare(np.zeros(2), {"x": [1]}))
    assert said[:2] == ["an array can be changed", "a dict can be changed"]
    assert len(said) == 7

    Mended = dataclasses.dataclass(frozen=True, eq=False)(
        result(type("Mended", (), {"__annotations__": {"a": np.ndarray, "b": dict}}))
    )
    one = Mended(np.zeros(2), {"x": [1, np.ones(3)]})
    assert not faults(one)
    assert one == Mended(np.zeros(2), {"x": [1, np.ones(3)]})
    assert one != Mended(np.zeros(2), {"x": [1, np.zeros(3)]})
    assert one != Mended(np.zeros(2), {"x": [2, np.ones(3)]})
    with pytest.raises(TypeError):
        one.b["x"] = 2
