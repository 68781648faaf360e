"""Fits of loss curves; start with ``power_law``.

``loss_table`` and ``loss_points`` read the data; ``variable_projection`` finds the optimum;
``profile_likelihood``, ``resampling``, ``law_comparison`` and ``forecast`` follow from a
``power_law_fit``. ``exponent_fit`` is a plain slope; ``chinchilla`` fits two axes.
"""
