"""The expected loss by enumeration, exactly: independent of the code that it is used to test."""

import mpmath
import pytest


def powers(terms, p, g, steps):
    """Take the mean over one more input x = u v of a sum of terms w ReLU(z)^k/k!, as (z, k, w).

    By parts: with steps d_l of the density at c_l, the mean of ReLU(z + g v)^k/k! over v is
    Σ_l d_l ReLU(z + g c_l)^(k + 1)/((k + 1)! g).
    """
    if g == 0:
        return terms
    raised = [(z + g * c, k + 1, w * p * d / g) for z, k, w in terms for c, d in steps if p and d]
    return [(z, k, w * (1 - p)) for z, k, w in terms if p < 1] + raised


def evaluate(terms):
    return mpmath.fsum(w * z**k / mpmath.factorial(k) for z, k, w in terms if z > 0)


def enumerate_loss(model, p, activation, importance=None, sampling="bernoulli"):
    """I_i ⟨(y_i - x_i)²⟩ of each output, over all patterns of active features, in mpmath."""
    one = mpmath.mpf(1)
    cells = [[mpmath.mpf(c.p) / c.q for c in cell] for cell in activation.cells]
    ends = [cells[0][0], *(high for _, high, _ in cells)]
    density = [0, *(height for _, _, height in cells), 0]
    steps = [(c, density[k] - density[k + 1]) for k, c in enumerate(ends)]
    first, second = (
        mpmath.fsum(d * (b ** (k + 1) - a ** (k + 1)) / (k + 1) for a, b, d in cells)
        for k in (1, 2)
    )
    W = [[mpmath.mpf(w) for w in row] for row in model[0]]
    b, p = ([mpmath.mpf(x) for x in values] for values in (model[1], p))
    n, losses = len(W), []
    for i in range(n):
        g = [mpmath.fdot(W[i], row) for row in W]
        bias, own = b[i], g[i]
        # Terms of ReLU(z)², and with the own input active those of ReLU(z + own v)² and v ReLU.
        silent = [(bias, 2, 2 * one)]
        square = powers(silent, one, own, steps)
        product = [(bias, 1, first)] if own == 0 else [
            (bias + own * c, k, w)
            for c, d in steps
            for k, w in ((2, d * c / own), (3, -d / own**2))
        ]  # fmt: skip
        if sampling == "one_hot":
            loss = p[i] * (evaluate(square) - 2 * evaluate(product) + second)
            for j in range(n):
                if j != i:
                    loss += p[j] * evaluate(powers(silent, one, g[j], steps))
        else:
            for j in range(n):
                if j != i:
                    silent, square, product = (
                        powers(terms, p[j], g[j], steps) for terms in (silent, square, product)
                    )
            loss = (1 - p[i]) * evaluate(silent)
            loss += p[i] * (evaluate(square) - 2 * evaluate(product) + second)
        losses.append(loss * (1 if importance is None else mpmath.mpf(importance[i])))
    return losses


@pytest.fixture(scope="session")
def enumeration():
    """The losses of all outputs: a function of W, b, Features and the way of sampling."""

    def losses(W, b, features, sampling="bernoulli", p=None):
        with mpmath.workdps(60):
            return enumerate_loss(
                (W, b), features.p if p is None else p, features.activation, features.importance,
                sampling,
            )  # fmt: skip

    return losses
