"""Loss against several axes at once: width, depth, tokens, and the best shape for a budget.

Start with ``fit.py`` (``fit_axes``); ``axes_fit.py`` is its result, ``shape.py`` plans a model
from it. ``law.py`` is the law and its objective, ``search.py`` finds the global optimum,
``profile.py`` its intervals, ``apart.py`` tells which axes the data cannot separate.
"""
