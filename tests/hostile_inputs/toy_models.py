"""Arguments that functions of frequencies, features, theories and trained models take."""

import numpy as np
import sympy as sp

import superscale as ss

from .made import (
    COUNTS,
    SAMPLE,
    TINY,
    W,
    draw_activation,
    exclusive,
    model,
    prediction,
    row_adam,
    run,
    sample_fit,
    words,
)


def entries(folder):
    """Return each function with arguments that it takes; ``folder`` has room for files."""
    np.save(folder / "W.npy", W)
    ss.train(words(), 4, **TINY).save(folder / "run.safetensors")
    features = ss.Features(words())
    frequencies = ss.Frequencies
    training = {
        "features": words(), "m": 4, "recipe": "fast", "weight_decay": -1.0, "progress": False,
        "batch": 8, "late_batch": 8, "late_fraction": 0.5, "steps": 4, "learning_rate": 0.01,
        "bias_learning_rate": 0.01, "warmup_steps": 1, "final_learning_rate": 0.05,
        "rare_share": 0.0, "bias_start": "zero", "evaluation_samples": 64, "device": "cpu",
        "backend": "auto", "loss_scale": 1.0,
    }  # fmt: skip
    matrix = {"transpose": False, "rows": np.arange(12), "seed": 0, "pairs": "all"}
    rates = np.array([1.0, 0.5, 0.25])
    tables = ([[0.5, 0.3, 0.2]], [[1.0, 0.0], [0.5, 0.5], [1.0, 0.0]])
    forest = ss.dependence.Forest([-1, 0], tables, [0, 0, 1], [1, 2, 1])
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
        "dependence.fit_samples": (ss.dependence.fit_samples, {
            "X": np.where(SAMPLE > 0.7, SAMPLE, 0.0), "tree": True, "cells": 3, "least_gain": 0.0,
            "scale": "pooled"}),
        "dependence.first_order_loss": (ss.dependence.first_order_loss, {
            "features": exclusive(), "m": 3, "draws": 2, "seed": 0}),
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
    }  # fmt: skip
