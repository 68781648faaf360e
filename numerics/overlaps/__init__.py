"""Overlaps of the rows of a matrix; start with ``statistics``.

``result`` is what it returns, ``treatments`` compares raw, centred and projected rows, ``spectrum``
computes the singular values, ``cross_entropy`` the loss that overlaps cause in a language model;
``unit_rows`` and ``pair_kernels`` compute the sums.
"""
