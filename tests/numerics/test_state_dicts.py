"""State dicts of other packages: what is the toy model, and what is not."""

import numpy as np
import pytest
import torch

import superscale as ss


def parameters(n=7, m=3):
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, m)).astype(np.float32), rng.standard_normal(n).astype(np.float32)


def forward(state, x):
    """TiedLinearRelu of occhio: encode x @ W.T, decode relu(z @ W + b), W (hidden, features)."""
    return torch.relu(x @ state["W"].T @ state["W"] + state["b"])


def test_a_tied_model_is_the_same_function():
    W, b = (torch.from_numpy(one).double() for one in parameters())
    state = {"W": W.T.clone().requires_grad_(), "b": b}
    model = ss.from_state_dict(state)
    x = torch.rand(5, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ours = np.maximum(x.numpy() @ (model.W @ model.W.T) + model.b, 0)
    # Sums of seven terms of order one, in whatever order the products take them.
    close = {"rtol": 0, "atol": 1e-13}
    np.testing.assert_allclose(forward(state, x).detach().numpy(), ours, **close)
    again = {name: torch.from_numpy(x).double() for name, x in ss.to_state_dict(model).items()}
    np.testing.assert_allclose(forward(again, x).numpy(), ours, **close)
    assert ss.to_state_dict(model, "superscale")["W"].shape == (7, 3)


@pytest.mark.parametrize(
    "make",
    [
        lambda W, b: {"W": W, "b": b},
        lambda W, b: {"ae.W": W.T, "ae.b": b},
        lambda W, b: {"W_enc": W, "W_dec": W.T, "b_final": b},
        lambda W, b: {"encoder.weight": W.T, "decoder.weight": W, "decoder.bias": b},
        lambda W, b: {"model.ae.W": W.T, "model.ae.b": b},
    ],
)
def test_other_names_and_layouts(make):
    W, b = parameters()
    model = ss.from_state_dict(make(W, b))
    np.testing.assert_array_equal(model.W, W)
    np.testing.assert_array_equal(model.b, b)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda W, b: {"W_enc": W, "W_dec": W.T * 1.01, "b_final": b}, "not the decoder transp"),
        (lambda W, b: {"W_enc": W, "b_enc": b, "W_dec": W.T, "b_dec": b[:3]}, "sparse autoenc"),
        (lambda W, b: {"W": W.T, "Z": np.eye(3), "b": b}, "has a step Z"),
        (lambda W, b: {"feature_vectors": W, "bias": b[:3]}, "dictionary of directions"),
        (lambda W, b: {"encoder_weights.0": W, "decoder_weights.0": W}, "several layers"),
        (lambda W, b: {"W": W}, "no bias among W"),
        (lambda W, b: {"b": b}, "no matrix W"),
        (lambda W, b: {}, "no matrix W among nothing"),
        (lambda W, b: {"W": W, "b": b[:5]}, "one entry a feature"),
        (lambda W, b: {"W": np.eye(7), "b": b}, "features_axis"),
    ],
)
def test_what_is_another_model_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        ss.from_state_dict(make(*parameters()))


def test_a_square_matrix_needs_its_axis():
    rng = np.random.default_rng(1)
    W, b = rng.standard_normal((4, 4)), np.zeros(4)
    np.testing.assert_array_equal(ss.from_state_dict({"W": W, "b": b}, features_axis=1).W, W.T)


def test_samples_of_torch_become_features():
    rng = np.random.default_rng(2)
    x = torch.from_numpy(rng.uniform(0, 1, (500, 6)) * (rng.uniform(0, 1, (500, 6)) < 0.3))
    features = ss.Features.from_samples(x, least_gain=8)
    np.testing.assert_allclose(features.p, (x > 0).double().mean(0), rtol=1e-12)
