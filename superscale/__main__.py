"""Run the command line: ``superscale``, or ``python -m superscale`` where scripts are not found."""

import sys
from pathlib import Path

from superscale.importing import own_packages


def main() -> None:
    """Run the command line; a file that hides one of our packages ends it with one line."""
    try:
        own_packages.check()
    except ImportError as error:
        sys.exit(f"superscale: {error}")
    from superscale.commands.app import main as run

    run()


if __name__ == "__main__":
    # ``python -m`` puts the working folder first on the path. A command imports nothing from
    # there, so that a file theory.py in it does no harm.
    if not sys.flags.safe_path and Path(sys.path[0]).resolve() != own_packages.ROOT:
        del sys.path[0]
    main()
