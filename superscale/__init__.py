"""Why does loss fall with model width, and how far will it fall? The public names.

``Frequencies`` says how often features occur, ``predict`` gives the loss by every theory, ``train``
trains the toy model, ``compare`` sets both side by side, ``population_loss`` is the exact loss of a
given model, ``overlaps`` measures how much the rows of a matrix interfere. Namespaces hold the rest
by subject: ``regimes``, ``directions``, ``packings``, ``published``, ``scaling_laws``,
``unembeddings`` and ``counts``.

Examples
--------
>>> import superscale as ss
>>> words = ss.Frequencies.power_law(n=1000, alpha=1.0)
>>> ss.predict(words, m=[10, 100], theory="weak").loss["weak"].round(3)
array([0.81 , 0.409])
"""

import sys
from pathlib import Path

from superscale.importing import own_packages
from superscale.importing.lazy_names import attach

__version__ = "0.1.0"

# The command line looks for itself (see __main__), to end with one line and no traceback.
if Path(sys.argv[0] if sys.argv else "").stem not in ("-m", "superscale"):
    own_packages.check()

__getattr__, __dir__, __all__ = attach(__name__, __file__)
