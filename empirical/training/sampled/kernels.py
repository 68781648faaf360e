"""One compiled training step that decodes the active features and some rows of W drawn at random.

Use it where n is large: a step of ``fused_kernels`` multiplies n m numbers by every sample and
updates all of them. Here the error at the active features is computed as it is; the outputs of
inactive ones, which cost Σ y², are computed at S rows and weighted by n/S, so that the gradient is
right in the mean. Rows that a step does not use have no gradient in it: their optimizer waits, and
``catch_up`` makes the steps that it waited when the row is next used.
"""

from __future__ import annotations

import math

import numpy as np

from theory.computing.compiled import compiled

# Share of the sampled outputs above 0 from which products of matrices are faster than lists.
_DENSE = 0.05
# Stands for the pre-activation of an active feature, whose output is not counted as interference.
_OFF = np.float32(-1e30)


@compiled(fastmath=True, error_model="numpy")
def catch_up(W, first, second, rows, last, step, rates, decay, betas, eps):  # type: ignore[no-untyped-def]
    """Bring rows from the step that they were last used in to the one before ``step``.

    Without a gradient the first moment falls as beta_1^k and the second as beta_2^k, so that AdamW
    moves W by a sum over the steps between, which is taken here at once: it is that of AdamW but
    for epsilon (exact for 0) and for the order of decay and moves, which matters as rate² alone.
    """
    ratio = betas[0] / math.sqrt(betas[1])
    for i in rows:
        done, gap = last[i], step - 1 - last[i]
        if gap <= 0:
            continue
        power, size, keep = 1.0, 0.0, 1.0
        root = math.sqrt(1 - betas[1] ** done) if done else 1.0
        for k in range(done + 1, step):
            keep *= 1 - rates[k - 1] * abs(decay)
            power *= ratio
            if done and power > 1e-9:
                now = math.sqrt(1 - betas[1] ** k)
                size += rates[k - 1] * power * now / (root * (1 - betas[0] ** k))
        square, forget, forget_square = 0.0, betas[0] ** gap, betas[1] ** gap
        for a in range(W.shape[1]):
            W[i, a] -= size * first[i, a] / (math.sqrt(second[i, a]) / root + eps)
            square += W[i, a] * W[i, a]
            first[i, a] *= forget
            second[i, a] *= forget_square
        if decay < 0:
            norm = math.sqrt(square)
            keep = (1 + (norm - 1) * keep) / norm if norm > 0 else 1.0
        for a in range(W.shape[1]):
            W[i, a] *= keep
        last[i] = step - 1


@compiled(fastmath=True, error_model="numpy")
def sampled_gradients(  # type: ignore[no-untyped-def]
    V, c, sampled, factor, sample, slot, value, weight, importance, grad_V, grad_c
):
    """Fill the gradients of half the estimated loss by the rows V and biases c; return the loss.

    The first ``sampled`` rows are those drawn at random, of weight ``factor`` = n/S. ``slot`` is
    the row of each active entry, ``importance`` has one number a row.
    """
    batch, m = weight.size, V.shape[1]
    grad_V[:], grad_c[:] = 0, 0
    hidden, grad_hidden = np.zeros((batch, m), np.float32), np.zeros((batch, m), np.float32)
    for a in range(sample.size):
        for k in range(m):
            hidden[sample[a], k] += value[a] * V[slot[a], k]
    drawn = V[:sampled]
    output = np.dot(hidden, drawn.T)
    for a in range(sample.size):
        if slot[a] < sampled:
            output[sample[a], slot[a]] = _OFF
    loss, count = 0.0, 0
    for s in range(batch):
        for j in range(sampled):
            y = max(output[s, j] + c[j], np.float32(0))
            error = np.float32(factor) * importance[j] * weight[s] * y
            output[s, j] = error
            loss += error * y
            count += y > 0
    if count > _DENSE * output.size:
        grad_hidden += np.dot(output, drawn)
        grad_V[:sampled] += np.dot(output.T, hidden)
        for s in range(batch):
            for j in range(sampled):
                grad_c[j] += output[s, j]
    else:
        for s in range(batch):
            for j in range(sampled):
                error = output[s, j]
                if error > 0:
                    grad_c[j] += error
                    for k in range(m):
                        grad_V[j, k] += error * hidden[s, k]
                        grad_hidden[s, k] += error * V[j, k]
    for a in range(sample.size):
        s, j = sample[a], slot[a]
        y = c[j]
        for k in range(m):
            y += hidden[s, k] * V[j, k]
        heavy = importance[j] * weight[s]
        y = max(y, np.float32(0))
        loss += heavy * (y - value[a]) ** 2
        if y > 0:
            error = heavy * (y - value[a])
            grad_c[j] += error
            for k in range(m):
                grad_V[j, k] += error * hidden[s, k]
                grad_hidden[s, k] += error * V[j, k]
    for a in range(sample.size):
        for k in range(m):
            grad_V[slot[a], k] += value[a] * grad_hidden[sample[a], k]
    return loss


