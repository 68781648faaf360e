"""The expected loss of a given W and b; start with ``exact``.

``monte_carlo`` samples it. ``laplace_plan`` and ``laplace_kernels`` evaluate independent features,
``one_active_kernels`` one active feature at a time; ``law_table`` is the form in which all three
take the law of v, and ``report`` holds the result.
"""
