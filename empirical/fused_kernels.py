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
def _rectify(output, b, grad_b):  # type: ignore[no-untyped-def]
    """Turn pre-activations (feature x sample) into ReLU outputs; return Σ y², fill Σ_samples y."""
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
    hidden = np.zeros((batch, m), np.float32)
    for a in range(sample.size):
        for k in range(m):
            hidden[sample[a], k] += value[a] * W[feature[a], k]
    grad_hidden, part = np.zeros((batch, m), np.float32), np.empty((batch, m), np.float32)
    loss, rows = 0.0, max(1, min(n, _BLOCK // batch))
    # Active entries by feature: block after block.
    by_feature = np.argsort(feature, kind="mergesort")
    output = np.empty((rows, batch), np.float32)
    first = 0
    for low in range(0, n, rows):
        high = min(low + rows, n)
        error = output[: high - low]
        np.dot(W[low:high], hidden.T, error)
        loss += _rectify(error, b[low:high], grad_b[low:high])
        # Σ (y - x)² = Σ y² + Σ_active (x² - 2 x y); the gradient is y - x where the ReLU is on.
        while first < by_feature.size and feature[by_feature[first]] < high:
            a = by_feature[first]
            y, v = error[feature[a] - low, sample[a]], value[a]
            loss += v * (v - 2 * y)
            if y > 0:
                error[feature[a] - low, sample[a]] = y - v
                grad_b[feature[a]] -= v
            first += 1
        np.dot(error, hidden, grad_W[low:high])
        np.dot(error.T, W[low:high], part)
        for s in range(batch):
            for k in range(m):
                grad_hidden[s, k] += part[s, k]
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
