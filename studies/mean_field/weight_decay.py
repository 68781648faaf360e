"""How many features weight decay leaves, by a balance with the interference of the mean field.

Run ``python studies/mean_field/weight_decay.py`` (five minutes). At gamma > 0 the number N of rows
with norm above 1/2 falls towards m (Figure 3a: n = 1000, alpha = 1, E = 1; our runs of the
published recipe). In those runs the rarest feature kept satisfies

    B p_N = κ gamma² l(N),    l(N) = L(N) / Σ_{i<=N} p_i.

B is the batch size and L(N) the mean-field loss of the N most frequent features alone, without
antipodal pairs, which training with decay does not reach. The noise of normalised steps is
∝ √(p l), the pull of a feature on its norm ∝ p. The one constant κ is the median over points with
N >= 1.5 m; the balance is then solved for N at every point. Results are stored in
studies/mean_field/weight_decay.json; with the word print they are printed again.
"""

import json
import sys
from pathlib import Path

import numpy as np

import superscale as ss
from theory.mean_field.solve import ConvergenceError, solve_mean_field

BATCH, FULL = 2048, 1.5
FREQUENCIES = ss.Frequencies.power_law(1000, alpha=1.0)


def interference(N, m, known):
    """Return l(N): 0 where the mean field of so few features does not settle."""
    if (N, m) not in known:
        few = ss.Frequencies.from_probabilities(np.array(FREQUENCIES.p[:N]))
        try:
            known[N, m] = solve_mean_field(few, m, antipodal=False).loss / few.density
        except ConvergenceError:
            known[N, m] = 0.0
    return known[N, m]


def solve(m, gamma, kappa, known):
    """Return the N where the balance holds, by bisection."""
    low, high = round(1.05 * m) + 1, FREQUENCIES.n
    while high - low > max(1, 0.01 * low):
        N = round(np.sqrt(low * high))
        pull = BATCH * FREQUENCIES.p[N - 1]
        low, high = (N, high) if pull > kappa * gamma**2 * interference(N, m, known) else (low, N)
    return low


def show(record):
    """Print the constant, and each run beside the balance."""
    low, high = record["range"]
    print(
        f"{len(record['rows'])} runs, kappa = {record['kappa']:.0f}, from {low:.0f} to {high:.0f}"
    )
    for row in record["rows"]:
        N, found, loss, predicted = (row[k] for k in ("measured", "solved", "loss", "predicted"))
        print(f"m = {row['m']}, weight decay {row['weight_decay']:.2f}: {N} rows, by the balance "
              f"{found} ({found / N:.2f}); loss {loss:.4g}, predicted {predicted:.4g} "
              f"({loss / predicted:.2f} times)")  # fmt: skip


def main():
    runs = ss.published.load_measured("row_paper")
    runs = runs[(runs.weight_decay > 0) & (runs.m >= 25)].sort_values(["m", "weight_decay"])
    known, points, constants = {}, [], []
    for run in runs.itertuples():
        N = round(run.phi_half * run.n)
        points.append((int(run.m), float(run.weight_decay), N, float(run.loss)))
        if N / run.m >= FULL:
            pull = BATCH * FREQUENCIES.p[N - 1]
            constants.append(pull / (run.weight_decay**2 * interference(N, int(run.m), known)))
    kappa = float(np.median(constants))
    rows = []
    for m, gamma, N, loss in points:
        found = solve(m, gamma, kappa, known)
        few = FREQUENCIES.p[:found]
        total = interference(found, m, known) * few.sum() + float(
            ss.regimes.weak_loss(FREQUENCIES, found)
        )
        rows.append({"m": m, "weight_decay": gamma, "measured": N, "solved": found, "loss": loss,
                     "predicted": total})  # fmt: skip
    record = {"command": "python studies/mean_field/weight_decay.py", "kappa": kappa,
              "range": [min(constants), max(constants)], "rows": rows}  # fmt: skip
    Path(__file__).with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
    show(record)


if __name__ == "__main__":
    if sys.argv[1:] == ["print"]:
        show(json.loads(Path(__file__).with_suffix(".json").read_text()))
    else:
        main()