@compiled()
def find_rows(sampled, feature, n):  # type: ignore[no-untyped-def]
    """Return the rows that a step uses, the sampled ones first, and that of each active entry."""
    place = np.full(n, -1, np.int64)
    rows = np.empty(sampled.size + feature.size, np.int64)
    count = 0
    for i in sampled:
        place[i], rows[count] = count, i
        count += 1
    slot = np.empty(feature.size, np.int64)
    for a in range(feature.size):
        i = feature[a]
        if place[i] < 0:
            place[i], rows[count] = count, i
            count += 1
        slot[a] = place[i]
    return rows[:count], slot


@compiled(fastmath=True, error_model="numpy")
def _decay(row, rate, decay):  # type: ignore[no-untyped-def]
    """Pull a row to zero (decay > 0) or to length 1 (decay < 0)."""
    keep = np.float32(1 - rate * decay)
    if decay < 0:
        square = np.float32(0)
        for a in range(row.size):
            square += row[a] * row[a]
        keep = np.float32(1 - rate * decay * (1 / math.sqrt(square) - 1 if square > 0 else 0.0))
    for a in range(row.size):
        row[a] *= keep


@compiled(fastmath=True, error_model="numpy")
def _update(x, g, first, second, step, rate, scale, betas, eps):  # type: ignore[no-untyped-def]
    """Take one step of Adam on x, with gradient ``scale`` g."""
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
def take_sampled_step(  # type: ignore[no-untyped-def]
    model, last, sampled, drawn, importance, step, rates, bias_rate, decay, scale, betas, eps
):
    """Take the ``step``-th step (from 1) on a batch that was drawn, in place; return its loss.

    ``model`` is W, b and their moments, ``last`` the step that each row was last used in,
    ``sampled`` the rows drawn at random, ``drawn`` sample, feature, value of the active entries and
    the weights of the samples; ``rates`` are those of all steps.
    """
    W, b, first_W, second_W, first_b, second_b = model
    sample, feature, value, weight = drawn
    n, batch = W.shape[0], weight.size
    rows, slot = find_rows(sampled, feature, n)
    catch_up(W, first_W, second_W, rows, last, step, rates, decay, betas, eps)
    V, c, heavy = W[rows], b[rows], importance[rows]
    grad_V, grad_c, grad_b = np.empty_like(V), np.empty_like(c), np.zeros_like(b)
    loss = sampled_gradients(
        V, c, sampled.size, n / sampled.size, sample, slot, value, weight, heavy, grad_V, grad_c
    )
    scale *= 2 / batch
    rate = rates[step - 1]
    for a in range(rows.size):
        i = rows[a]
        grad_b[i] = grad_c[a]
        _decay(W[i], rate, decay)
        _update(W[i], grad_V[a], first_W[i], second_W[i], step, rate, scale, betas, eps)
        last[i] = step
    _update(b, grad_b, first_b, second_b, step, bias_rate, scale, betas, eps)
    return loss / batch
