"""Packages of others that load at their first use: a command that shows no table saves pandas."""

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any


class _Deferred(ModuleType):
    """Stands for a package until an attribute of it is read."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        value = getattr(import_module(self.__name__), name)
        setattr(self, name, value)
        return value


def defer(name: str) -> None:
    """Let ``import name`` return a module that loads when an attribute of it is first read.

    For programs of our own only: in a process of the user's, packages load as they always do.

    Examples
    --------
    >>> defer("this_package_is_not_installed")
    >>> defer("sys")                              # loaded already
    """
    if name not in sys.modules and find_spec(name) is not None:
        sys.modules[name] = _Deferred(name)
