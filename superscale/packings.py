"""Packings of lines and points: bounds, certificates, constructions and searches."""

from superscale.importing.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
