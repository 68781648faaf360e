"""Unembedding matrices of language models: open a checkpoint, measure its overlaps."""

from superscale.importing.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
