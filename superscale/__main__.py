"""Run the command line as ``python -m superscale``. Use it where scripts are not on the path."""

from superscale.commands.app import main

if __name__ == "__main__":
    main()
