"""Loss in closed form: weak superposition, equiangular rows, one active feature."""

from superscale.importing.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
