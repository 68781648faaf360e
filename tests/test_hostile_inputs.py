"""Every public function, given what it cannot use: a right answer, or a line that says why not.

Each function has an entry in ``base()``: arguments that it takes. Values that it may not take are
then put in the place of each argument, one after another. What comes back is a result, or a
``ValueError`` or ``TypeError`` that our own code raised and that names the argument; no other
exception, no warning of a library, no hang. Where the value is the same in another form (a list, a
column of a data frame, Fortran order, ...), the result is the same too.

A function without an entry fails ``test_every_public_function_has_an_entry``: write the entry, or,
for a class that only our functions make, put its name into ``MADE_BY_US``.
"""

import dataclasses
import inspect
import math
import re
import signal
import warnings
from contextlib import contextmanager
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sympy as sp

import superscale as ss
from superscale.importing.lazy_names import listing
from theory.results import same

ROOT = Path(__file__).parents[1]
ROOMS = tuple(str(ROOT / room) for room in ("theory", "numerics", "empirical", "superscale"))
SECONDS = 10  # of processor time, for one call


class Hang(BaseException):
    """The time of one call is over."""


# --- What each function takes ------------------------------------------------------------------

RNG = np.random.default_rng(0)
W = RNG.standard_normal((12, 4))
COUNTS = np.round(1e4 / np.arange(1.0, 61))
TINY = {"steps": 4, "batch": 8, "evaluation_samples": 64}


SAMPLE = np.random.default_rng(1).random((40, 6))


@cache
def exclusive():
    p = ss.Frequencies.from_probabilities([0.2, 0.2, 0.1, 0.1])
    return ss.Features.exclusive(p, [[0, 1], [2, 3]])


@cache
def words():
    return ss.Frequencies.power_law(12, alpha=1.0)


@cache
def prediction():
    return ss.predict(words(), 4, theory="weak")


@cache
def model():
    return ss.ToyModel(W, -0.1 * np.ones(12))


@cache
def run():
    return ss.train(words(), 4, **TINY)


@cache
def fit():
    m = np.array([8.0, 16, 32, 64, 128, 256] * 2)
    loss = (3 / m**0.9 + 0.5) * (1 + 0.01 * np.random.default_rng(0).standard_normal(12))
    return ss.scaling_laws.fit_power_law(m, loss, groups=["a", "b"] * 6, clusters=[*"uvwxyz"] * 2)


@cache
def bootstrap():
    return fit().bootstrap(samples=49)


@cache
def surface():
    return tuple(x.ravel() for x in np.meshgrid([1e8, 3e8, 1e9, 3e9], [3e9, 1e10, 3e10, 1e11]))


@cache
def chinchilla():
    N, D = surface()
    return ss.scaling_laws.fit_chinchilla(N, D, 1.69 + 406.4 / N**0.34 + 410.7 / D**0.28)


@cache
def axes_fit():
    m, depth = (x.ravel() for x in np.meshgrid([256.0, 512, 1024, 2048], [4.0, 8, 16, 32]))
    noise = 1 + 0.001 * np.random.default_rng(0).standard_normal(16)
    rows = {"m": m, "depth": depth, "loss": (1.7 + 90 / m**0.95 + 3 / depth**1.2) * noise}
    return ss.scaling_laws.fit_axes(rows, ["m", "depth"])


@cache
def complex_packing():
    return ss.packings.ComplexPacking.from_text("1\n0\n0\n1\n0\n0\n0\n0\n", 2)


@cache
def posterior():
    return ss.reading.SupportPosterior(W[:6], 2, 0.5)


@cache
def sample_fit():
    return ss.dependence.fit_samples(np.where(SAMPLE > 0.7, SAMPLE, 0.0), least_gain=1.0)


@cache
def zipf():
    return ss.counts.compare_zipf(COUNTS)


def a_file(folder, name, text):
    (folder / name).write_text(text)
    return folder / name


