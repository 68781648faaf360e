"""Lines in complex space C^d with little overlap; start with ``search``.

``complex_packing`` is the result: bounds, the format of public tables, an exact coherence.
"""
