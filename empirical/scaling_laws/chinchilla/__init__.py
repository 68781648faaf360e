"""Loss over parameters and data; start with ``fit``.

``surface`` is the law that is fitted, ``width_exponent`` turns its exponent into one of the width.
"""
