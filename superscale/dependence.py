"""Features that depend on each other: forests of variables, fits to samples, first-order loss."""

from superscale.importing.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
