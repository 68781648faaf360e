"""Explicit systems of lines with exact overlaps; start with ``known``.

``equiangular_frames`` builds equiangular tight frames over ``finite_fields``; ``line_system`` is
what a construction returns.
"""
