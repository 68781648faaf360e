"""Matrices in files and arrays, read by blocks of rows; start with ``row_matrix``.

``formats`` is the table of file formats, with one reader module each; ``stored`` describes a tensor
in a file.
"""
