"""Toy models of other packages, as state dicts: ``from_state_dict`` and ``to_state_dict``.

``TiedLinearRelu`` of occhio is the model of this project with W transposed. What another
package calls a toy model and is not y = ReLU(W Wᵀ x + b) is refused with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from numerics.toy_model import ToyModel
from theory.computing.argument_kinds import check_kinds

Array = NDArray[np.float64]

# Relative difference up to which an encoder counts as the decoder transposed.
_TIED = 1e-6
_ENCODERS = ("W_enc", "encoder.weight", "encoder")
_DECODERS = ("W_dec", "decoder.weight", "decoder")
_WEIGHTS = ("W", "weight")
_BIASES = ("b", "b_final", "bias", "b_dec", "decoder.bias")


@check_kinds
def from_state_dict(
    state: Mapping[str, Any], *, features_axis: Literal[0, 1] | None = None
) -> ToyModel:
    """Return the toy model that a state dict holds.

    Taken are W (n x m, or m x n as in occhio) with b, and an encoder with a decoder that is its
    transpose. Tensors of torch and arrays will do; a common prefix such as ``ae.`` is left out.

    Parameters
    ----------
    state : mapping of str to tensor or array
        What ``module.state_dict()`` returns, or a safetensors file loaded.
    features_axis : {0, 1}, optional
        Which axis of W counts features; by default that of the length of b, if only one has it.

    Returns
    -------
    ToyModel

    Raises
    ------
    ValueError
        If there is no W with a fitting b, or the model is another one: with an encoder of its own,
        with an encoder bias (a sparse autoencoder), with a hidden step, a dictionary without
        readout.

    Examples
    --------
    >>> model = from_state_dict({"W": np.eye(2, 5), "b": np.zeros(5)})      # as occhio has it
    >>> model.n, model.m
    (5, 2)
    """
    arrays = _without_prefix({name: _array(name, x) for name, x in state.items()})
    _refuse_others(arrays)
    bias = _first(arrays, _BIASES)
    W, encoder, decoder = (_first(arrays, names) for names in (_WEIGHTS, _ENCODERS, _DECODERS))
    if W is None and encoder is not None and decoder is not None:
        W, encoder = decoder, encoder if encoder.shape == decoder.shape else encoder.T
        if W.shape != encoder.shape or np.abs(W - encoder).max() > _TIED * np.abs(W).max():
            off = np.abs(W - encoder).max() if W.shape == encoder.shape else float("nan")
            raise ValueError(
                f"the encoder is not the decoder transposed (they differ by {off:.3g} at most): "
                "y = ReLU(W_dec W_enc x + b) is another model than y = ReLU(W Wᵀ x + b)"
            )
    if W is None or W.ndim != 2:
        raise ValueError(
            f"no matrix W among {', '.join(arrays) or 'nothing'}: give W and b, or a tied encoder "
            "and decoder"
        )
    if bias is None:
        raise ValueError(
            f"no bias among {', '.join(arrays)}: the model is y = ReLU(W Wᵀ x + b); give b, zeros "
            "if there is none"
        )
    axes = [axis for axis in (0, 1) if bias.shape == (W.shape[axis],)]
    if features_axis in axes:
        axes = [features_axis]
    if not axes or (features_axis is not None and features_axis not in axes):
        raise ValueError(
            f"W has shape {W.shape} and b {bias.shape}: b has one entry a feature, along one axis "
            "of W"
        )
    if len(axes) == 2:
        raise ValueError(f"W is square, {W.shape}: say which axis counts features, features_axis=")
    return ToyModel(W if axes[0] == 0 else W.T, bias)


@check_kinds
def to_state_dict(
    model: ToyModel, layout: Literal["superscale", "occhio"] = "occhio"
) -> dict[str, NDArray[np.float32]]:
    """Return W and b in single precision as another package names and lays them out.

    Parameters
    ----------
    model : ToyModel
        The model.
    layout : {"occhio", "superscale"}
        "occhio": W is m x n, as in its ``TiedLinearRelu``; "superscale": n x m.

    Examples
    --------
    >>> state = to_state_dict(ToyModel(np.eye(5, 2), np.zeros(5)))
    >>> state["W"].shape, state["b"].dtype
    ((2, 5), dtype('float32'))
    """
    if layout not in ("occhio", "superscale"):
        raise ValueError(f"layout = {layout!r} is not allowed: give 'occhio' or 'superscale'")
    W = model.W.T if layout == "occhio" else model.W
    return {
        "W": np.ascontiguousarray(W, dtype=np.float32),
        "b": np.array(model.b, dtype=np.float32),
    }


def _array(name: str, tensor: Any) -> Array:
    for step in ("detach", "cpu", "float"):  # a tensor of torch
        tensor = getattr(tensor, step)() if hasattr(tensor, step) else tensor
    array = np.asarray(tensor)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} holds {array.dtype}: give tensors of numbers")
    return array.astype(np.float64)


def _without_prefix(arrays: dict[str, Array]) -> dict[str, Array]:
    known = {*_ENCODERS, *_DECODERS, *_WEIGHTS, *_BIASES}
    while arrays and not known & set(arrays) and all("." in name for name in arrays):
        if len({name.split(".")[0] for name in arrays}) > 1:
            break
        arrays = {name.partition(".")[2]: x for name, x in arrays.items()}
    return arrays


def _first(arrays: Mapping[str, Array], names: tuple[str, ...]) -> Array | None:
    return next((arrays[name] for name in names if name in arrays), None)


def _refuse_others(arrays: Mapping[str, Array]) -> None:
    """Refuse models that look like the one here and compute something else."""
    if "b_enc" in arrays or "encoder.bias" in arrays:
        raise ValueError(
            "this is a sparse autoencoder (its encoder has a bias): its features are outputs of "
            "the encoder, not inputs. Pass a sample of its activations to Features.from_samples, "
            "and its decoder's rows to overlaps"
        )
    if "Z" in arrays:
        raise ValueError(
            "this model has a step Z between encoder and decoder: y = f(W (1 + Z) Wᵀ x + b) is "
            "another model than y = ReLU(W Wᵀ x + b)"
        )
    if any(name.endswith("feature_vectors") for name in arrays):
        raise ValueError(
            "this is a dictionary of directions without a readout: take ToyModel(feature_vectors, "
            "b) with a bias b of your own"
        )
    if any(name.startswith(("encoder_weights", "decoder_weights")) for name in arrays):
        raise ValueError("this model has several layers: it is not y = ReLU(W Wᵀ x + b)")
