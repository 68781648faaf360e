"""
How much of the loss no directions can avoid
============================================

A proved lower bound, the best directions that a search finds, trained models and random directions:
what would better directions than the trained ones save?

Run ``python examples/loss_between_bounds.py`` (twenty seconds). It stores nothing; for larger n see
``python studies/packings/loss_between_bounds.py``.
"""

import matplotlib.pyplot as plt

import superscale as ss

# %%
# Features are equally frequent, one active at a time. Each of the four has its own best norm and
# bias. The bound holds for any directions; where it is close to the optimised ones, those are
# nearly optimal.
bracket = ss.packings.bracket_loss(40, [4, 6, 9], steps=1000)
print(bracket)
bracket.plot()
plt.show()
