"""Compiled training steps on one core: of the features only active ones are drawn and encoded.

``take_steps`` draws batches, computes gradients and updates the model, one step for each rate that
it is given. Its plain forms are ``FeatureSampler.draw``, ``loss_and_gradients`` and ``RowAdamW``
(torch); it draws the same batches from the same generator. ``take_drawn_steps`` takes batches of
features that depend on each other.

``importance`` is None where all I_i are 1: numba compiles that case without the other's
instructions. ``cumulative_shares`` is empty where v is uniform.
"""

from __future__ import annotations

import math

import numpy as np

from theory.computing.compiled import compiled

# error_model="numpy": numba's own check of divisions by 0 would prevent vectorised loops.

# Entries of the output (sample x feature) per block: 512 kB of float32, about a core's cache.
_BLOCK = 1 << 17
# Samples per block at least: products of thinner matrices are slow.
_SAMPLES = 32
# After some training few outputs are above 0. They are searched in groups of _FEW samples, unless
# more than the share _DENSE of the groups have one: then products of whole matrices are faster.
_FEW, _DENSE = 8, 0.15


@compiled()
def draw_active(tables, batch, law, rng):  # type: ignore[no-untyped-def]
    """Draw the active entries of a batch, as ``numerics.sampling`` does and explains.

    ``law`` is that of v: low, high, and the cumulative shares of its equal steps. Returns sample,
    feature and value of each entry, sorted by sample, then feature, and the weight of each sample.
    """
    head, cumulative, share, _, odds = tables
    n = head.size + cumulative.size
    cells = np.sort(_draw_cells(tables, batch, rng))
    kept = 0
    for a in range(cells.size):  # each cell once
        if a == 0 or cells[a] != cells[a - 1]:
            cells[kept] = cells[a]
            kept += 1
    cells = cells[:kept]
    sample, value = cells // n, _draw_values(kept, law[0], law[1], law[2], rng)
    feature, weight = cells - sample * n, np.ones(batch, np.float32)
    if share > 0:
        seen = np.zeros(batch)
        for a in range(kept):
            seen[sample[a]] += odds[feature[a]]
        for s in range(batch):
            weight[s] = 1 / (1 - share + share * seen[s])
    return sample, feature, value, weight


@compiled()
def _draw_cells(tables, batch, rng):  # type: ignore[no-untyped-def]
    """Draw the active cells (sample n + feature) in any order, some of them repeatedly."""
    head, cumulative, share, rare, _ = tables
    n = head.size + cumulative.size
    events = 0
    if cumulative.size:
        events = rng.poisson(batch * cumulative[-1])
    cells = np.empty(events + batch * (head.size + (share > 0)), np.int64)
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
    if share > 0:
        first = count
        for sample in range(batch):
            if rng.random() < share:
                cells[count] = sample * n
                count += 1
        for a in range(first, count):
            cells[a] += np.searchsorted(rare, rng.random(), side="right")
    return cells[:count]


@compiled()
def _draw_values(count, low, high, cumulative_shares, rng):  # type: ignore[no-untyped-def]
    """Draw values of v, as ``Activation.sample`` does."""
    value = np.empty(count, np.float32)
    if cumulative_shares.size == 0:
        for a in range(count):
            value[a] = low + (high - low) * rng.random()
    else:
        steps = np.searchsorted(cumulative_shares, rng.random(count), side="right")
        width = (high - low) / cumulative_shares.size
        for a in range(count):
            value[a] = low + width * (steps[a] + rng.random())
    return value


@compiled(fastmath=True, error_model="numpy")
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


@compiled(fastmath=True, error_model="numpy")
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


@compiled(fastmath=True, error_model="numpy")
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


@compiled(fastmath=True, error_model="numpy")
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


@compiled(fastmath=True, error_model="numpy")
def _encode(W, sample, feature, value, weight, importance, hidden, loss):  # type: ignore[no-untyped-def]
    """Add Wᵀx to ``hidden``; return the loss plus Σ I w x²."""
    for a in range(sample.size):
        if importance is None:
            loss += weight[sample[a]] * value[a] * value[a]
        else:
            loss += importance[feature[a]] * weight[sample[a]] * value[a] * value[a]
        for k in range(W.shape[1]):
            hidden[sample[a], k] += value[a] * W[feature[a], k]
    return loss


@compiled(fastmath=True, error_model="numpy")
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


