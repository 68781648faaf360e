"""Exceptions that are raised, and that a program may want to catch."""

from superscale.importing.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