def base(folder):
    """Return each function with arguments that it takes; ``folder`` has room for files."""
    counts = a_file(folder, "counts.csv", "word,count\nthe,30\ncat,20\nsat,10\n")
    losses = a_file(folder, "losses.csv", "m,loss,g\n8,2.0,a\n16,1.5,a\n32,1.2,b\n")
    np.save(folder / "W.npy", W)
    ss.train(words(), 4, **TINY).save(folder / "run.safetensors")
    m = np.array([8.0, 16, 32, 64, 128, 256])
    N, D = surface()
    relu = ss.packings.ReluPotential(Fraction(1), Fraction(-1, 10))
    features = ss.Features(words())
    overlap = ss.directions.RandomOverlap(5)
    frequencies = ss.Frequencies
    training = {
        "features": words(), "m": 4, "recipe": "fast", "weight_decay": -1.0, "progress": False,
        "batch": 8, "late_batch": 8, "late_fraction": 0.5, "steps": 4, "learning_rate": 0.01,
        "bias_learning_rate": 0.01, "warmup_steps": 1, "final_learning_rate": 0.05,
        "rare_share": 0.0, "bias_start": "zero", "evaluation_samples": 64, "device": "cpu",
        "backend": "auto", "loss_scale": 1.0,
    }  # fmt: skip
    points = {"m": m, "loss": 3 / m**0.9 + 0.5 + 0.01 * np.cos(m)}
    matrix = {"transpose": False, "rows": np.arange(12), "seed": 0, "pairs": "all"}
    rates = np.array([1.0, 0.5, 0.25])
    tables = ([[0.5, 0.3, 0.2]], [[1.0, 0.0], [0.5, 0.5], [1.0, 0.0]])
    forest = ss.dependence.Forest([-1, 0], tables, [0, 0, 1], [1, 2, 1])
    edges = np.array([[0, 1], [0, 2], [1, 3]])
    codes = np.eye(4) + 0.1
    table = pd.DataFrame(
        {
            **{name: axes_fit().rows[name] for name in ("m", "depth", "loss")},
            "g": ["a", "b"] * 8,
            "w": 1.0,
        }
    )
    reading = {"n": 40, "active": 2, "readout": "top_k", "codes": "random", "noise": 0.1}
    search = {"strengths": [1, 3], "n": 20, "threshold": 0.5, "codes": "random"}
    return {
        "compare": (ss.compare, {
            "features": words(), "m": [3, 4], "seeds": 1, "theory": "weak", "recipe": "fast",
            "weight_decay": -1.0, "store": None, "executor": None, "workers": 1,
            "progress": False, **TINY}),
        "sweep": (ss.sweep, {
            "grid": {"m": [3, 4], "n": 12}, "store": None, "executor": None, "workers": 1,
            "progress": False, **TINY}),
        "measure": (ss.measure, {"model": model(), "features": words(), "samples": 64, "seed": 0}),
        "TrainingRun.save": (run().save, {"path": folder / "again.safetensors"}),
        "TrainingRun.load": (ss.TrainingRun.load, {"path": folder / "run.safetensors"}),
        "TrainingSettings": (ss.TrainingSettings, {
            k: v for k, v in training.items() if k not in ("features", "m", "progress")
        } | {"seed": 0}),
        "train": (ss.train, {
            **training, "seed": 0, "model": None, "checkpoint": None, "checkpoint_every": 2}),
        "train_many": (ss.train_many, {
            "features": words(), "m": 4, "seeds": 2, "recipe": "fast", "weight_decay": -1.0,
            "compiled": False, "progress": False, **TINY}),
        "population_loss": (ss.population_loss, {
            "model": model(), "features": words(), "sampling": "bernoulli", "rtol": 1e-3,
            "gradient": False}),
        "monte_carlo_loss": (ss.monte_carlo_loss, {
            "model": model(), "features": words(), "samples": 64, "seed": 0}),
        "directions.spectrum": (ss.directions.spectrum, {"W": W, "center": False}),
        "directions.Spectrum.share": (ss.directions.spectrum(W).share, {"k": 2}),
        "overlaps": (ss.overlaps, {
            "W": W, **matrix, "center": False, "remove": 0, "weights": np.arange(12.0, 0, -1),
            "against": None, "samples": 50, "thresholds": (0.0, 0.5), "bins": 20}),
        "open_matrix": (ss.open_matrix, {
            "path": folder / "W.npy", "tensor": None, "formats": None, "transpose": False}),
        "ToyModel": (ss.ToyModel, {"W": W, "b": np.zeros(12)}),
        "Activation": (ss.Activation, {"low": 0.0, "high": 2.0, "shares": (1.0, 3.0)}),
        "Activation.moment": (ss.Activation().moment, {"k": 2}),
        "Activation.density": (ss.Activation().density, {"v": sp.Symbol("v")}),
        "Activation.sample": (draw_activation, {"size": 5}),
        "Features": (ss.Features, {
            "frequencies": words(), "activation": ss.Activation(),
            "importance": np.linspace(1, 2, 12)}),
        "Features.from_description": (ss.Features.from_description, {
            "record": features.describe(), "p": words().p, "importance": None}),
        "Frequencies.power_law": (frequencies.power_law, {"n": 12, "alpha": 1.0, "density": 1.0}),
        "Frequencies.exponential": (frequencies.exponential, {
            "n": 12, "scale": 3.0, "density": 1.0}),
        "Frequencies.linear": (frequencies.linear, {"n": 12, "density": 1.0}),
        "Frequencies.from_counts": (frequencies.from_counts, {
            "counts": COUNTS, "density": 1.0, "top": 30}),
        "Frequencies.from_probabilities": (frequencies.from_probabilities, {
            "p": np.array([0.5, 0.25, 0.125])}),
        "Frequencies.from_description": (frequencies.from_description, {
            "record": words().describe(), "p": words().p}),
        "Frequencies.as_given": (words().as_given, {"ranked": np.arange(12.0)}),
        "Frequencies.by_rank": (words().by_rank, {"given": np.arange(12.0)}),
        "Frequencies.frequency": (words().frequency, {"i": np.array([1, 2])}),
        "Frequencies.tail_sum": (words().tail_sum, {"r": np.array([1, 2]), "power": 1}),
        "solve_mean_field": (ss.solve_mean_field, {
            "features": ss.Frequencies.linear(12), "m": 4, "groups": 2, "sampling": "bernoulli",
            "optimised": False, "antipodal": True, "options": None, "progress": None}),
        "predict": (ss.predict, {
            "features": words(), "m": [3, 4], "theory": "weak", "sampling": "bernoulli",
            "recipe": None, "weight_decay": None, "bias": None, "executor": None,
            "progress": False}),
        **{f"Prediction.{name}": (getattr(prediction(), name), arguments)
           for name, arguments in {
               "derivation": {"theory": "weak"}, "explain": {"theory": "weak"},
               "expression": {"theory": "weak", "of": "loss", "limit": "exact"},
               "latex": {"theory": "weak", "of": "loss", "limit": "exact"}}.items()},
        "RowAdamW": (row_adam, {
            "lr": 0.01, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0}),
        "required_width": (ss.required_width, {
            "features": words(), "loss": 0.5, "kept": None, "theory": "weak",
            "sampling": "bernoulli"}),
        "theories": (ss.theories, {"features": words()}),
        "from_state_dict": (ss.from_state_dict, {
            "state": {"W": W, "b": np.zeros(12)}, "features_axis": 0}),
        "Features.exclusive": (ss.Features.exclusive, {
            "frequencies": words(), "sets": ((0, 1), (2, 3))}),
        "Features.hierarchy": (ss.Features.hierarchy, {
            "frequencies": words(), "parents": [None, *[0] * 11]}),
        "directions.feature_dimensionalities": (ss.directions.feature_dimensionalities, {"W": W}),
        "dependence.fit_samples": (ss.dependence.fit_samples, {
            "X": np.where(SAMPLE > 0.7, SAMPLE, 0.0), "tree": True, "cells": 3, "least_gain": 0.0,
            "scale": "pooled"}),
        "dependence.first_order_loss": (ss.dependence.first_order_loss, {
            "features": exclusive(), "m": 3, "draws": 2, "seed": 0}),
        "scaling_laws.read_runs": (ss.scaling_laws.read_runs, {
            "path": a_file(folder, "runs.csv", "N,D,loss\n1e8,1e9,3.0\n2e8,1e9,2.9\n1e8,2e9,2.8\n"),
            "N": "N", "D": "D", "y": "loss", "m": None, "label": None, "separator": ",",
            "decimal": None, "thousands": None}),
        "counts.read_counts": (ss.counts.read_counts, {
            "path": counts, "column": "count", "separator": ",", "decimal": None,
            "thousands": None}),
        "counts.TokenCounts.most_common": (token_counts().most_common, {"k": 1}),
        "counts.TokenCounts.save": (token_counts().save, {
            "path": folder / "saved.csv", "blocks": False}),
        "counts.TokenCounts.to_csv": (token_counts().to_csv, {"blocks": False}),
        "counts.TokenCounts.load": (ss.counts.TokenCounts.load, {
            "path": token_file(folder / "tokens.csv")}),
        "counts.count_tokens": (ss.counts.count_tokens, {
            "texts": ["the cat"], "tokenizer": tokenizer_file(folder), "progress": False}),
        "counts.predict_width_exponents": (ss.counts.predict_width_exponents, {
            "comparison": zipf(), "m": np.array([3, 4]), "n": 60, "seed": 0}),
        "counts.compare_zipf": (ss.counts.compare_zipf, {
            "counts": COUNTS, "ranks": (1, 50), "blocks": None}),
        **{f"counts.ZipfComparison.{name}": (getattr(zipf(), name), {"law": "zipf"})
           for name in ("errors", "dispersion", "aic", "bic", "qbic")},
        "counts.ZipfComparison.lead": (zipf().lead, {"law": "zipf", "over": "broken_power_law"}),
        "counts.fit_rank_law": (ss.counts.fit_rank_law, {
            "counts": COUNTS, "law": "zipf", "ranks": (1, 50)}),
        "counts.RankLawFit.exponent": (zipf()["zipf"].exponent, {"ranks": np.array([1, 2])}),
        "counts.RankLawFit.errors": (zipf()["zipf"].errors, {"covariance": None}),
        "counts.RankLawFit.frequencies": (zipf()["zipf"].frequencies, {"n": 60}),
        "counts.RankLawFit.score": (zipf()["zipf"].score, {"counts": COUNTS[:50]}),
        "counts.fit_zipf": (ss.counts.fit_zipf, {
            "counts": COUNTS, "top": None, "ranks": (1, 50)}),
        "directions.random_overlaps": (ss.directions.random_overlaps, {
            "n": 6, "m": 3, "repeats": 2, "seed": 0, "thresholds": (0.0,)}),
        "directions.mean_square_overlap": (ss.directions.mean_square_overlap, {"W": W}),
        "directions.RandomOverlap": (ss.directions.RandomOverlap, {"m": 5}),
        "directions.RandomOverlap.pdf": (overlap.pdf, {"t": np.array([0.0, 0.5])}),
        "directions.RandomOverlap.survival": (overlap.survival, {"t": np.array([0.0, 0.5])}),
        "directions.RandomOverlap.one_sided_moment": (overlap.one_sided_moment, {"h": 0.1}),
        "directions.RandomOverlap.expected_maximum": (overlap.expected_maximum, {
            "n": 9, "absolute": True, "pairs": None}),
        "directions.frame_capacity": (ss.directions.frame_capacity, {"m": np.array([3, 4])}),
        "directions.welch_mean_square": (ss.directions.welch_mean_square, {
            "n": np.array([9, 10]), "m": np.array([3, 4])}),
        "packings.bracket_loss": (ss.packings.bracket_loss, {
            "n": 9, "m": [3], "r": 1.0, "b": 0.0, "seed": 0, "density": 0.1, "steps": 4,
            "batch": 8, "progress": None}),
        "packings.construct": (ss.packings.construct, {"n": 6, "m": 3}),
        "packings.LineSystem.exact_overlap": (ss.packings.construct(6, 3).exact_overlap, {
            "i": 0, "j": 1}),
        "packings.pack": (ss.packings.pack, {
            "n": 6, "m": 3, "objective": "coherence", "seed": 0, "starts": 1, "seconds": 0.2,
            "target": None, "explicit": False, "p": 4.0, "features": None, "r": 1.0, "b": 0.0,
            "progress": None}),
        "packings.pack_complex": (ss.packings.pack_complex, {
            "n": 5, "d": 2, "seed": 0, "starts": 1, "seconds": 0.1}),
        "packings.ComplexPacking.from_text": (ss.packings.ComplexPacking.from_text, {
            "text": "1\n0\n0\n1\n0\n0\n0\n0\n", "d": 2}),
        "packings.ComplexPacking.save": (complex_packing().save, {"path": folder / "c.txt"}),
        "packings.complex_bounds": (ss.packings.complex_bounds, {"n": 5, "d": 2}),
        "packings.coherence_enclosure": (ss.packings.coherence_enclosure, {
            "vectors": np.eye(3), "imaginary": np.eye(3), "digits": 20}),
        "packings.Packing.save": (ss.packings.pack(6, 3).save, {"path": folder / "lines.npz"}),
        "packings.Packing.load": (ss.packings.Packing.load, {"path": packing_file(folder)}),
        "packings.PowerPotential": (ss.packings.PowerPotential, {"k": 4}),
        "packings.ReluPotential": (ss.packings.ReluPotential, {
            "g": Fraction(1), "b": Fraction(-1, 10)}),
        "packings.certify_energy": (ss.packings.certify_energy, {
            "n": 9, "m": 3, "potential": relu, "degree": 6}),
        "packings.certify_packing": (ss.packings.certify_packing, {
            "n": 9, "m": 3, "kind": "lines", "degree": 6}),
        "packings.bound_one_active_loss": (ss.packings.bound_one_active_loss, {
            "n": 9, "m": 3, "r": 1.0, "b": 0.0, "degree": 6, "tolerance": 1e-3}),
        "packings.bounds": (ss.packings.bounds, {"n": 9, "m": 3, "kind": "lines", "degree": 6}),
        "packings.equiangular_conditions": (ss.packings.equiangular_conditions, {"n": 6, "m": 3}),
        "packings.frame_potential": (ss.packings.frame_potential, {"n": 6, "m": 3}),
        "published.reproduce": (ss.published.reproduce, {
            "figure": "fig7", "workers": 1, "progress": False}),  # with a store it trains for hours
        "published.compare_reference": (ss.published.compare_reference, {
            "name": "fig1-weak", "curves": ["power"]}),
        "published.load_reference": (ss.published.load_reference, {"table": "fig7_density"}),
        "published.load_measured": (ss.published.load_measured, {"name": "seeds"}),
        "regimes.equiangular_loss": (ss.regimes.equiangular_loss, {
            "frequencies": words(), "m": np.array([3, 4])}),
        **{f"regimes.{name}": (getattr(ss.regimes, name), {
            "g": np.array([0.5, 1.0]), "b": np.array([0.0, -0.1]), "activation": ss.Activation()})
           for name in ("interference_loss", "self_loss")},
        "regimes.lost_loss": (ss.regimes.lost_loss, {
            "features": words(), "lost": np.arange(12) > 5}),
        **{f"regimes.{name}": (getattr(ss.regimes, name), {
            "features": words(), "r": np.array([3, 4])})
           for name in ("tail_loss", "weak_exponent", "weak_loss")},
        "Features.mixture": (ss.Features.mixture, {
            "weights": np.array([0.5, 0.5]),
            "probabilities": np.array([[0.2, 0.2, 0.1], [0.1, 0.0, 0.4]]),
            "activation": ss.Activation(), "importance": np.array([1.0, 2.0, 3.0])}),
        "Features.common_cause": (ss.Features.common_cause, {
            "frequencies": words(), "groups": ((0, 1), (2, 3)), "causes": np.array([0.5, 0.6]),
            "without": 0.01, "activation": ss.Activation(), "importance": np.ones(12)}),
        "Features.from_samples": (ss.Features.from_samples, {
            "X": np.where(SAMPLE > 0.7, SAMPLE, 0.0), "importance": np.ones(6), "tree": False,
            "cells": 3, "least_gain": 0.0, "scale": "pooled"}),
        "Measurement.represented": (ss.measure(model(), words(), samples=64).represented, {
            "share": 0.5}),
        "ground_state": (ss.ground_state, {
            "features": ss.Frequencies.linear(3, 0.3), "m": 2, "starts": 1, "seed": 0,
            "start": None, "sampling": "bernoulli", "progress": None}),
        "to_state_dict": (ss.to_state_dict, {"model": model(), "layout": "occhio"}),
        "dependence.Forest": (ss.dependence.Forest, {
            "parents": np.array([-1, 0]), "tables": tables, "variable": np.array([0, 0, 1]),
            "state": np.array([1, 2, 1])}),
        "dependence.Forest.conditional": (forest.conditional, {"a": 1}),
        "dependence.Forest.take": (forest.take, {"features": np.array([1, 0])}),
        "dependence.Forest.from_arrays": (ss.dependence.Forest.from_arrays, {
            "arrays": forest.arrays()}),
        "dependence.SampleFit.law_of": (sample_fit().law_of, {"feature": 1}),
        **{f"mechanisms.derive_{name}": (getattr(ss.mechanisms, f"derive_{name}"), {})
           for name in ("averaging", "flow", "memory", "peaked", "quanta")},
        "mechanisms.averaging_loss": (ss.mechanisms.averaging_loss, {
            "layers": np.array([1.0, 4.0]), "correlation": 0.2}),
        "mechanisms.simulate_averaging": (ss.mechanisms.simulate_averaging, {
            "layers": 4, "correlation": 0.2, "seed": 0, "samples": 8}),
        "mechanisms.compare_mechanisms": (ss.mechanisms.compare_mechanisms, {
            "frequencies": ss.Frequencies.power_law(24, 1.5), "m": np.array([3, 6]),
            "solve": False}),
        "mechanisms.flow_exponent": (ss.mechanisms.flow_exponent, {"a": 1.0, "b": 0.5}),
        "mechanisms.flow_loss": (ss.mechanisms.flow_loss, {
            "t": np.array([0.0, 1.0]), "rates": rates, "weights": rates**2}),
        "mechanisms.simulate_flow": (ss.mechanisms.simulate_flow, {
            "t": 0.5, "rates": rates, "teacher": rates, "rate": 0.1}),
        "mechanisms.narrow_flow_loss": (ss.mechanisms.narrow_flow_loss, {
            "t": np.array([0.0, 1.0]), "rates": rates, "teacher": rates, "m": 2, "seed": 0}),
        "mechanisms.memorised_loss": (ss.mechanisms.memorised_loss, {
            "frequencies": words(), "D": np.array([0.0, 10.0])}),
        "mechanisms.quanta_loss": (ss.mechanisms.quanta_loss, {
            "frequencies": words(), "N": np.array([0.0, 2.5])}),
        "mechanisms.simulate_memory": (ss.mechanisms.simulate_memory, {
            "frequencies": words(), "D": 10, "seed": 0, "samples": 5}),
        "mechanisms.free_energy": (ss.mechanisms.free_energy, {"beta": 1.0, "n": 8}),
        **{f"mechanisms.peaked_{name}": (getattr(ss.mechanisms, f"peaked_{name}"), {
            "beta": np.array([1.0, 2.0]), "n": 8, "T": 0.1, "m": None})
           for name in ("loss", "gradient")},
        "mechanisms.flow_of_peaked_loss": (ss.mechanisms.flow_of_peaked_loss, {
            "n": 8, "T": 0.1, "m": None, "points": 3}),
        "mechanisms.simulate_peaked": (ss.mechanisms.simulate_peaked, {
            "beta": np.array([1.0, 2.0]), "n": 8, "T": 0.1, "m": 4, "seed": 0, "samples": 16}),
        "reading.SupportPosterior": (ask_posterior, {
            "W": W[:5], "active": 2, "noise": 0.5, "p": 0.2}),
        **{f"reading.SupportPosterior.{name}": (getattr(posterior(), name), {"h": W[:2]})
           for name in ("marginals", "most_likely", "probabilities")},
        "reading.SupportPosterior.probability_of": (posterior().probability_of, {
            "h": W[:2], "read": posterior().most_likely(W[:2])}),
        "reading.asymptotic_width": (ss.reading.asymptotic_width, {
            "n": 40, "active": 3, "t": 1, "r": 2, "threshold": "best"}),
        "reading.recall_combinations": (ss.reading.recall_combinations, {
            "n": 40, "m": 30, "active": 3, "t": 1, "r": 2, "threshold": "best", "samples": 8,
            "seed": 0}),
        "reading.breadth_first": (ss.reading.breadth_first, {
            "edges": edges, "n": 4, "root": 0, "steps": 2}),
        "reading.search_strengths": (ss.reading.search_strengths, {
            "edges": edges, "n": 4, "root": 0, "steps": 2}),
        "reading.search_graph": (ss.reading.search_graph, {
            "edges": edges, "codes": codes, "root": 0, "steps": 2, "threshold": 0.5,
            "beta": None}),
        "reading.decode": (ss.reading.decode, {
            "W": W[:6], "h": W[:2], "active": 2, "readout": "top_k", "noise": 0.1,
            "threshold": 0.5}),
        "reading.compare_readouts": (ss.reading.compare_readouts, {
            "W": W[:6], "active": 2, "noise": 0.1, "samples": 5,
            "readouts": ["top_k", "posterior"], "threshold": 0.5, "seed": 0}),
        "reading.detection_rates": (ss.reading.detection_rates, {
            "model": model(), "features": words(), "threshold": 0.25, "samples": 20, "seed": 0}),
        "reading.error_rates": (ss.reading.error_rates, {
            "W": W, "active": 2, "threshold": 0.5, "noise": 0.1, "method": "sampling",
            "normalize": True, "transpose": False, "samples": 20, "seed": 0}),
        "reading.worst_case_active": (ss.reading.worst_case_active, {
            "W": W, "normalize": True, "transpose": False, "limit": None}),
        "reading.draw_bars": (ss.reading.draw_bars, {
            "samples": 4, "size": 3, "p": 0.2, "weight": 10.0, "noise": 2.0, "model": "binary",
            "seed": 0}),
        "reading.learn_directions": (ss.reading.learn_directions, {
            "states": SAMPLE[:8], "count": 3, "model": "binary", "candidates": None,
            "most_on": None, "iterations": 2, "temperature": 1.5, "starts": 1, "seed": 0}),
        "reading.match_directions": (ss.reading.match_directions, {
            "found": W[:3], "true": W[1:3]}),
        "reading.overlap_law": (ss.reading.overlap_law, {"blocks": 3, "units": 4}),
        "reading.union_law": (ss.reading.union_law, {"units": 4, "active": 2}),
        "reading.false_match": (ss.reading.false_match, {
            "blocks": 3, "units": 4, "active": 2, "least": None}),
        "reading.frontier_mass": (ss.reading.frontier_mass, {
            "n": 20, "active": 2, "m": 16, "beta": 3.0, "codes": "random"}),
        "reading.search_success": (ss.reading.search_success, {**search, "m": 40}),
        "reading.search_width": (ss.reading.search_width, {**search, "error": 0.3}),
        "reading.guaranteed_active": (ss.reading.guaranteed_active, {"coherence": 0.1}),
        "reading.most_active": (ss.reading.most_active, {"n": 40, "m": 4}),
        "reading.recall": (ss.reading.recall, {
            **reading, "m": 30, "strengths": np.array([1.0, 2.0]), "threshold": None,
            "blocks": None}),
        "reading.required_width": (ss.reading.required_width, {
            **reading, "error": 0.3, "strengths": np.array([1.0, 2.0])}),
        "reading.max_active": (ss.reading.max_active, {
            "n": 40, "m": 30, "error": 0.1, "readout": "top_k", "codes": "random",
            "noise": 0.1, "blocks": None}),
        "reading.read_tokens": (ss.reading.read_tokens, {
            "source": W, "error": 0.4, "remove": 1, "counts": np.arange(12.0, 0, -1),
            "rows": np.arange(12), "tensor": None, "transpose": False, "samples": 4, "seed": 0}),
        "scaling_laws.fit_axes": (ss.scaling_laws.fit_axes, {
            "table": table, "axes": ["m", "depth"], "loss": "loss", "groups": None,
            "clusters": "g", "weights": "w", "interactions": (), "floor": True,
            "residuals": "log", "huber": 1e-3, "drop_highest": 0}),
        **{f"scaling_laws.AxesFit.{name}": (getattr(axes_fit(), name), arguments)
           for name, arguments in {
               "bootstrap": {"by": "points", "samples": 2, "seed": 0},
               "compare": {"rivals": None},
               "influence": {"by": "points"},
               "interval": {"name": "m", "level": 0.9},
               "predict": {"group": None, "m": np.array([300.0, 400.0]), "depth": 8.0},
               "profile": {"name": "m", "values": np.array([0.9, 1.0])},
               "test": {"m": 1.0},
               "validate": {"by": "m", "share": 0.7}}.items()},
        "scaling_laws.AxesBootstrap.interval": (axes_fit().bootstrap(samples=3).interval, {
            "name": "alpha(m)", "level": 0.9}),
        "scaling_laws.plan_shape": (ss.scaling_laws.plan_shape, {
            "fit": axes_fit(), "compute": None, "parameters": 1e8, "tokens": None,
            "axes": ("m", "depth"), "group": None, "vocabulary": 0.0, "count_parameters": None,
            "count_compute": None, "samples": 2, "by": "points", "level": 0.9,
            "tolerance": 0.001, "seed": 0}),
        "scaling_laws.fit_solved_model": (ss.scaling_laws.fit_solved_model, {
            "m": np.array([2.0, 3, 4, 6, 8]), "loss": 1 / np.array([2.0, 3, 4, 6, 8]),
            "n": np.array([12]), "alpha": np.array([1.0, 1.5]), "density": 1.0, "groups": None,
            "theory": "weak", "floor": False, "level": 0.9, "progress": None}),
        "scaling_laws.drop_points": (ss.scaling_laws.drop_points, {
            "columns": {"m": m, "loss": 3 / m, "labels": [*"abcdef"]}, "highest": 1,
            "names": ["c"]}),
        "scaling_laws.read_columns": (ss.scaling_laws.read_columns, {
            "path": losses, "numbers": ["m", "loss"], "names": {"group": "g"},
            "separator": ",", "decimal": None, "thousands": None}),
        "scaling_laws.fit_chinchilla": (ss.scaling_laws.fit_chinchilla, {
            "N": N, "D": D, "loss": chinchilla().loss, "huber": None}),
        "scaling_laws.ChinchillaFit.predict": (chinchilla().predict, {"N": 1e9, "D": 1e10}),
        "scaling_laws.ChinchillaFit.interval": (chinchilla().interval, {
            "name": "alpha_N", "level": 0.9}),
        "scaling_laws.ChinchillaFit.bootstrap": (chinchilla().bootstrap, {
            "samples": 3, "seed": 0}),
        "scaling_laws.width_exponent": (ss.scaling_laws.width_exponent, {
            "alpha_N": 0.35, "N": np.array([1e8, 9e8, 6e9]), "m": np.array([512, 1536, 4096]),
            "stderr": 0.02}),
        "scaling_laws.fit_exponent": (ss.scaling_laws.fit_exponent, points),
        "scaling_laws.read_losses": (ss.scaling_laws.read_losses, {
            "path": losses, "x": "m", "y": "loss", "group": "g", "label": None, "cluster": None,
            "stderr": None, "weight": None, "separator": ",", "decimal": None,
            "thousands": None}),
        "scaling_laws.fit_power_law": (ss.scaling_laws.fit_power_law, {
            **points, "groups": ["a", "b"] * 3, "floor": False, "weights": np.ones(6),
            "stderr": None, "huber": None, "labels": [*"abcdef"], "clusters": [*"abcdef"]}),
        **{f"scaling_laws.PowerLawFit.{name}": (getattr(fit(), name), arguments)
           for name, arguments in {
               "predict": {"m": np.array([8.0, 9.0]), "group": "a"},
               "interval": {"level": 0.9},
               "floor_interval": {"group": "a", "level": 0.9},
               "bootstrap": {"by": "points", "samples": 20, "seed": 0},
               "influence": {"by": "points"},
               "test_alpha": {"value": 1.0, "by": "points"},
               "forecast": {"m": np.array([500.0]), "group": "a", "level": 0.9,
                            "bootstrap": None, "n": 1000},
               "width_for": {"loss": 0.6, "group": "a", "level": 0.9, "bootstrap": None,
                             "n": 1000},
               "to_dataframe": {"level": 0.9}}.items()},
        "scaling_laws.Bootstrap.interval": (bootstrap().interval, {"level": 0.9}),
        "scaling_laws.Influence.without": (fit().influence(by="clusters").without, {
            "name": "u"}),
        "scaling_laws.Influence.interval": (fit().influence().interval, {
            "alpha": 0.9, "level": 0.9}),
        "scaling_laws.Influence.test": (fit().influence().test, {"value": 1.0, "alpha": 0.9}),
        "unembeddings.analyze": (ss.unembeddings.analyze, {
            "source": W, **matrix, "tensor": None, "counts": np.arange(12.0, 0, -1), "remove": 1,
            "samples": 50, "tokens": 10, "name": "w"}),
        "unembeddings.analyze_many": (ss.unembeddings.analyze_many, {
            "sources": {"w": W}, **matrix, "tensor": None, "counts": np.arange(12.0, 0, -1),
            "remove": 1, "samples": 50, "tokens": 10, "progress": False}),
        "unembeddings.open_unembedding": (ss.unembeddings.open_unembedding, {
            "source": folder / "W.npy", "tensor": None, "transpose": False}),
        "unembeddings.estimate_cross_entropy": (ss.unembeddings.estimate_cross_entropy, {
            "W": W, "center": False, "weights": np.arange(12.0, 0, -1), "tokens": 10,
            "seed": 0}),
        "unembeddings.compare_treatments": (ss.unembeddings.compare_treatments, {
            "W": W, "remove": 1, "transpose": False}),
        "unembeddings.RowMatrix": (ss.unembeddings.RowMatrix, {"array": W, "bfloat16": False}),
        "unembeddings.RowMatrix.read": (ss.unembeddings.RowMatrix(W).read, {
            "start": 0, "stop": 2}),
        "unembeddings.RowMatrix.take": (ss.unembeddings.RowMatrix(W).take, {
            "rows": np.array([0, 2])}),
        "unembeddings.RowMatrix.select": (ss.unembeddings.RowMatrix(W).select, {
            "rows": np.array([0, 2])}),
    }  # fmt: skip


