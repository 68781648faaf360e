"""Build the explorer's page from its parts: ``build_page``.

After a change of a part, ``python -m superscale.explorer.page`` writes explorer.html again.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

# In the order in which the page runs them.
SCRIPTS = ("closed_forms.js", "interpolation.js", "chart.js", "app.js")
PAGE = "explorer.html"


def read_part(name: str) -> str:
    """Return the text of a file of this package.

    Examples
    --------
    >>> read_part("page.css").startswith("/*")
    True
    """
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def build_page() -> str:
    """Return the page: style, table and scripts in one HTML text.

    Returns
    -------
    str
        HTML that refers to no other file and no other host.

    Examples
    --------
    >>> build_page().startswith("<!doctype html>")
    True
    """
    table = json.loads(read_part("table.json"))
    trained = table.pop("trained")
    script = "\n".join(
        [
            f"const TABLE = {_literal(table)};",
            f"const TRAINED = {_literal(trained)};",
            *(read_part(name).replace('"use strict";\n', "") for name in SCRIPTS),
        ]
    )
    page = read_part("page.html").replace("{{style}}", read_part("page.css").strip())
    return page.replace("{{script}}", '"use strict";\n' + script.strip())


def _literal(value: object) -> str:
    """Return a JavaScript literal that may stand in an HTML script."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).replace("</", "<\\/")


if __name__ == "__main__":
    Path(__file__).with_name(PAGE).write_text(build_page(), encoding="utf-8")
