"""The solved theory of strong superposition; start with ``solve``.

``solve`` finds the number of live features on coarse ``groups`` (``live_features``), prolongs that
solution to fine groups (``prolongation``), minimises there (``solver``) and reports the result
(``evaluation``, ``solution``). ``interference`` evaluates the loss, ``antipodal`` is an exact
special case, ``derivation`` the text of the theory.
"""
