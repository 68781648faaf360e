"""Trained losses that the studies of this folder compare with: two phases, the lowest of them.

The first phase is the fast recipe with weight growth, the second has neither growth nor decay and
larger batches: what counts as trained is the lowest exact loss.
"""

import superscale as ss


def lowest_loss(features, m, seeds=(0, 1), late_steps=8000):
    """Return the exact losses of every run and phase, by name, and the model of the lowest."""
    found = {}
    for seed in seeds:
        first = ss.train(features, m, seed=seed)
        second = ss.train(
            features, m, seed=seed, model=first.model, weight_decay=0.0, steps=late_steps,
            batch=256, late_batch=512, learning_rate=3e-3,
        )  # fmt: skip
        for phase, run in (("growth", first), ("free", second)):
            loss = ss.population_loss(run.model, features, rtol=1e-5).loss
            found[f"seed {seed}, {phase}"] = (loss, run.model)
    name = min(found, key=lambda x: found[x][0])
    return {key: loss for key, (loss, _) in found.items()}, found[name][1]
