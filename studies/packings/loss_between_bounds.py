"""How much of the loss is unavoidable? Certified <= optimised <= trained <= random directions.

Run ``python studies/packings/loss_between_bounds.py`` (15 minutes on two cores). It prints
tables and stores nothing.

For equally frequent features, one active at a time, each width has four losses (in units of the
activation density E), each at its best common norm r and bias b <= 0:

- certified: proved, by linear programming, to be a lower bound of the loss of any directions;
- optimised: of the best directions that descent finds;
- trained:   of a toy model trained at E = 0.1, where features are active one by one;
- random:    of independent directions.

The same follows at r = 1 and b = 0, where the loss is all interference.
"""

import superscale as ss

STEPS = 5000


def main() -> None:
    for n in (100, 400, 1000):
        widths = [m for m in (10, 20, 40, 70, 100) if 2 * m < n]  # from n = 2m the loss can be 0
        for form, fixed in (("best r and b", {}), ("r = 1, b = 0", {"r": 1.0, "b": 0.0})):
            bracket = ss.packings.bracket_loss(n, widths, steps=STEPS, **fixed)
            print(f"{form}\n{bracket}", flush=True)


if __name__ == "__main__":
    main()
