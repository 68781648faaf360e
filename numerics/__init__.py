"""What the loss is for a given matrix: kernels and estimators over W and b, no training.

Use ``numerics.toy_model`` for the pair (W, b), ``numerics.sampling`` for sparse batches of
features, ``numerics.loss.monte_carlo`` for the loss on fresh samples.
"""

__part_of__ = "superscale"
