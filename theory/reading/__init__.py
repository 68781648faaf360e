"""What can be read back from a superposed state: recall laws, thresholds, required width.

k of n items are on, h = Σ x_i u_i is a state of m numbers, and item j is read by its score u_j·h.
Start with ``recall`` (``recall``, ``required_width``, ``max_active``); ``score_law`` has the joint
law of the scores behind it, ``combinations`` reads the AND of items, ``block_codes`` is for sparse
block codes, ``frontier`` for a search in a superposed state, ``derivation`` for the symbols.
"""
