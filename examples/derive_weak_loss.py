"""
The weak loss, derived by computer algebra
==========================================

From the model to the loss, by symbols: weak superposition for frequencies p_i ∝ i^-alpha, exact,
for infinitely many features, and its leading power of m.

Run ``python examples/derive_weak_loss.py`` (two seconds). It prints its results and stores nothing.
"""

import matplotlib.pyplot as plt
import numpy as np
import sympy as sp

import superscale as ss
from theory.figures.style import BLUE, GREEN, VERMILION, finish, open_axes

# %%
# Say how often features occur, and ask for the prediction at some widths.
words = ss.Frequencies.power_law(n=10**6, alpha=1.5)
prediction = ss.predict(words, m=[10, 100, 1000, 10_000], theory="weak")
print(prediction, "\n")

# %%
# The numbers come from an expression that sympy derived from the model.
m, n, alpha = sp.symbols("m n alpha")
loss = prediction.expression("weak")
infinite = prediction.expression("weak", limit="infinite_n")
leading = prediction.expression("weak", limit="leading")
print("exact loss:     ", loss.rewrite(sp.zeta))
print("n → ∞:          ", infinite.rewrite(sp.zeta))
print("leading term:   ", leading)
print("leading slope:  ", prediction.expression("weak", of="exponent", limit="leading"))

# %%
# So it can be evaluated to any number of digits, or differentiated.
at = {m: 1000, n: 10**6, alpha: sp.Rational(3, 2)}
print("L(1000) to 30 digits:", loss.subs(at).evalf(30))
print("dL/dm there:         ", loss.diff(m).subs(at).evalf(15), "\n")

# %%
# Every step of the derivation can be read.
print(prediction.explain("weak"))

# %%
# The leading term is a straight line. At m near 1 the sum is no power law yet; near m = n no
# features are left to lose.
small = {n: 1000, alpha: sp.Rational(3, 2)}
widths = np.unique(np.geomspace(1, 950, 40).astype(int))
ax = open_axes()
for form, label, style in (
    (loss, "exact, n = 1000", {"color": BLUE}),
    (infinite, "n → ∞", {"color": VERMILION, "ls": "--"}),
    (leading, "leading term", {"color": GREEN, "ls": ":"}),
):
    values = [float(form.subs(small | {m: int(width)}).evalf()) for width in widths]
    ax.plot(widths, values, label=label, **style)
finish(ax, "width m", "weak loss, α = 1.5", log="xy", place="lower left")
plt.show()
