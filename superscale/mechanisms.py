"""How a loss falls with data, parameters, depth and training time, beside the width."""

from superscale.importing.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
