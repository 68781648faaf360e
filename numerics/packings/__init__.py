"""Arrangements of unit vectors with little overlap; start with ``search``.

``packing`` is its result, ``constructions`` are the explicit systems; ``starts``, ``symmetric``,
``descent``, ``basin_hopping`` and ``interior_point`` are the stages of a search, on the
``energies`` and ``kernels``; ``deadline`` is its time limit.
"""
