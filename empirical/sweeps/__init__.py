"""Grids of training runs; start with ``sweep``.

``grid`` expands the axes, ``workers`` runs them in processes, ``store`` keeps finished runs,
``result`` is the table of all of them.
"""
