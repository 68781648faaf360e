"""
A polynomial that proves a bound on interference
================================================

No 16 directions in R^5 interfere less than a bound. The proof is a polynomial below the energy of
a pair, which the overlaps of a good arrangement touch.

Run ``python examples/energy_certificate.py`` (five seconds). It stores nothing.
"""

from fractions import Fraction

import matplotlib.pyplot as plt
import numpy as np

import superscale as ss
from theory.bounds.gegenbauer import combine
from theory.figures.style import BLUE, ORANGE, VERMILION, finish, open_axes

n, m = 16, 5
potential = ss.packings.ReluPotential(Fraction(1), Fraction(0))
certificate = ss.packings.certify_energy(n, m, potential, degree=12)
assert certificate.verify()  # repeats the proof in rational numbers
t = np.linspace(-1, 1, 401)
below = np.polynomial.Polynomial([float(c) for c in combine(m, certificate.coefficients)])(t)

# %%
# The energy is the mean square of ReLU(v t), v uniform on (0, 2): what an active feature adds to
# the output of another one. Search for directions of little energy, and see where their overlaps
# lie: at points that the polynomial touches, or almost.
equal = ss.Frequencies.power_law(n, alpha=0.0)
packing = ss.packings.pack(n, m, "relu_energy", features=equal, seconds=3, seed=0)
overlaps = packing.gram[~np.eye(n, dtype=bool)]
energy = float(potential(overlaps).sum())
print(f"proved: at least {float(certificate.value):.6f}; found: {energy:.6f}")

ax = open_axes()
ax.plot(t, potential(t), color=BLUE, label="energy of a pair")
ax.plot(t, below, color=ORANGE, ls="--", label="certificate, a polynomial below it")
ax.plot(overlaps, potential(overlaps), "o", ms=6, mfc="none", color=VERMILION,
        label=f"overlaps of {n} points in $R^{m}$")  # fmt: skip
ax.set_ylim(-0.12, 0.4)
finish(ax, "overlap t = u·v", "energy", place="upper left")
plt.show()
