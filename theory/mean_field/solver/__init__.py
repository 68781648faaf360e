"""The constrained minimum of the mean-field loss for given live features; start with ``minimise``.

``minimise`` runs the method of multipliers: rounds of ``step`` on a ``SolverState``. ``problem``
holds what is given, ``augmented_lagrangian`` the pure functions that are minimised and tested for
convergence, ``preconditioner`` the scaling of the variables, ``options`` every constant.
"""
