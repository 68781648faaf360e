"""What can be read back from a superposed state: recall laws, decoders, and searches in it."""

from superscale.importing.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
