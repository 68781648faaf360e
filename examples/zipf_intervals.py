"""
The exponent of word counts, and how certain it is
==================================================

Counts of words follow no single power law: the exponent that a fit finds hangs on the ranks that it
is given, by far more than its statistical error.

Run ``python examples/zipf_intervals.py`` (two seconds). It stores nothing. The counts are those
that ``superscale example counts.csv`` writes: 80 000 words drawn from p_i ∝ 1/(i + 2.7)^1.1.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import superscale as ss
from empirical.example_files import EXAMPLES, EXPONENT, SHIFT
from theory.figures.style import BLACK, BLUE, VERMILION, curve, finish, open_row

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "counts.csv"
    path.write_bytes(EXAMPLES["counts.csv"].make())
    counts = ss.counts.read_counts(path)

# %%
# Three laws, fitted by maximum likelihood and compared: the counts prefer the one they were drawn
# from, and its exponent and shift are found again.
comparison = ss.counts.compare_zipf(counts)
print(comparison)

# %%
# The exponent between rank 1 and r, between 10 and r, and so on: it grows with the ranks until the
# shift no longer matters. Bars are 95 % intervals of the sampling of words alone.
left, right = open_row(2)
sizes = np.sort(counts)[::-1]
sizes = sizes[sizes > 0]
rank = np.arange(1, sizes.size + 1)
left.plot(rank, sizes, ".", color=BLUE, ms=3, label="counts")
expected = (rank + SHIFT) ** -EXPONENT
left.plot(rank, sizes.sum() * expected / expected.sum(), color=BLACK, lw=1, label="drawn from")
finish(left, "rank i", "count", log="xy", place="lower left")

for k, first in enumerate((1, 10, 30)):
    ends = [end for end in (50, 100, 200, 400, 800) if end > 3 * first]
    fits = [ss.counts.fit_zipf(sizes, ranks=(first, end)) for end in ends]
    style = curve(k)
    right.errorbar(ends, [fit.alpha for fit in fits], [1.96 * fit.stderr for fit in fits],
                   capsize=3, label=f"from rank {first}", **style)  # fmt: skip
right.axhline(EXPONENT, color=VERMILION, lw=1, label="true exponent, far out")
finish(right, "last rank of the fit", "fitted exponent α", log="x", place="lower right")
plt.show()
