"""
Real frequencies: the 300 most frequent English words
=====================================================

Words are no exact power law. Their counts are the frequencies of toy models here: what the theories
predict for them, and what trained models reach.

Run ``python examples/word_frequencies.py`` (twenty seconds). It stores nothing. The counts come
from the package wordfreq (pip install "superscale[examples]"); its data are CC-BY-SA and are not
part of this project.
"""

import matplotlib.pyplot as plt
import wordfreq

import superscale as ss

# %%
# Occurrences per billion words, most frequent first. A file of counts is read by
# ``ss.counts.read_counts`` instead.
words = wordfreq.top_n_list("en", 300)
counts = [round(1e9 * wordfreq.word_frequency(word, "en")) for word in words]
frequencies = ss.Frequencies.from_counts(counts)
print(frequencies)
print(ss.counts.fit_zipf(counts))

# %%
# From a loss to a width: how wide a model has to be if its features are not to overlap.
for loss in (0.3, 0.1):
    width = ss.required_width(frequencies, loss=loss, theory="weak")
    print(f"loss {loss}: m = {width} if features are not to overlap")

# %%
# Three models, trained for fewer steps than the recipe takes: a little above what is possible.
comparison = ss.compare(frequencies, m=[5, 10, 20], seeds=1, steps=6000, workers=1)
print(comparison)
axes = comparison.plot()
axes.set_title("the 300 most frequent English words", fontsize="medium")
plt.show()
