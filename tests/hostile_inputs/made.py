"""Small values and results that the entries are made of."""

from functools import cache

import numpy as np
import pytest

import superscale as ss

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
