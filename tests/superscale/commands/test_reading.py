"""superscale read as a user meets it."""

import json

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def matrix(tmp_path):
    path = tmp_path / "unembedding.npy"
    np.save(path, np.random.default_rng(0).standard_normal((600, 60)).astype(np.float32))
    return path


def test_read(call, matrix, tmp_path):
    code, out, _ = call("read", matrix, "--samples", 100)
    assert code == 0 and "600 tokens in 60 dimensions" in out and "random directions" in out
    options = ["--samples", 50, "--error", 0.2, "--remove", 0, "--worst-case"]
    figure, table = tmp_path / "x.png", tmp_path / "x.csv"
    code, out, _ = call("read", matrix, *options, "--json", "-o", figure, "-o", table)
    record = json.loads(out)
    assert record["n"] == 600 and record["worst_case_active"] >= 1
    assert set(record["capacities"]) == {"raw", "centred"}
    assert abs(record["capacities"]["raw"] - record["random_capacity"]) <= 2
    assert figure.exists() and len(pd.read_csv(table)) == len(record["rows"])
    code, out, _ = call("read", matrix, "--rows", "0:100", "--samples", 50, "--csv")
    assert code == 0 and out.startswith("treatment,tokens,right")


def test_bad_input(call, matrix):
    for options, message in (
        (["--error", 2], "error = 2"),
        (["--column", "x"], "--column goes with --counts"),
        (["--rows", "0:9999"], "within 0:600"),
    ):
        code, _, err = call("read", matrix, *options)
        assert code == 2 and message in err
