"""Published measurements of arXiv 2505.10465, beside ours."""

from superscale.importing.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
