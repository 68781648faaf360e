"""How a loss falls with data, parameters, depth and training time, for given frequencies.

``comparison.py`` sets all of these beside the width: start there (``compare_mechanisms``).
``occurrences.py`` has the losses over data and parameters, ``gradient_flow.py`` over training time,
``random_energy.py`` over the training time of a softmax with a peaked target, ``averaging.py`` over
depth. Each has its loss as a number, its exponent derived by symbols, and a simulation.
"""
