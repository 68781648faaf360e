"""
Features that depend on each other
==================================

Tokens exclude each other, children occur only with their parents, topics bring words together. What
does that change for a model, if every feature is as frequent as before? Four dependences of the
same 60 features, a model trained on each, and its exact loss: with the dependence it was trained
on, and as if the features were independent.

Run ``python examples/dependent_features.py`` (some ten seconds). It stores nothing.
"""

import matplotlib.pyplot as plt
import numpy as np

import superscale as ss
from theory.figures.style import BLUE, ORANGE, finish, open_axes

n, m = 60, 8
words = ss.Frequencies.power_law(n, alpha=0.5, density=2.5)
tilt = np.exp(1.5 * np.random.default_rng(0).standard_normal((3, n)))
features = {
    "independent": ss.Features(words),
    "3 exclusive sets": ss.Features.exclusive(words, [range(k, n, 3) for k in range(3)]),
    "hierarchy": ss.Features.hierarchy(
        words, [None if i < 12 else (i - 12) // 4 for i in range(n)]
    ),
    "3 topics": ss.Features.mixture(np.full(3, 1 / 3), 3 * words.p * tilt / tilt.sum(axis=0)),
}

# %%
# ``population_loss`` sums over all states of the dependence without a sample: messages go along
# its tree, from the leaves to the roots. The same W costs another loss where features are
# independent, so that a theory or an estimate that forgets the dependence is off by that much.
rows = {}
for name, shown in features.items():
    model = ss.train(shown, m, steps=1500).model
    rows[name] = [ss.population_loss(model, x).loss for x in (shown, words)]
    print(f"{name:18s} loss {rows[name][0]:.4f}, the same W if independent {rows[name][1]:.4f}")

# %%
# All three lose less than independent features of the same frequencies. A model that is shown
# exclusive features lets them overlap, as they are never on together; children may overlap with
# their parents, and features of a topic with those of other topics. Shown to independent features
# the same W would lose more.
axes = open_axes()
place = np.arange(len(rows))
labels = ("as trained", "the same W, features independent")
for k, (label, color) in enumerate(zip(labels, (BLUE, ORANGE), strict=True)):
    heights = [row[k] for row in rows.values()]
    axes.bar(place + 0.4 * (k - 0.5), heights, 0.4, color=color, label=label)
axes.set_xticks(place, list(rows))
axes.margins(y=0.25)
finish(axes, "dependence of the features", "loss L, summed over features")
plt.show()
