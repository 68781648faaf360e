"""Grids of training runs; start with ``sweep``.

``grid`` expands the axes, ``engine`` trains the cells, in the processes of ``workers`` or
``together`` on one device, ``store`` keeps finished runs, ``result`` is the table of all of them.
``compare`` runs on the same engine.
"""
