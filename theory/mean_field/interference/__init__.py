"""The mean-field loss of given norms, biases and overlap laws; start with ``expected_loss``.

``overlap_laws`` holds the laws of the overlaps between groups and their constraints, ``quadrature``
the rules of the loss's integrals, ``kernels`` the compiled sums.
"""
