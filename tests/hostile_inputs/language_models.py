"""Arguments that functions of counts, fits of losses and unembeddings take."""

import numpy as np
import pandas as pd

import superscale as ss

from .made import (
    COUNTS,
    W,
    a_file,
    axes_fit,
    bootstrap,
    chinchilla,
    fit,
    surface,
    token_counts,
    token_file,
    tokenizer_file,
    zipf,
)


def entries(folder):
    """Return each function with arguments that it takes; ``folder`` has room for files."""
    counts = a_file(folder, "counts.csv", "word,count\nthe,30\ncat,20\nsat,10\n")
    losses = a_file(folder, "losses.csv", "m,loss,g\n8,2.0,a\n16,1.5,a\n32,1.2,b\n")
    np.save(folder / "W.npy", W)
    m = np.array([8.0, 16, 32, 64, 128, 256])
    N, D = surface()
    points = {"m": m, "loss": 3 / m**0.9 + 0.5 + 0.01 * np.cos(m)}
    matrix = {"transpose": False, "rows": np.arange(12), "seed": 0, "pairs": "all"}
    table = pd.DataFrame(
        {
            **{name: axes_fit().rows[name] for name in ("m", "depth", "loss")},
            "g": ["a", "b"] * 8,
            "w": 1.0,
        }
    )
    return {
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
