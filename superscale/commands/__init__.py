"""The command line, one file a group of commands; ``app`` has the table of commands.

``options`` has what commands share, ``output`` what they show and write.
"""
