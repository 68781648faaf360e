"""Load public names when they are first used, so that ``import superscale`` is quick.

A stub file (``.pyi``) beside a module is the only list of its public names: type checkers and
editors read it, and ``attach`` reads it when the module is imported.
"""

import ast
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from superscale.importing import own_packages


def listing(stub: Path) -> dict[str, str]:
    """Return the module that each public name of a stub file comes from.

    Parameters
    ----------
    stub
        A file of ``from module import name as name`` lines.

    Examples
    --------
    >>> listing(Path(__file__).parents[1].joinpath("packings.pyi"))["pack"]
    'numerics.packings.search'
    """
    tree = ast.parse(stub.read_text(encoding="utf-8"))
    return {
        alias.name: str(node.module)
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name
    }


def attach(
    module: str, file: str
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return ``__getattr__``, ``__dir__`` and ``__all__`` of a module that has a stub.

    Parameters
    ----------
    module, file
        The module's ``__name__`` and ``__file__``.
    """
    homes = listing(Path(file).with_suffix(".pyi"))

    def load(name: str) -> Any:
        if name not in homes:
            raise AttributeError(
                f"module {module!r} has no attribute {name!r}", name=name, obj=sys.modules[module]
            )
        value = _load(homes[name], name)
        setattr(sys.modules[module], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[module]), *homes})

    return load, names, sorted(homes)


def _load(home: str, name: str) -> Any:
    """Import a name, or a namespace if its home is the package itself."""
    own_packages.check()
    try:
        if home == "superscale":
            return import_module(f"{home}.{name}")
        module = import_module(home)
        if not hasattr(module, name):
            raise ImportError(f"{home} has no {name!r}", name=home)
        return getattr(module, name)
    except ImportError as error:
        damage = own_packages.damage(error)
        if damage is None:
            raise
        raise ImportError(damage, name=error.name) from error
