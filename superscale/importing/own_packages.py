"""Whether ``theory``, ``numerics`` and ``empirical`` are superscale's own packages.

The names are common ones. A file or folder of that name earlier on ``sys.path`` (beside a script or
a notebook) hides the package, and another distribution can overwrite it. ``check`` turns either
into one line that names the file and says what to do.
"""

from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("theory", "numerics", "empirical")
# Each of the three packages carries this line; a package that lacks it is someone else's.
_MARK = '__part_of__ = "superscale"'


def check() -> None:
    """Make sure that the three names mean superscale's own packages.

    Raises
    ------
    ImportError
        If a file, a folder or a module in memory hides one of them, or one is missing or
        overwritten; the message is one line.

    Examples
    --------
    >>> check()
    """
    for name in NAMES:
        problem = _problem(name)
        if problem:
            raise ImportError(problem, name=name)


def damage(error: ImportError) -> str | None:
    """Return what to do about an import that failed within superscale's own packages.

    Nothing is returned for a module of someone else's that is missing (an optional dependency).
    """
    package = (error.name or "").split(".")[0]
    if package not in (*NAMES, "superscale"):
        return None
    return f"this installation of superscale is damaged ({error}): {_reinstall(package)}"


def _problem(name: str) -> str | None:
    try:
        spec = find_spec(name)
    except ValueError:  # a module made by hand: it has no spec
        return f"a module {name!r} already in memory hides superscale's own: rename it"
    if spec is None:
        return f"superscale's own package {name!r} is missing from {ROOT}: reinstall superscale"
    if (ROOT / name) not in _folders(spec):
        place = _place(spec)
        remedy = "rename it, or run from another folder"
        if {"site-packages", "dist-packages"} & set(place.parts):
            remedy = _reinstall(name)
        return f"{place} hides superscale's own package {name!r}: {remedy}"
    source = getattr(spec.loader, "get_source", lambda _: None)(name)
    if source is not None and _MARK not in source:
        return f"{ROOT / name / '__init__.py'} is not superscale's: {_reinstall(name)}"
    return None


def _folders(spec: ModuleSpec) -> list[Path]:
    return [Path(folder).resolve() for folder in spec.submodule_search_locations or ()]


def _place(spec: ModuleSpec) -> Path:
    """Return the file, or the folder if the module is one, that the name leads to."""
    folders = _folders(spec)
    return folders[0] if folders else Path(str(spec.origin))


def _reinstall(name: str) -> str:
    from importlib.metadata import packages_distributions

    others = sorted({*packages_distributions().get(name, ())} - {"superscale"})
    if not others:
        return "reinstall superscale"
    shown = " and ".join(map(repr, others))
    return f"{shown} installs a package {name!r} too; install superscale in another environment"
