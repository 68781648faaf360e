"""Compiled training steps on one core: nothing that is zero is formed, drawn or multiplied.

Use through ``empirical.training.train``, which checks what goes in; ``take_steps`` draws batches,
computes gradients and updates the model, as many steps as it is given rates for. The plain forms of
the same are ``FeatureSampler.draw``, ``loss_and_gradients`` and ``RowAdamW`` (torch); it draws the
same batches from the same generator.
"""

from __future__ import annotations

import math

import numba as nb
import numpy as np

# numba's own model of division (an error for / 0) would keep loops from using vector registers:
# error_model="numpy".
# Output entries (feature x sample) worked on at a time: as many as stay near the core.
_BLOCK = 1 << 17
# Once trained, one output in a hundred or fewer is above 0. They are looked for among so many
# features at a time; products of whole matrices are quicker where the peaks above 0 are more than
# this share of all: about one output in eight.
_FEW, _DENSE = 8, 0.6


@nb.njit(cache=True)
def draw_active(head, cumulative, batch, low, high, rng):  # type: ignore[no-untyped-def]
    """Draw the active entries of a batch; see ``numerics.sampling`` for how and why.

    ``head`` holds p >= 1/2, ``cumulative`` the running sum of -ln(1 - p) of the rest. Returns
    sample, feature and value of each, sorted by sample, then feature.
    """
    n = head.size + cumulative.size
    events = 0
    if cumulative.size:
        events = rng.poisson(batch * cumulative[-1])
    cells = np.empty(events + batch * head.size, np.int64)
    if cumulative.size:
        at = rng.random(events)
        row = rng.integers(0, batch, size=events)
        for a in range(events):
            feature = np.searchsorted(cumulative, at[a] * cumulative[-1], side="right") + head.size
            cells[a] = row[a] * n + min(feature, n - 1)
    count = events
    for sample in range(batch if head.size else 0):
        for feature in range(head.size):
            if rng.random() < head[feature]:
                cells[count] = sample * n + feature
                count += 1
    cells = np.sort(cells[:count])
    kept = 0
    for a in range(count):  # each cell once
        if a == 0 or cells[a] != cells[a - 1]:
            cells[kept] = cells[a]
            kept += 1
    cells = cells[:kept]
    sample, value = cells // n, np.empty(kept, np.float32)
    for a in range(kept):
        value[a] = low + (high - low) * rng.random()
    return sample, cells - sample * n, value


@nb.njit(cache=True, fastmath=True, error_model="numpy")
def _find_peaks(output, b, peaks):  # type: ignore[no-untyped-def]
    """Fill the largest pre-activation of every few features, for each sample; count those above 0.

    ``output`` (feature x sample) holds W hidden, without b.
    """
    rows, batch = output.shape
    groups = (rows + _FEW - 1) // _FEW
    for group in range(groups):
        top = peaks[group]
        for i in range(group * _FEW, min((group + 1) * _FEW, rows)):
            row, bias, first = output[i], b[i], i == group * _FEW
            if first:
                for s in range(batch):
                    top[s] = row[s] + bias
            else:
                for s in range(batch):
                    top[s] = max(top[s], row[s] + bias)
    count = 0
    for group in range(groups):
        for s in range(batch):
            count += peaks[group, s] > 0
    return count