def ask_posterior(**arguments):
    return ss.reading.SupportPosterior(**arguments).probabilities(np.ones(4))


def draw_activation(size):
    return ss.Activation().sample(size, np.random.default_rng(0))


def row_adam(**settings):
    import torch

    return ss.RowAdamW([torch.nn.Parameter(torch.ones(2, 2))], **settings)


@cache
def token_counts():
    return ss.counts.TokenCounts(np.array([3, 2]), ("a", "b"), np.zeros((0, 3), int))


def token_file(path):
    token_counts().save(path)
    return path


def packing_file(folder):
    ss.packings.pack(6, 3).save(folder / "packing.npz")
    return folder / "packing.npz"


def tokenizer_file(folder):
    tk = pytest.importorskip("tokenizers")
    made = tk.Tokenizer(tk.models.WordLevel({"?": 0, "the": 1, "cat": 2}, unk_token="?"))
    made.pre_tokenizer = tk.pre_tokenizers.Whitespace()
    made.save(str(folder / "tokenizer.json"))
    return folder / "tokenizer.json"


# --- What is put in the place of an argument ---------------------------------------------------

SCALARS = [
    math.nan, math.inf, -math.inf, -1, 0, 0.5, 2.5, 1e300, -1e300, 1e-300, 10**400, -(10**400),
    10**12,  # a size that does not fit, a number of steps that takes days
    None, True, "x", "", "nan", b"x", 1 + 2j, [], [[]], {}, object(), Decimal("1.5"),
    Fraction(1, 3), np.float16(2), np.array(2), np.array([2.0]), [2], ["x"], [[1, 2], [3]],
    (None,), pd.NA, np.ma.masked, {1, 2}, np.zeros((2, 2, 2)),
]  # fmt: skip


