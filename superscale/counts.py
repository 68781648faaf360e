"""Token counts: read or make them, fit rank-frequency laws, predict exponents."""

from superscale.importing.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
