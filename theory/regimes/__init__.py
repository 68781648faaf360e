"""The limits that can be solved in closed form; start with ``weak``.

``weak`` keeps the m features that cost most when lost, and ``weak_derivation`` derives its loss;
``published`` has the exponents that arXiv 2505.10465 claims for strong superposition;
``equiangular`` and ``hard_wall`` are strong superposition with one active feature at a time, on the
single-feature losses of ``one_active``.
"""