def arrays(value):
    """Return arrays like this one that hold what they should not."""
    x = np.asarray(value, dtype=float)

    def with_one(entry, dtype=float):
        other = x.astype(dtype)
        other.flat[other.size // 2] = entry
        return other

    masked = np.ma.masked_array(x, mask=np.arange(x.size).reshape(x.shape) == 1)
    yield from (with_one(entry) for entry in (math.nan, math.inf, -math.inf, -3.0, 1e300, 1e-300))
    yield from (with_one(entry, object) for entry in (None, "x", 10**400, 1j, [1, 2], pd.NA))
    yield from (x.astype(complex) + 1j, x.astype(str), masked)
    yield from (x[:0], x[:1], x[None], x[..., None], np.concatenate([x, x]), 0 * x, -x, x[::-1])
    yield from (
        np.minimum(x, 6e4).astype(np.float16),
        x > x.mean(),
        pd.Series(x.ravel(), dtype=object)[1:],
    )


def same_arrays(value):
    """Return the same numbers in other forms."""
    x = np.asarray(value)
    wide = np.repeat(x, 2, axis=-1)
    locked = x.copy()
    locked.flags.writeable = False
    yield from (x.tolist(), locked, wide[..., ::2], np.asfortranarray(x), x.astype(object))
    yield x.astype(x.dtype.newbyteorder())
    yield np.ma.masked_array(x)
    yield pd.Series(x, index=np.arange(x.size)[::-1]) if x.ndim == 1 else pd.DataFrame(x)


def same_numbers(value):
    """Return the same number in other forms."""
    yield from (kind(value) for kind in (np.float64, np.array))
    if float(value).is_integer():
        yield from (int(value), np.int64(value), float(value))


def is_array(value):
    return isinstance(value, np.ndarray | list) and np.asarray(value).dtype.kind in "iuf"


def is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


# --- What may happen ---------------------------------------------------------------------------


def holds_nan(value):
    """Return whether there is a NaN in a result."""
    if isinstance(value, float):
        return math.isnan(value)
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "fc" and bool(np.isnan(value).any())
    if isinstance(value, pd.DataFrame | pd.Series):
        return bool(np.any(pd.isna(value)))
    if isinstance(value, dict):
        return any(map(holds_nan, value.values()))
    if isinstance(value, tuple | list):
        return any(map(holds_nan, value))
    if dataclasses.is_dataclass(value):
        return any(holds_nan(getattr(value, f.name)) for f in dataclasses.fields(value))
    return False


# Of fits: closures and what they hold, which are no results.
PRIVATE = {"projection", "profile", "points", "best", "options", "progress"}


def equal(one, two):
    """Return whether two results agree; times and sources may differ."""
    if isinstance(one, tuple | list):
        return len(one) == len(two) and all(map(equal, one, two))
    if dataclasses.is_dataclass(one) and type(one) is type(two):
        names = {f.name for f in dataclasses.fields(one)} - {
            "seconds",
            "begun_at",
            "features",
            "runs",
        }
        shown_alike = hasattr(one, "seconds") or repr(one) == repr(two)
        return shown_alike and all(equal(getattr(one, n), getattr(two, n)) for n in names - PRIVATE)
    if isinstance(one, np.ndarray) and one.dtype != np.asarray(two).dtype:
        two = np.asarray(two).astype(one.dtype)  # a row in another form, put into order
    if isinstance(one, float):
        return bool(np.isclose(one, two, rtol=1e-6, equal_nan=True))
    if isinstance(one, np.ndarray) and one.dtype.kind == "f":
        return np.shape(one) == np.shape(two) and np.allclose(one, two, 1e-6, equal_nan=True)
    if isinstance(one, ss.unembeddings.RowMatrix):
        return np.array_equal(one.read(0, 12), two.read(0, 12))
    if callable(one) or type(one).__module__.startswith(("torch", "empirical.training.optimizer")):
        return True
    return one is two or same(one, two)


@contextmanager
def limit():
    """Stop what takes too long."""

    def stop(*_):
        raise Hang

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def raised_by_us(error):
    """Return whether the last frame of a traceback is in our rooms."""
    trace = error.__traceback__
    while trace.tb_next:
        trace = trace.tb_next
    return trace.tb_frame.f_code.co_filename.startswith(ROOMS)


def attempt(function, arguments, argument):
    """Call; return the result, or ``None``, and what is wrong with what happened, or ``""``."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            with limit():
                result = function(**arguments)
        except (ValueError, TypeError, OSError) as error:
            said = str(error)
            if not raised_by_us(error) and not isinstance(error, OSError):
                return None, f"{type(error).__name__} of a library: {said}"
            if len(said) > 700 or len(said.splitlines()) > 8:
                return None, f"a message of {len(said)} characters: {said[:200]}"
            if not names(argument, said):
                return None, f"the message does not name {argument}: {said}"
            return None, ""
        except Hang:
            return None, f"no answer in {SECONDS} s"
        except Exception as error:
            if type(error).__name__ in dir(ss.errors) and raised_by_us(error):
                return None, ""
            return None, f"{type(error).__name__}: {error}"
    foreign = [one for one in told if not one.filename.startswith(ROOMS)]
    foreign = [one for one in foreign if "torch.jit" not in str(one.message)]  # of torch's own code
    foreign += [one for one in told if issubclass(one.category, RuntimeWarning)]
    return result, f"warning: {foreign[0].message}" if foreign else ""


# Arguments that a message may call by another word.
WORDS = {
    "W": ("matrix", "row", "active"), "state": ("W",), "transpose": ("rows",),
    "array": ("matrix", "rows"), "features": ("Frequencies", "p"),
    "texts": ("text",), "model": ("ToyModel",),
    "path": ("file", "No such", "column", ".npz", ".txt"),
    "source": ("format", "exist", "matrix", "rows"), "shares": ("share",), "ranks": ("rank",),
    "curves": ("curve",), "X": ("features",),
    "tokens": ("token",), "rows": ("row",), "counts": ("count", "rank", "top"), "loss": ("points",),
    "numbers": ("column",),
    "over": ("law",), "name": ("measurement", "reference"),
    "seeds": ("seed",),
    "sources": ("source", "format", "exist"), "checkpoint": ("cannot write",),
    "theory": ("theories",), "tokenizer": ("file",),
    **dict.fromkeys(("x", "y", "group", "label", "cluster", "stderr", "weight"), ("column",)),
}  # fmt: skip


def names(argument, said):
    return any(word in said for word in (argument, *WORDS.get(argument, ())))


def tries(name, value):
    """Yield what to put in the place of an argument, and whether it is the same as that."""
    if is_array(value):
        yield from ((other, "same") for other in same_arrays(value))
        yield from ((other, "bad") for other in arrays(value))
    elif is_number(value):
        yield from ((other, "same") for other in same_numbers(value))
    yield from ((other, "bad") for other in SCALARS)


def faults_of(name, function, arguments):
    """Return every fault of a function, over its arguments."""
    usual = function(**arguments)
    faults = {}
    for argument, value in arguments.items():
        for other, kind in tries(argument, value):
            before = np.asarray(other).tobytes() if isinstance(other, np.ndarray) else None
            result, fault = attempt(function, {**arguments, argument: other}, argument)
            if not fault and result is not None:
                if kind == "same" and not equal(result, usual):
                    fault = "another result"
                elif kind == "bad" and name not in ANY_ENTRIES and passes_over(other, result):
                    fault = "a NaN, a masked or a complex number is passed over"
            if before is not None and not fault and before != np.asarray(other).tobytes():
                fault = "the argument is changed"
            if kind == "same" and not fault and result is None and usual is not None:
                fault = "refused" if is_array(value) and not odd(other) else ""
            if fault:
                faults[f"{argument} = {show(other)}"] = fault
    return faults


def odd(value):
    """Return whether an array may be refused although its numbers are right."""
    return isinstance(value, np.ma.MaskedArray) or getattr(value, "dtype", None) == np.dtype(object)


# They put rows of any kind into another order; or read no list where a law says all.
ANY_ENTRIES = {
    "Frequencies.as_given",
    "Frequencies.by_rank",
    "Frequencies.from_description",
    "Features.from_description",
    "unembeddings.RowMatrix",
}


def passes_over(value, result):
    """Return whether a value has an entry that is no number of ours, and the result does not."""
    return hides_nan(value) and not holds_nan(result)


def hides_nan(value):
    if isinstance(value, np.ma.MaskedArray):
        return bool(np.ma.getmaskarray(value).any())
    if isinstance(value, np.ndarray) and value.dtype.kind == "c":
        return True
    return isinstance(value, complex) or (
        isinstance(value, float | np.ndarray) and holds_nan(value)
    )


def show(value):
    return " ".join(f"{type(value).__name__} {value!r}"[:70].split())


# --- The tests ---------------------------------------------------------------------------------

# Seconds each, since they train, search or solve: tried with ``-m slow``.
LONG = {
    *("ground_state", "mechanisms.compare_mechanisms", "reading.recall", "reading.read_tokens"),
    "reading.required_width",
    *("required_width", "dependence.first_order_loss", "dependence.fit_samples"),
    *("compare", "sweep", "train", "train_many", "measure", "population_loss", "monte_carlo_loss"),
    *(
        "solve_mean_field",
        "overlaps",
        "packings.pack",
        "packings.bracket_loss",
        "counts.compare_zipf",
    ),
    *("unembeddings.analyze", "unembeddings.analyze_many", "published.reproduce", "RowAdamW"),
    *("TrainingRun.save", "TrainingRun.load", "unembeddings.compare_treatments"),
    *("packings.certify_packing", "packings.certify_energy", "packings.bound_one_active_loss"),
    *(
        "directions.random_overlaps",
        "packings.bounds",
        "scaling_laws.fit_chinchilla",
        "scaling_laws.ChinchillaFit.bootstrap",
    ),
    *("scaling_laws.PowerLawFit.width_for", "scaling_laws.PowerLawFit.forecast"),
    *("published.compare_reference", "counts.predict_width_exponents", "Activation.moment"),
}
# Classes that only our functions make; their methods have entries where they take arguments.
MADE_BY_US = {
    *("Comparison", "SweepResult", "Measurement", "TrainingRun", "LossEstimate", "LossReport"),
    *("Overlaps", "Spectrum", "MeanField", "Prediction", "Frequencies", "RowAdamW"),
    *("TokenCounts", "WidthExponents", "ZipfComparison", "RankLawFit", "ZipfFit", "Bracket"),
    *(
        "LineSystem",
        "Packing",
        "ComplexPacking",
        "EnergyCertificate",
        "PackingCertificate",
        "LossBound",
        "Bound",
    ),
    *("Bounds", "Reproduction", "ChinchillaFit", "WidthExponent", "FittedExponent", "Forecast"),
    *("WidthForecast", "LawComparison", "PowerLawFit", "Interval", "Bootstrap", "ExponentTest"),
    *("Influence", "UnembeddingFamily", "UnembeddingReport", "RowNorms", "Unembedding"),
    *("CrossEntropy", "Treatments", "FirstOrderLoss", "SampleFit", "GroundState", "Validation"),
    *("CombinationRecall", "DetectionRates", "ErrorRates", "FrontierMass", "GraphSearch"),
    *("LearnedDirections", "ReadoutComparison", "Recall", "TokenReading", "WorstCase"),
    *("Mechanisms", "AxesFit", "AxesBootstrap", "AxesTest", "Shape", "Shapes", "SolvedModelFit"),
}
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
        yield base(folder)


def test_every_public_function_has_an_entry(entries):
    missing = set(NAMES) - entries.keys()
    assert not missing, "write an entry in base() for each, or see the top of this file"
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
    monkeypatch.setitem(globals(), "SECONDS", 0.1)
    slow = faults_of("slow", endless, {"x": 1})
    assert any("no answer" in fault for fault in slow.values())
