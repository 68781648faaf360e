"""Frequency against rank: laws, and their fits to counts; start with ``zipf_exponent``.

``laws`` has the formulas, ``fits`` the maximum-likelihood fit of each.
"""
