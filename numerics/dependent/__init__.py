"""Features that depend on each other, through a forest of categorical variables.

Start with ``loss``, the exact loss that ``population_loss`` calls. ``tree`` has the form in which
kernels take a forest; ``transform`` passes complex messages along it, ``plan`` chooses where,
``few_active`` has the closed parts, and ``samples`` draws batches.
"""
