"""Which features are lost decides the weak loss: three forms of the theory against trained models.

Run ``python examples/weak_superposition.py`` (8 minutes on two cores; with ``--steps 2000`` a
minute). It prints tables and writes the figure weak.png, stored in examples/weak.png.

Models are trained by the published recipe with positive weight decay. Their biases start at
N(0, 1), and a feature whose bias starts too low dies early, however frequent it is. So a trained
model does not keep the m most frequent features. The loss is compared with

- top m:   the m most frequent kept (the ideal, what can be predicted without training);
- ranks:   as many of the most frequent kept as the model represents, φ_1/2 n (the published form);
- rows:    exactly the features that this model lost, those with |W_i| < 1/2.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np

import superscale as ss


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=2048)
    parser.add_argument("--samples", type=int, default=2**21, help="fresh samples for each loss")
    parser.add_argument("--workers", type=int, default=2, help="processes that train")
    parser.add_argument("--output", default="weak.png")
    arguments = parser.parse_args()

    figure, axes = plt.subplots(figsize=(6, 5), layout="constrained")
    print(" alpha   m  seed     loss   top m   ranks    rows   first features lost")
    ratios = {"top m": [], "ranks": [], "rows": []}
    for alpha in (1.75, 2.0):
        frequencies = ss.Frequencies.power_law(n=200, alpha=alpha)
        comparison = ss.compare(
            frequencies,
            m=[4, 8, 16, 32],
            seeds=2,
            recipe="paper",
            weight_decay=0.5556,
            steps=arguments.steps,
            batch=arguments.batch,
            workers=arguments.workers,
        )
        for run in comparison.runs:
            m, seed = run.model.m, run.settings.seed
            loss = ss.monte_carlo_loss(run.model, frequencies, arguments.samples, seed=7).loss
            inside = ss.measure(run.model, frequencies)
            forms = {
                "top m": float(ss.regimes.weak_loss(frequencies, m)),
                "ranks": inside.lost_ranks_loss,
                "rows": inside.lost_rows_loss,
            }
            for name, value in forms.items():
                ratios[name].append((loss, value))
            lost = ", ".join(str(i + 1) for i in np.flatnonzero(inside.norms < 0.5)[:4])
            shown = "".join(f"{loss / value:8.3f}" for value in forms.values())
            print(f"{alpha:6.2f} {m:3d} {seed:5d} {loss:8.5f}{shown}   {lost}, …")

    for name, marker in (("top m", "^"), ("ranks", "s"), ("rows", "o")):
        measured, predicted = np.array(ratios[name]).T
        off = np.abs(measured / predicted - 1)
        print(
            f"{name:6s} |measured/predicted - 1|: median {np.median(off):.3f}, "
            f"worst {off.max():.3f}"
        )
        axes.plot(predicted, measured, marker, label=f"{name}: median off {np.median(off):.1%}")
    span = axes.get_xlim()
    axes.plot(span, span, "k-", lw=0.8)
    axes.set(xscale="log", yscale="log", xlabel="predicted loss", ylabel="trained loss")
    axes.legend(title="features taken as lost")
    figure.savefig(arguments.output, dpi=150)
    print("wrote", arguments.output)


if __name__ == "__main__":
    main()
