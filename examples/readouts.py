"""
Readouts of a superposed state, side by side
============================================

The same states, 2 of 16 items in 9 numbers with noise, are read in five ways. The posterior over
all supports is the best that any readout can do; the figure shows how far the others are from it.

Run ``python examples/readouts.py`` (ten seconds). It stores nothing, and needs scikit-learn:
``pip install 'superscale[sparse]'``.
"""

import matplotlib.pyplot as plt
import numpy as np

import superscale as ss
from theory.figures.style import curve, finish, open_axes

W = np.random.default_rng(3).standard_normal((16, 9)) / 3

# %%
# One table at one strength of the noise.
print(ss.reading.compare_readouts(W, active=2, noise=0.1, samples=1000))

# %%
# All readouts over the noise. A threshold does not know how many items are on; the highest scores
# do; matching pursuit and lasso also explain the state by what they read.
noises = np.linspace(0.02, 0.4, 8)
found = [ss.reading.compare_readouts(W, 2, noise=float(x), samples=400) for x in noises]
axes = open_axes()
for index, name in enumerate(found[0].readouts):
    right = [one.right[index] for one in found]
    stderr = [one.stderr[index] for one in found]
    axes.errorbar(noises, right, stderr, ms=4, label=name.replace("_", " "), **curve(index))
axes.set_ylim(-0.03, 1.25)
finish(axes, "noise on each number, standard deviation", "share of states read without error")
plt.show()
