"""The solved theory of strong superposition; start with ``solve``.

``solve`` calls ``augmented_lagrangian`` on ``groups`` of features, with a ``preconditioner``, and
carries solutions to finer groups by ``prolongation``; ``state`` is what passes between them.
``interference`` evaluates the loss, ``antipodal`` is an exact special case, ``solution`` the result
and ``derivation`` its text.
"""
