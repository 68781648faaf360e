"""What the loss turns out to be: training, measuring, comparing with theory.

Use ``empirical.training`` to train the toy model, ``empirical.measurement`` to look inside a
trained one, ``empirical.comparison`` to set theory beside experiment, ``empirical.reference`` for
the published measurements. Only this package knows torch.
"""
