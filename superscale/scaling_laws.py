"""Fits of measured losses: power laws with a floor, Chinchilla surfaces, forecasts."""

from superscale.importing.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
