"""Compiled training steps on one core: of the features only active ones are encoded.

``take_steps`` computes gradients and updates the model, one step for each batch that it is given.
Its plain forms are ``loss_and_gradients`` and ``RowAdamW`` (torch).

``importance`` is None where all I_i are 1: numba compiles that case without the other's
instructions.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from theory.computing.compiled import compiled

Array = NDArray[np.float32]

# Entries of the output (sample x feature) per block: 512 kB of float32, about a core's cache.
_BLOCK = 1 << 17
# Samples per block at least: products of thinner matrices are slow.
_SAMPLES = 32
# After some training few outputs are above 0. They are searched in groups of _FEW samples, unless
# more than the share _DENSE of the groups have one: then products of whole matrices are faster.
_FEW, _DENSE = 8, 0.15


class Workspace(NamedTuple):
    """Arrays that a step fills in anew; allocated by numpy, since numba compiles that slowly."""

    grad_W: Array
    flat_grad_W: Array
    """The same array."""
    grad_b: Array
    hidden: Array
    """Wᵀx, sample by sample, and the gradient by it."""
    grad_hidden: Array
    columns: Array
    """W, transposed."""
    share: Array
    """What a block of samples adds to ``grad_W``."""
    output: Array
    """W hidden of a block of samples, and its largest entries."""
    peaks: Array
    sample_of: NDArray[np.int32]
    """Outputs above 0 of a block: sample, feature, and how far they are off."""
    feature_of: NDArray[np.int32]
    error_of: Array


def make_workspace(n: int, m: int, batch: int, entries: int) -> Workspace:
    """Allocate the arrays for batches of so many samples, with so many active entries at most."""
    most = min(batch, max(_SAMPLES, _BLOCK // n))
    listed = most * n + entries
    grad_W = np.empty((n, m), np.float32)
    return Workspace(
        grad_W=grad_W,
        flat_grad_W=grad_W.reshape(-1),
        grad_b=np.empty(n, np.float32),
        hidden=np.empty((batch, m), np.float32),
        grad_hidden=np.empty((batch, m), np.float32),
        columns=np.empty((m, n), np.float32),
        share=np.empty((n, m), np.float32),
        output=np.empty((most, n), np.float32),
        peaks=np.empty((most, n), np.float32),
        sample_of=np.empty(listed, np.int32),
        feature_of=np.empty(listed, np.int32),
        error_of=np.empty(listed, np.float32),
    )


@compiled(fastmath=True)
def _find_peaks(output, b, peaks):  # type: ignore[no-untyped-def]
    """Fill the largest pre-activation among every few samples, by feature; count those above 0.

    ``output`` (sample x feature) holds W hidden, without b.
    """
    samples, n = output.shape
    groups, count = (samples + _FEW - 1) // _FEW, 0
    for group in range(groups):
        top, first = peaks[group], group * _FEW
        for i in range(n):
            top[i] = output[first, i]
        for s in range(first + 1, min(first + _FEW, samples)):
            row = output[s]
            for i in range(n):
                top[i] = max(top[i], row[i])
        for i in range(n):
            top[i] += b[i]
            count += top[i] > 0
    return count


@compiled(fastmath=True)
def _list_outputs(  # type: ignore[no-untyped-def]
    output, b, weight, importance, peaks, sample_of, feature_of, error_of
):
    """List the outputs I w y > 0 by sample and feature; return their number, and Σ I w y²."""
    samples, n = output.shape
    count, square = 0, 0.0
    for group in range((samples + _FEW - 1) // _FEW):
        for i in range(n):
            if peaks[group, i] > 0:
                for s in range(group * _FEW, min((group + 1) * _FEW, samples)):
                    y = output[s, i] + b[i]
                    if y > 0:
                        sample_of[count], feature_of[count] = s, i
                        if importance is None:
                            error_of[count] = weight[s] * y
                            square += weight[s] * y * y
                        else:
                            error_of[count] = importance[i] * weight[s] * y
                            square += error_of[count] * y
                        count += 1
    return count, square


@compiled(fastmath=True)
def _rectify(output, b, weight, importance, grad_b):  # type: ignore[no-untyped-def]
    """Replace pre-activations by I w y; return Σ I w y², add Σ_samples I w y to ``grad_b``."""
    loss = 0.0
    for s in range(output.shape[0]):
        row, square = output[s], np.float32(0)
        for i in range(row.size):
            y = max(row[i] + b[i], np.float32(0))
            if importance is None:
                row[i] = weight[s] * y
            else:
                row[i] = importance[i] * weight[s] * y
            grad_b[i] += row[i]
            square += row[i] * y
        loss += float(square)
    return loss


@compiled(fastmath=True)
def _leave_out_empty(sample, weight, b, importance, grad_b):  # type: ignore[no-untyped-def]
    """Remove the samples without an active entry, renumber the others; return the loss of those.

    Their output is y = ReLU(b): no product is needed. Changes ``sample`` and ``weight``, adds to
    ``grad_b``.
    """
    at, count, empty = -1, -1, np.float32(0)
    for a in range(sample.size):
        if sample[a] != at:
            for s in range(at + 1, sample[a]):
                empty += weight[s]
            at, count = sample[a], count + 1
            weight[count] = weight[at]
        sample[a] = count
    for s in range(at + 1, weight.size):
        empty += weight[s]
    loss = 0.0
    for i in range(b.size):
        y = max(b[i], np.float32(0))
        if importance is None:
            grad_b[i] += empty * y
            loss += empty * y * y
        else:
            grad_b[i] += importance[i] * empty * y
            loss += importance[i] * empty * y * y
    return loss


@compiled(fastmath=True)
def _clear(W, grad_W, grad_b, columns):  # type: ignore[no-untyped-def]
    """Set the gradients to 0, and ``columns`` to Wᵀ."""
    for i in range(W.shape[0]):
        grad_b[i] = 0
        for k in range(W.shape[1]):
            grad_W[i, k] = 0
            columns[k, i] = W[i, k]


@compiled(fastmath=True)
def _encode(W, sample, feature, value, weight, importance, hidden, grad_hidden, loss):  # type: ignore[no-untyped-def]
    """Set ``hidden`` to Wᵀx, its gradient to 0; return the loss plus Σ I w x²."""
    for s in range(sample[sample.size - 1] + 1 if sample.size else 0):
        for k in range(W.shape[1]):
            hidden[s, k] = grad_hidden[s, k] = 0
    for a in range(sample.size):
        if importance is None:
            loss += weight[sample[a]] * value[a] * value[a]
        else:
            loss += importance[feature[a]] * weight[sample[a]] * value[a] * value[a]
        for k in range(W.shape[1]):
            hidden[sample[a], k] += value[a] * W[feature[a], k]
    return loss


@compiled(fastmath=True)
def _subtract_inputs(  # type: ignore[no-untyped-def]
    part, dense, b, low, high, sample, feature, value, weight, importance, first,
    grad_b, sample_of, feature_of, error_of, count, loss,
):  # fmt: skip
    """Subtract I w x from the outputs above 0 of the samples low..high, dense or listed.

    Begins at the active entry ``first``; returns the entry after the last, the length of the list,
    and the loss less 2 Σ I w x y.
    """
    while first < sample.size and sample[first] < high:
        s, i, wx = sample[first] - low, feature[first], weight[sample[first]] * value[first]
        if importance is not None:
            wx *= importance[i]
        y = part[s, i] if dense else part[s, i] + b[i]
        if y > 0:
            if dense:  # part holds the weights already
                loss -= 2 * value[first] * y
                part[s, i] -= wx
                grad_b[i] -= wx
            else:
                loss -= 2 * wx * y
                sample_of[count], feature_of[count], error_of[count] = s, i, -wx
                count += 1
        first += 1
    return first, count, loss


@compiled(fastmath=True, inline="always")
def gradients(W, b, sample, feature, value, weight, importance, work):  # type: ignore[no-untyped-def]
    """Fill ``work.grad_W``, ``grad_b``, of half Σ_samples w Σ_i I_i (y_i - x_i)²; return the sum.

    The active entries must be sorted by sample. ``sample`` and ``weight`` are changed.
    """
    n, m = W.shape
    grad_W, grad_b, hidden, grad_hidden = work.grad_W, work.grad_b, work.hidden, work.grad_hidden
    sample_of, feature_of, error_of = work.sample_of, work.feature_of, work.error_of
    _clear(W, grad_W, grad_b, work.columns)
    loss = _leave_out_empty(sample, weight, b, importance, grad_b)
    batch = sample[sample.size - 1] + 1 if sample.size else 0
    loss = _encode(W, sample, feature, value, weight, importance, hidden, grad_hidden, loss)
    none = first = np.int64(0)  # a literal 0 would have parts compiled twice
    most = work.output.shape[0]
    # Σ (y - x)² = Σ_active x² + Σ y² - 2 Σ_active x y; the gradient is y - x where the ReLU is on.
    # Each term is weighted by its sample and its feature.
    for low in range(0, batch, most):
        high = min(low + most, batch)
        part, inner, weights = work.output[: high - low], hidden[low:high], weight[low:high]
        np.dot(inner, work.columns, part)
        dense = _find_peaks(part, b, work.peaks) * _FEW > _DENSE * part.size
        if dense:
            count, square = none, _rectify(part, b, weights, importance, grad_b)
        else:
            count, square = _list_outputs(
                part, b, weights, importance, work.peaks, sample_of, feature_of, error_of
            )
        first, count, loss = _subtract_inputs(
            part, dense, b, low, high, sample, feature, value, weight, importance, first,
            grad_b, sample_of, feature_of, error_of, count, loss + square,
        )  # fmt: skip
        if dense:
            np.dot(part, W, grad_hidden[low:high])
            np.dot(part.T, inner, work.share)
            for i in range(n):
                for k in range(m):
                    grad_W[i, k] += work.share[i, k]
        for a in range(count):
            s, i, error = low + sample_of[a], feature_of[a], error_of[a]
            grad_b[i] += error
            for k in range(m):
                grad_W[i, k] += error * hidden[s, k]
                grad_hidden[s, k] += error * W[i, k]
    for a in range(sample.size):
        for k in range(m):
            grad_W[feature[a], k] += value[a] * grad_hidden[sample[a], k]
    return loss


@compiled(fastmath=True)
def decay_rows(W, rate, decay):  # type: ignore[no-untyped-def]
    """Pull W to zero (decay > 0) or its rows to length 1 (decay < 0)."""
    for i in range(W.shape[0]):
        keep = np.float32(1 - rate * decay)
        if decay < 0:
            square = np.float32(0)
            for k in range(W.shape[1]):
                square += W[i, k] * W[i, k]
            keep = np.float32(1 - rate * decay * (1 / math.sqrt(square) - 1 if square > 0 else 0.0))
        for k in range(W.shape[1]):
            W[i, k] *= keep


@compiled(fastmath=True)
def update(x, g, first, second, step, rate, scale, betas, eps):  # type: ignore[no-untyped-def]
    """Take one step of Adam on a flat x, with gradient ``scale`` g."""
    fresh, fresh_square = np.float32(1 - betas[0]), np.float32(1 - betas[1])
    size = np.float32(rate / (1 - betas[0] ** step))
    root = np.float32(1 / math.sqrt(1 - betas[1] ** step))
    factor, tiny = np.float32(scale), np.float32(eps)
    for a in range(x.size):
        slope = factor * g[a]
        first[a] += fresh * (slope - first[a])
        second[a] += fresh_square * (slope * slope - second[a])
        x[a] -= size * first[a] / (np.sqrt(second[a]) * root + tiny)


@compiled(fastmath=True)
def take_steps(  # type: ignore[no-untyped-def]
    model, rates, bias_rates, done, batch, decay, scale, betas, eps, drawn, importance, work
):
    """Take one step for each rate, in place; return the batch losses.

    ``model`` is W, the same array flat, b, the flat moments of W, those of b. ``done`` steps were
    taken before. ``drawn`` are sample, feature and value of the active entries, the weight of each
    sample, and where the entries of each batch begin (``FeatureSampler.draw_batches``); samples and
    weights are changed.
    """
    W, flat_W, b, first_W, second_W, first_b, second_b = model
    sample, feature, value, weight, starts = drawn
    losses, scale = np.empty(rates.size), scale * 2 / batch
    for k in range(rates.size):
        low, high = starts[k], starts[k + 1]
        loss = gradients(
            W, b, sample[low:high], feature[low:high], value[low:high],
            weight[k * batch : (k + 1) * batch], importance, work,
        )  # fmt: skip
        losses[k] = loss / batch
        decay_rows(W, rates[k], decay)
        step = done + k + 1
        update(flat_W, work.flat_grad_W, first_W, second_W, step, rates[k], scale, betas, eps)
        update(b, work.grad_b, first_b, second_b, step, bias_rates[k], scale, betas, eps)
    return losses
