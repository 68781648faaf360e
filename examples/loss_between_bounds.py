"""How much of the loss is unavoidable? Certified <= optimised <= trained <= random directions.

Run ``python examples/loss_between_bounds.py`` (15 minutes on two cores; with ``--n 100 --steps
1000`` a minute). It prints tables and writes the figure bounds.png; it stores nothing else.

For equally frequent features, one active at a time, each width has four losses (in units of the
activation density E), each at its best common norm r and bias b <= 0:

- certified: proved, by linear programming, to be a lower bound of the loss of any directions;
- optimised: of the best directions that descent finds;
- trained:   of a toy model trained at E = 0.1, where features are active one by one;
- random:    of independent directions.

The same follows at r = 1 and b = 0, where the loss is all interference.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np

import superscale as ss


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int, nargs="+", default=[100, 400, 1000])
    parser.add_argument("--m", type=int, nargs="+", default=[10, 20, 40, 70, 100])
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--output", default="bounds.png")
    arguments = parser.parse_args()

    figure, axes = plt.subplots(
        1, len(arguments.n), figsize=(5 * len(arguments.n), 4.5), layout="constrained"
    )
    for n, ax in zip(arguments.n, np.atleast_1d(axes), strict=True):
        widths = [m for m in arguments.m if 2 * m < n]  # from n = 2m on the loss can be 0
        best = ss.packings.bracket_loss(n, widths, steps=arguments.steps)
        flat = ss.packings.bracket_loss(n, widths, r=1.0, b=0.0, steps=arguments.steps)
        for title, bracket in (("best r and b for each", best), ("r = 1, b = 0", flat)):
            print(f"n = {n}, {title}")
            print(bracket)
            rows = bracket.rows
            found = ", ".join(f"{row.certified / row.optimised:.2f}" for row in rows)
            print(f"certified/optimised: {found}")
            print(f"optimised/trained: {', '.join(f'{r.optimised / r.trained:.2f}' for r in rows)}")
            print(f"in order: {all(row.ordered for row in rows)}", flush=True)
        best.plot(ax)
    figure.savefig(arguments.output, dpi=150)
    print("wrote", arguments.output)


if __name__ == "__main__":
    main()
