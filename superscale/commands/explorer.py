"""The command that opens the explorer, a page without network: ``superscale explore``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from superscale.commands import options as opt
from superscale.commands.output import check_outputs, print_data, to_json, write


def explore(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Save the page as this .html file.")
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
    json: opt.Json = False,
) -> None:
    """Open the explorer: every theory's loss against width, beside trained models, with sliders.

    It is one HTML file that works without network; its mean-field values are interpolated.

    Example: superscale explore

    Example: superscale explore --output explorer.html --no-browser
    """
    import webbrowser

    from numerics.files import write_atomically
    from superscale.explorer import page

    where = Path(page.__file__).with_name(page.PAGE)
    if output is not None:
        check_outputs([output], (".html",))
        write(output, partial(write_atomically, data=where.read_bytes()))
        where = output.absolute()
    opened = browser and webbrowser.open(where.as_uri())
    if json:
        print_data(to_json({"page": str(where), "url": where.as_uri(), "opened": opened}) + "\n")
    elif opened:
        print(f"opened {where}")
    else:
        print(f"open this file in a browser: {where}")
