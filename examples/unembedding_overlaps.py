"""
Overlaps of an unembedding beside random directions
===================================================

Rows of an unembedding matrix are directions of tokens. Their overlaps, beside those of random
directions and the Welch bound, before and after common directions are removed.

Run ``python examples/unembedding_overlaps.py`` (two seconds). It stores nothing. The matrix is a
small one, drawn at random, that ``superscale example large.safetensors`` writes; give a checkpoint
of your own to ``ss.open_matrix``.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import superscale as ss
from empirical.example_files import EXAMPLES
from theory.figures.style import BLACK, ORANGE, curve, finish, open_axes

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "large.safetensors"
    path.write_bytes(EXAMPLES["large.safetensors"].make())
    W = ss.open_matrix(path)
    overlaps = [ss.overlaps(W, center=center) for center in (False, True)]
n, m = W.n, W.m

# %%
# All rows share a common direction here, as in many language models: raw overlaps have a mean above
# 0. Centring removes it; what is left looks like random directions. The Welch bound is the least
# root mean square that so many rows can have.
ax = open_axes()
for k, found in enumerate(overlaps):
    density = found.histogram / found.histogram.sum() / np.diff(found.edges)
    # Five bins of the histogram to one that is drawn.
    edges, density = found.edges[::5], density.reshape(-1, 5).mean(axis=1)
    ax.stairs(density, edges, color=curve(k)["color"], lw=1.6, label=found.treatment)
    print(f"{found.treatment}: mean {found.mean:.4f}, mean square {found.mean_square:.5f} "
          f"(Welch {found.welch:.5f}, 1/m {1 / m:.5f}), largest {found.largest:.3f}")  # fmt: skip
t = np.linspace(-0.5, 0.7, 400)
ax.plot(t, ss.directions.RandomOverlap(m).pdf(t), "--", color=BLACK, lw=1,
        label="random directions")  # fmt: skip
welch = float(np.sqrt(found.welch))
for sign in (-1, 1):
    ax.axvline(sign * welch, color=ORANGE, lw=1, label="± √(Welch bound)" if sign > 0 else None)
ax.set_xlim(-0.4, 0.6)
finish(ax, "overlap t = u·v", "probability density",
       title=f"{n} tokens, m = {m}")  # fmt: skip
plt.show()