@compiled(fastmath=True, error_model="numpy")
def gradients(  # type: ignore[no-untyped-def]
    W, b, sample, feature, value, weight, importance, grad_W, grad_b
):
    """Fill the gradients of half the loss Σ_samples w Σ_i I_i (y_i - x_i)²; return the loss.

    The active entries must be sorted by sample.
    """
    n, m = W.shape
    grad_W[:], grad_b[:] = 0, 0
    sample, weight = sample.copy(), weight.copy()
    loss = _leave_out_empty(sample, weight, b, importance, grad_b)
    batch = sample[-1] + 1 if sample.size else 0
    hidden, grad_hidden = np.zeros((batch, m), np.float32), np.zeros((batch, m), np.float32)
    loss = _encode(W, sample, feature, value, weight, importance, hidden, loss)
    most = max(min(batch, max(_SAMPLES, _BLOCK // n)), 1)  # every sample may be empty
    output, peaks = np.empty((most, n), np.float32), np.empty((most, n), np.float32)
    columns = np.ascontiguousarray(W.T)
    sample_of = np.empty(output.size + sample.size, np.int32)
    feature_of, error_of = np.empty_like(sample_of), np.empty(sample_of.size, np.float32)
    first = 0
    # Σ (y - x)² = Σ_active x² + Σ y² - 2 Σ_active x y; the gradient is y - x where the ReLU is on.
    # Each term is weighted by its sample and its feature.
    for low in range(0, batch, most):
        high = min(low + most, batch)
        part = output[: high - low]
        np.dot(hidden[low:high], columns, part)
        dense, count = _find_peaks(part, b, peaks) * _FEW > _DENSE * part.size, 0
        if dense:
            loss += _rectify(part, b, weight[low:high], importance, grad_b)
        else:
            count, square = _list_outputs(
                part, b, weight[low:high], importance, peaks, sample_of, feature_of, error_of
            )
            loss += square
        first, count, loss = _subtract_inputs(
            part, dense, b, low, high, sample, feature, value, weight, importance, first,
            grad_b, sample_of, feature_of, error_of, count, loss,
        )  # fmt: skip
        for a in range(count):
            grad_b[feature_of[a]] += error_of[a]
        if dense:
            np.dot(part, W, grad_hidden[low:high])
            share = np.dot(part.T, hidden[low:high])
            for i in range(n):
                for k in range(m):
                    grad_W[i, k] += share[i, k]
        for a in range(count):
            s, i, error = low + sample_of[a], feature_of[a], error_of[a]
            for k in range(m):
                grad_W[i, k] += error * hidden[s, k]
                grad_hidden[s, k] += error * W[i, k]
    for a in range(sample.size):
        for k in range(m):
            grad_W[feature[a], k] += value[a] * grad_hidden[sample[a], k]
    return loss


@compiled(fastmath=True, error_model="numpy")
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


@compiled(fastmath=True, error_model="numpy")
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


@compiled()
def _take_step(  # type: ignore[no-untyped-def]
    model, grad_W, grad_b, drawn, batch, step, rate, bias_rate, decay, scale, betas, eps,
    importance,
):  # fmt: skip
    """Take one step on a batch that was drawn, in place; return its loss."""
    W, b, first_W, second_W, first_b, second_b = model
    sample, feature, value, weight = drawn
    loss = gradients(W, b, sample, feature, value, weight, importance, grad_W, grad_b)
    decay_rows(W, rate, decay)
    update(W.ravel(), grad_W.ravel(), first_W, second_W, step, rate, scale, betas, eps)
    update(b, grad_b, first_b, second_b, step, bias_rate, scale, betas, eps)
    return loss / batch


@compiled()
def take_steps(  # type: ignore[no-untyped-def]
    W, b, first_W, second_W, first_b, second_b, rates, bias_rates, done,
    batch, decay, scale, betas, eps, tables, law, importance, rng,
):  # fmt: skip
    """Take one step for each rate, in place; return the batch losses.

    ``done`` steps were taken before; the moments of W are flat.
    """
    losses, scale = np.empty(rates.size), scale * 2 / batch
    grad_W, grad_b = np.empty_like(W), np.empty_like(b)
    for k in range(rates.size):
        losses[k] = _take_step(
            (W, b, first_W, second_W, first_b, second_b), grad_W, grad_b,
            draw_active(tables, batch, law, rng), batch, done + k + 1, rates[k], bias_rates[k],
            decay, scale, betas, eps, importance,
        )  # fmt: skip
    return losses


@compiled()
def take_drawn_steps(  # type: ignore[no-untyped-def]
    W, b, first_W, second_W, first_b, second_b, rates, bias_rates, done,
    batch, decay, scale, betas, eps, drawn, importance,
):  # fmt: skip
    """Take the same steps on batches that were drawn before.

    ``drawn`` are sample, feature and value of their active entries, the weight of each sample, and
    where the entries of each batch begin (``numerics.dependent.samples``).
    """
    losses, scale = np.empty(rates.size), scale * 2 / batch
    grad_W, grad_b = np.empty_like(W), np.empty_like(b)
    sample, feature, value, weight, starts = drawn
    for k in range(rates.size):
        low, high = starts[k], starts[k + 1]
        one = (
            sample[low:high], feature[low:high], value[low:high],
            weight[k * batch : (k + 1) * batch],
        )  # fmt: skip
        losses[k] = _take_step(
            (W, b, first_W, second_W, first_b, second_b), grad_W, grad_b, one, batch,
            done + k + 1, rates[k], bias_rates[k], decay, scale, betas, eps, importance,
        )  # fmt: skip
    return losses
