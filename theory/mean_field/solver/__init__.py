"""The constrained minimum of the mean-field loss for given live features; start with ``minimise``.

``minimise`` runs the method of multipliers: rounds of ``step`` on a ``SolverState``. ``problem``
holds what is given, ``state`` the values that rounds pass on, ``augmented_lagrangian`` the pure
functions that are minimised, ``preconditioner`` the scaling of the variables, ``convergence`` the
tests after each round, ``options`` every constant.
"""
