"""
The weak loss, derived by computer algebra
==========================================

From the model to the loss, by symbols: weak superposition for frequencies p_i ∝ i^-alpha.

Run ``python examples/derive_weak_loss.py`` (seconds). It prints its results and stores nothing.
"""

import sympy as sp

import superscale as ss

# 1. Say how often features occur, and ask for the prediction at some widths.
words = ss.Frequencies.power_law(n=10**6, alpha=1.5)
prediction = ss.predict(words, m=[10, 100, 1000, 10_000])
print(prediction, "\n")

# 2. The numbers come from an expression that sympy derived from the model ...
m, n, alpha = sp.symbols("m n alpha")
loss = prediction.expression("weak")
print("exact loss:     ", loss.rewrite(sp.zeta))
print("n → ∞:          ", prediction.expression("weak", limit="infinite_n").rewrite(sp.zeta))
print("leading term:   ", prediction.expression("weak", limit="leading"))
print("leading slope:  ", prediction.expression("weak", of="exponent", limit="leading"))

# 3. ... so it can be evaluated to any number of digits, or differentiated.
at = {m: 1000, n: 10**6, alpha: sp.Rational(3, 2)}
print("L(1000) to 30 digits:", loss.subs(at).evalf(30))
print("dL/dm there:         ", loss.diff(m).subs(at).evalf(15), "\n")

# 4. Every step of the derivation can be read.
print(prediction.explain("weak"))
