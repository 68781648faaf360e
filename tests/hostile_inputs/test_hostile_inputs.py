"""Every public function, given what it cannot use: a right answer, or a line that says why not.

Each function has an entry in ``toy_models.py``, ``geometry.py`` or ``language_models.py``: the
arguments that it takes. Values that it may not take (``values.py``) are then put in the place of
each argument, one after another. What comes back (``harness.py``) is a result, or a ``ValueError``
or ``TypeError`` that our own code raised and that names the argument; no other exception, no
warning of a library, no hang. Where the value is the same in another form (a list, a column of a
data frame, Fortran order, ...), the result is the same too.

A function without an entry fails ``test_every_public_function_has_an_entry``: write the entry, or,
for a class that only our functions make, put its name into ``MADE_BY_US``.
"""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

import superscale as ss
from superscale.importing.lazy_names import listing

from . import geometry, harness, language_models, toy_models
from .harness import faults_of

# Seconds each, since they train, search or solve: tried with ``-m slow``.
LONG = set(
    [
        "compare",
        "counts.compare_zipf",
        "dependence.first_order_loss",
        "ground_state",
        "mechanisms.compare_mechanisms",
        "packings.bound_one_active_loss",
        "packings.bounds",
        "packings.bracket_loss",
        "packings.certify_energy",
        "packings.certify_packing",
        "packings.pack",
        "population_loss",
        "published.reproduce",
        "reading.recall",
        "reading.required_width",
        "required_width",
        "scaling_laws.PowerLawFit.width_for",
        "scaling_laws.fit_chinchilla",
        "solve_mean_field",
        "sweep",
        "train",
        "train_many",
        "unembeddings.analyze",
        "unembeddings.analyze_many",
    ]
)
# Classes that only our functions make; their methods have entries where they take arguments.
MADE_BY_US = set(
    [
        "AxesBootstrap",
        "AxesFit",
        "AxesTest",
        "Bootstrap",
        "Bound",
        "Bounds",
        "Bracket",
        "ChinchillaFit",
        "CombinationRecall",
        "Comparison",
        "ComplexPacking",
        "CrossEntropy",
        "DetectionRates",
        "EnergyCertificate",
        "ErrorRates",
        "ExponentTest",
        "FirstOrderLoss",
        "FittedExponent",
        "Forecast",
        "Frequencies",
        "FrontierMass",
        "GraphSearch",
        "GroundState",
        "Influence",
        "Interval",
        "LawComparison",
        "LearnedDirections",
        "LineSystem",
        "LossBound",
        "LossEstimate",
        "LossReport",
        "MeanField",
        "Measurement",
        "Mechanisms",
        "Overlaps",
        "Packing",
        "PackingCertificate",
        "PowerLawFit",
        "Prediction",
        "RankLawFit",
        "ReadoutComparison",
        "Recall",
        "Reproduction",
        "RowAdamW",
        "RowNorms",
        "SampleFit",
        "Shape",
        "Shapes",
        "SolvedModelFit",
        "Spectrum",
        "SweepResult",
        "TokenCounts",
        "TokenReading",
        "TrainingRun",
        "Treatments",
        "Unembedding",
        "UnembeddingFamily",
        "UnembeddingReport",
        "Validation",
        "WidthExponent",
        "WidthExponents",
        "WidthForecast",
        "WorstCase",
        "ZipfComparison",
        "ZipfFit",
    ]
)
# Drawing takes an axes of matplotlib; certificates and potentials call these of each other.
NOT_TRIED = re.compile(r"\.(plot\w*|conditions|step|to_dataframe)$")


def public():
    """Yield the public functions, and the methods of public classes that take arguments."""
    for stub in sorted(Path(ss.__file__).parent.glob("*.pyi")):
        owner, space = (
            (ss, "") if stub.stem == "__init__" else (getattr(ss, stub.stem), f"{stub.stem}.")
        )
        for name in listing(stub):
            value = getattr(owner, name)
            if inspect.isfunction(value):
                yield space + name
            elif isinstance(value, type) and not issubclass(value, BaseException):
                if name not in MADE_BY_US:
                    yield space + name
                for method, code in vars(value).items():
                    code = getattr(code, "__func__", code)
                    known = inspect.isfunction(code) and not method.startswith("_")
                    if known and len(inspect.signature(code).parameters) > 1:
                        yield f"{space}{name}.{method}"


NAMES = sorted(name for name in set(public()) if not NOT_TRIED.search(name))


@pytest.fixture(scope="module")
def entries(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # some values are names of files to write
        parts = (toy_models, geometry, language_models)
        yield {name: entry for part in parts for name, entry in part.entries(folder).items()}


def test_every_public_function_has_an_entry(entries):
    missing = set(NAMES) - entries.keys()
    assert not missing, "write an entry for each: see the top of this file"
    assert LONG <= entries.keys()


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if n in LONG else []) for n in NAMES]
)
def test_hostile_inputs(name, entries, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    if name not in entries:
        pytest.skip("no entry: see test_every_public_function_has_an_entry")
    function, arguments = entries[name]
    faults = faults_of(name, function, arguments)
    assert not faults, "\n".join(f"{tried}: {fault}" for tried, fault in faults.items())


def endless(x):
    """Take its time in Python's own loop, which a signal ends."""
    while x is None:
        pass
    return x


def test_faults_are_seen(monkeypatch):
    def careless(x, flag=False):
        return float(np.asarray(x, dtype=float).sum()) if flag is False else 1.0

    faults = faults_of("careless", careless, {"x": np.ones(3), "flag": False})
    for kind in ("of a library", "warning", "is passed over", "OverflowError"):
        assert any(kind in fault for fault in faults.values()), kind
    monkeypatch.setattr(harness, "SECONDS", 0.1)
    slow = faults_of("slow", endless, {"x": 1})
    assert any("no answer" in fault for fault in slow.values())
