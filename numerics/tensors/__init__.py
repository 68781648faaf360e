"""Matrices in files and arrays, read by blocks of rows; start with ``row_matrix``.

``stored`` describes a tensor in a file; ``safetensors_file``, ``gguf_file`` and
``ctranslate2_file`` read one format each.
"""
