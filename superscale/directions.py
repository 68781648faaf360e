"""Directions in R^m as a reference: random ones, and those that overlap least."""

from superscale.importing.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
