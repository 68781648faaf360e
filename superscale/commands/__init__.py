"""The command line, one file a group of commands; start with ``app``.

``options`` has what commands share, ``output`` what they show and write.
"""
