"""The published losses of language models, and a noisy curve, each with its fit."""

import numpy as np
import pytest

from empirical.comparisons.published import load_reference
from empirical.scaling_laws.power_law import fit_power_law

M = np.array([8.0, 16, 32, 64, 128, 256, 512])


@pytest.fixture(scope="session")
def published():
    data = load_reference("fig8_llm_loss")
    return data, fit_power_law(
        data["m"],
        data["loss_total"],
        groups=data["family"] + "/" + data["dataset"],
        labels=data["model"] + "/" + data["dataset"],
        clusters=data["model"],
    )


@pytest.fixture(scope="session")
def noisy():
    rng = np.random.default_rng(0)
    return fit_power_law(M, 3 / M + 0.5 + 0.01 * rng.standard_normal(M.size))
