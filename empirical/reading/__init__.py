"""Superposed states of trained or measured directions; start with ``tokens``.

``tokens`` says how many tokens of a language model can be superposed and read, ``learning``
recovers directions from states alone by expectation maximisation or dictionary learning.
"""
