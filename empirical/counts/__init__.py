"""Token counts and the laws that they follow; start with ``tokens``.

``table`` reads counts from files, ``token_counts`` holds them, ``zipf`` fits laws with the
``noise`` of repeated counts; ``zipf_comparison`` and ``width_exponents`` are what follows.
"""
