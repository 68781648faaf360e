"""How much the rows of a matrix overlap; start with ``statistics``.

``result`` is what it returns, ``treatments`` compares raw, centred and projected rows, ``spectrum``
has the singular values, ``cross_entropy`` what overlaps cost a language model; ``unit_rows`` and
``pair_kernels`` do the sums.
"""
