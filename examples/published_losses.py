"""
The published losses beside the weak theory
===========================================

Figure 1b of arXiv 2505.10465 shows models of weak superposition for three laws of frequency. Do
they lose the least frequent features, as the theory has it?

Run ``python examples/published_losses.py`` (two seconds). It prints tables, shows a figure, and
stores nothing.

The theory gives the loss of a model that keeps the m most frequent features. Where the published
loss is higher, frequent features died (their biases start at N(0, 1)); where it is lower, the model
represents more features than it has dimensions: weight decay 0.1 does not fully suppress
superposition. The second table gives, for each published loss, the number of most frequent features
that a model with this loss would keep.
"""

import matplotlib.pyplot as plt
import numpy as np

import superscale as ss

LAWS = {
    "power": ss.Frequencies.power_law(n=10240, alpha=1.2),
    "exponential": ss.Frequencies.exponential(n=10240, scale=400),
    "linear": ss.Frequencies.linear(n=10240),
}


def main() -> None:
    comparison = ss.published.compare_reference("fig1-weak")
    print(comparison.settings["source"], "\n")
    print("measured / weak theory")
    widths = [row.m for row in comparison.rows if row.curve == "power"]
    print(f"{'m':12s}" + "".join(f"{m:8d}" for m in widths))
    for curve in comparison.curves:
        rows = [row for row in comparison.rows if row.curve == curve]
        print(f"{curve:12s}" + "".join(f"{row.ratio('weak'):8.3f}" for row in rows))

    print("\nfeatures that the loss is worth, kept in order of frequency")
    print(f"{'m':12s}" + "".join(f"{m:8d}" for m in widths))
    for curve, frequencies in LAWS.items():
        losses = ss.regimes.weak_loss(frequencies, np.arange(frequencies.n + 1))  # falls with r
        kept = [
            int(np.searchsorted(-losses, -row.measured))
            for row in comparison.rows
            if row.curve == curve
        ]
        print(f"{curve:12s}" + "".join(f"{r:8d}" for r in kept))

    comparison.plot()
    plt.show()


if __name__ == "__main__":
    main()
