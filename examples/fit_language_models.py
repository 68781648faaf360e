"""
The loss of language models against their width
===============================================

How the loss of language models falls with their width, how certain the exponent is, and which
models it hangs on.

Run ``python examples/fit_language_models.py`` (two seconds). The losses are those of 27 models on 4
data sets (arXiv 2505.10465, Figure 8, digitised); they share C and alpha, and each family has a
floor on each data set. It prints its results and stores nothing.
"""

import matplotlib.pyplot as plt
import numpy as np

import superscale as ss
from theory.figures.style import BLACK, BLUE, ORANGE, finish, open_row

data = ss.published.load_reference("fig8_llm_loss")
fit = ss.scaling_laws.fit_power_law(
    data["m"],
    data["loss_total"],
    groups=data["family"] + "/" + data["dataset"],
    labels=data["model"] + "/" + data["dataset"],
    clusters=data["model"],
)
print(fit)

# %%
# The four losses of one model share what is special about it: resample models, not points.
models = fit.bootstrap(by="clusters", samples=299, seed=0)
left_out = fit.influence(by="clusters")
print(models)
print(fit.test_alpha(1.0, by="clusters"))
print(fit.influence())
print(left_out)
print(fit.compare())

# %%
# What would a model of the Pythia family reach with 16384 dimensions, and where is 2.4 nats?
print(fit.forecast(16384, "pythia/wikitext", bootstrap=models, n=50304))
print(fit.width_for(2.4, "pythia/wikitext", bootstrap=models))

# %%
# Left, by how much an exponent is less likely than the best, and two 95 % intervals: for
# independent errors, and with models resampled. Right, the exponent without one model.
left, right = open_row(2)
alphas = np.linspace(0.5, 1.3, 81)
left.plot(alphas, [fit.profile.statistic(alpha) for alpha in alphas], color=BLUE)
level = fit.profile.rise(0.95) / fit.profile.variance
left.axhline(level, color="0.5", lw=1, ls="--", label="95 % quantile")
left.axvline(1.0, color=BLACK, lw=1, ls=":", label="α = 1")
for height, interval, color, label in (
    (0.6, fit.interval(), BLUE, "profile likelihood"),
    (1.6, models.interval(), ORANGE, "bootstrap over models"),
):
    left.plot([interval.low, interval.high], [height, height], color=color, lw=4, label=label,
              solid_capstyle="butt")  # fmt: skip
left.set(xlim=(0.45, 1.35), ylim=(0, 24), yticks=range(0, 25, 4))
finish(left, "exponent α", "F statistic of α", place="upper center")
left_out.plot(right)
plt.show()
