"""Explicit systems of lines with exact overlaps; start with ``known``.

``equiangular_frames`` builds equiangular tight frames over ``finite_fields``; each construction
returns a ``line_system``.
"""
