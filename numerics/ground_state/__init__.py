"""The least loss that W and b can reach, and what its features look like; start with ``search``.

``objective`` is the exact loss as a function to descend, ``descent`` finds and polishes local
minima, ``starts`` says where they begin; ``state`` holds the result, ``dimensionality`` measures
the share of a dimension that a feature has, and ``phases`` follows minima over two parameters.
"""
