"""What the loss turns out to be: training, measuring, comparing with theory.

Use ``empirical.training.train`` to train the toy model, ``empirical.training.diagnostics`` to look
inside a trained one, ``empirical.comparisons.comparison`` to set theory beside experiment,
``empirical.comparisons.published`` for the published measurements. Only this package knows torch.
"""

__part_of__ = "superscale"
