"""Links to the documentation of other projects, without network.

``intersphinx`` reads an inventory of each project. Theirs would have to be fetched at every build;
these small ones are written from the table below: the names that our docstrings use, and the page
of each.
"""

import zlib
from pathlib import Path

# Project: address, and name -> (type, page). "$" stands for the name.
PROJECTS = {
    "python": (
        "https://docs.python.org/3/",
        {
            "concurrent.futures.Executor": ("class", "library/concurrent.futures.html#$"),
            "fractions.Fraction": ("class", "library/fractions.html#$"),
            "pathlib.Path": ("class", "library/pathlib.html#$"),
            "collections.abc.Mapping": ("class", "library/collections.abc.html#$"),
            "collections.abc.Sequence": ("class", "library/collections.abc.html#$"),
            "collections.abc.Callable": ("class", "library/collections.abc.html#$"),
            "ValueError": ("exception", "library/exceptions.html#$"),
            "TypeError": ("exception", "library/exceptions.html#$"),
            "OSError": ("exception", "library/exceptions.html#$"),
            "MemoryError": ("exception", "library/exceptions.html#$"),
        },
    ),
    "numpy": (
        "https://numpy.org/doc/stable/",
        {
            "numpy.ndarray": ("class", "reference/generated/$.html"),
            "numpy.memmap": ("class", "reference/generated/$.html"),
            "numpy.random.Generator": ("class", "reference/random/generator.html#$"),
        },
    ),
    "pandas": (
        "https://pandas.pydata.org/docs/",
        {
            "pandas.DataFrame": ("class", "reference/api/$.html"),
            "pandas.Series": ("class", "reference/api/$.html"),
        },
    ),
    "matplotlib": (
        "https://matplotlib.org/stable/",
        {
            "matplotlib.axes.Axes": ("class", "api/_as_gen/$.html"),
            "matplotlib.figure.Figure": ("class", "api/figure_api.html#$"),
        },
    ),
    "sympy": (
        "https://docs.sympy.org/latest/",
        {"sympy.core.expr.Expr": ("class", "modules/core.html#$")},
    ),
    "torch": (
        "https://docs.pytorch.org/docs/stable/",
        {"torch.Tensor": ("class", "tensors.html#$")},
    ),
}


def write_inventories(folder: Path) -> dict[str, tuple[str, str]]:
    """Write an inventory of each project; return the mapping that ``intersphinx`` takes."""
    folder.mkdir(parents=True, exist_ok=True)
    mapping = {}
    for project, (address, names) in PROJECTS.items():
        lines = "".join(
            f"{name} py:{kind} 1 {page} -\n" for name, (kind, page) in sorted(names.items())
        )
        head = f"# Sphinx inventory version 2\n# Project: {project}\n# Version: 0\n"
        head += "# The remainder of this file is compressed using zlib.\n"
        path = folder / f"{project}.inv"
        path.write_bytes(head.encode() + zlib.compress(lines.encode()))
        mapping[project] = (address, str(path))
    return mapping
