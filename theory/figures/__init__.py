"""How every figure of the package looks; start with ``style``.

``style`` has colors, axes, legends and sizes, ``ticks`` the marks of logarithmic axes,
``loss_curve`` smooth curves between widths that were solved for.
"""
