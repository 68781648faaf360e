"""
Features from a sample of activations
=====================================

The activations of a sparse autoencoder, or of any generator, are a sample × feature matrix. From it
come frequencies, the law of v and the tree that makes the sample most likely. How many samples does
the tree need? A hierarchy of 200 features is planted, and looked for again.

Run ``python examples/measured_features.py`` (seconds). It stores nothing.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.sparse import csr_array

import superscale as ss
from numerics.sampling import FeatureSampler
from theory.figures.style import curve, finish, open_axes

n = 200
p = np.repeat([0.1, 0.04, 0.012], [20, 60, 120])
parents = [None] * 20 + [i % 20 for i in range(60)] + [20 + i % 60 for i in range(120)]
planted = ss.Features.hierarchy(ss.Frequencies.from_probabilities(p), parents)
edges = {(min(i, k), max(i, k)) for i, k in enumerate(parents) if k is not None}

# %%
# ``fit_samples`` takes dense or scipy sparse matrices; ``least_gain`` leaves out edges that gain no
# more log-likelihood than independent features would by chance.
sizes, right, wrong = (100, 200, 500, 1000, 2000, 5000, 10_000), [], []
for size in sizes:
    drawn = FeatureSampler(planted).draw(size, np.random.default_rng(1))
    X = csr_array((drawn.value, (drawn.sample, drawn.feature)), shape=(size, n))
    fit = ss.dependence.fit_samples(X, least_gain=12)
    columns = fit.columns[fit.edges]
    found = {(min(pair), max(pair)) for pair in columns.tolist()}
    right.append(len(found & edges) / len(edges))
    wrong.append(len(found - edges) / len(edges))
    gain = fit.log_likelihood - fit.log_likelihood_independent
    print(f"{size:6d} samples: {right[-1]:.3f} of the edges, {gain:.2f} nats a sample gained")

# %%
# The fitted features go wherever features go: to the exact loss of a model, to training, to the
# theories that take a dependence.
features = ss.Features.from_samples(X, least_gain=12)
print(features)

axes = open_axes()
axes.plot(sizes, right, label="planted edges that are found", **curve(0))
axes.plot(sizes, wrong, label="other edges", **curve(1))
finish(axes, "samples", "share of the planted edges", log="x", place="center right")
plt.show()