@nb.njit(cache=True, fastmath=True, error_model="numpy")
def _list_outputs(output, b, peaks, row_of, sample_of, error_of):  # type: ignore[no-untyped-def]
    """List the outputs y > 0 by row and sample; return how many there are, and Σ y²."""
    rows, batch = output.shape
    count, square = 0, 0.0
    for group in range((rows + _FEW - 1) // _FEW):
        for s in range(batch):
            if peaks[group, s] > 0:
                for i in range(group * _FEW, min((group + 1) * _FEW, rows)):
                    y = output[i, s] + b[i]
                    if y > 0:
                        row_of[count], sample_of[count], error_of[count] = i, s, y
                        square += y * y
                        count += 1
    return count, square


@nb.njit(cache=True, fastmath=True, error_model="numpy")
def _rectify(output, b, grad_b):  # type: ignore[no-untyped-def]
    """Turn pre-activations (feature x sample) into outputs y; return Σ y², fill Σ_samples y."""
    loss = 0.0
    for i in range(output.shape[0]):
        bias, total, square = b[i], np.float32(0), np.float32(0)
        row = output[i]
        for s in range(row.size):
            y = max(row[s] + bias, np.float32(0))
            row[s] = y
            total += y
            square += y * y
        grad_b[i] = total
        loss += square
    return loss


@nb.njit(cache=True, fastmath=True, error_model="numpy")
def gradients(W, b, sample, feature, value, batch, grad_W, grad_b):  # type: ignore[no-untyped-def]
    """Fill the gradients of ½ Σ_samples Σ_i (y_i - x_i)²; return Σ_samples Σ_i (y_i - x_i)²."""
    n, m = W.shape
    hidden, grad_hidden = np.zeros((batch, m), np.float32), np.zeros((batch, m), np.float32)
    loss = 0.0
    for a in range(sample.size):
        loss += value[a] * value[a]
        for k in range(m):
            hidden[sample[a], k] += value[a] * W[feature[a], k]
    rows = max(1, min(n, _BLOCK // batch))
    output, peaks = np.empty((rows, batch), np.float32), np.empty((rows, batch), np.float32)
    most = output.size + sample.size
    row_of, sample_of = np.empty(most, np.int32), np.empty(most, np.int32)
    error_of = np.empty(most, np.float32)
    grad_W[:], grad_b[:] = 0, 0
    # Σ (y - x)² = Σ_active x² + Σ y² - 2 Σ_active x y; the gradient is y - x where the ReLU is on.
    for low in range(0, n, rows):
        high = min(low + rows, n)
        part, bias = output[: high - low], b[low:high]
        np.dot(W[low:high], hidden.T, part)
        dense = _find_peaks(part, bias, peaks) * _FEW > _DENSE * part.size
        count = 0
        if dense:
            loss += _rectify(part, bias, grad_b[low:high])
        else:
            count, square = _list_outputs(part, bias, peaks, row_of, sample_of, error_of)
            loss += square
        for a in range(sample.size):
            if low <= feature[a] < high:
                i, s, x = feature[a] - low, sample[a], value[a]
                y = part[i, s] if dense else part[i, s] + bias[i]
                if y > 0:
                    loss -= 2 * x * y
                    if dense:
                        part[i, s] -= x
                        grad_b[feature[a]] -= x
                    else:
                        row_of[count], sample_of[count], error_of[count] = i, s, -x
                        count += 1
        if dense:
            np.dot(part, hidden, grad_W[low:high])
            back = np.dot(part.T, W[low:high])
            for s in range(batch):
                for k in range(m):
                    grad_hidden[s, k] += back[s, k]
        for a in range(count):
            i, s, error = low + row_of[a], sample_of[a], error_of[a]
            grad_b[i] += error
            for k in range(m):
                grad_W[i, k] += error * hidden[s, k]
                grad_hidden[s, k] += error * W[i, k]
    for a in range(sample.size):
        for k in range(m):
            grad_W[feature[a], k] += value[a] * grad_hidden[sample[a], k]
    return loss


@nb.njit(cache=True, fastmath=True, error_model="numpy")
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


@nb.njit(cache=True, fastmath=True, error_model="numpy")
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


@nb.njit(cache=True)
def take_steps(  # type: ignore[no-untyped-def]
    W, b, first_W, second_W, first_b, second_b, rates, bias_rates, done,
    batch, decay, scale, betas, eps, head, cumulative, low, high, rng,
):  # fmt: skip
    """Take one step for each rate, in place; return the batch losses.

    ``done`` steps were taken before; the moments of W are flat.
    """
    losses, scale = np.empty(rates.size), scale * 2 / batch
    grad_W, grad_b = np.empty_like(W), np.empty_like(b)
    for k in range(rates.size):
        sample, feature, value = draw_active(head, cumulative, batch, low, high, rng)
        loss = gradients(W, b, sample, feature, value, batch, grad_W, grad_b)
        losses[k] = loss / batch
        step = done + k + 1
        decay_rows(W, rates[k], decay)
        update(W.ravel(), grad_W.ravel(), first_W, second_W, step, rates[k], scale, betas, eps)
        update(b, grad_b, first_b, second_b, step, bias_rates[k], scale, betas, eps)
    return losses
