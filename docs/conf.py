"""The site: ``python -m sphinx -W -b html docs build/site`` builds it, without network.

It needs the extra ``docs``. Pages are MyST Markdown; the reference is generated from the public
names and the command line (``_extensions/``), the gallery by running ``examples/``. Nothing that a
page shows comes from another host: MathJax is copied from a Python package.
"""

import os
import sys
from importlib.resources import files
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_extensions"), str(HERE.parent)]
# Examples run one after the other, each with one thread: numbers and times do not depend on cores.
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import other_projects  # noqa: E402

import superscale  # noqa: E402

project = "superscale"
author = "superscale maintainers"
html_show_copyright = False
version = release = superscale.__version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "reference_pages",
    "theories_table",
]
exclude_patterns = ["_extensions", "gallery/*.ipynb", "gallery/*.py"]
suppress_warnings = ["config.cache"]  # the gallery's sort key is a class

html_theme = "furo"
html_title = f"superscale {version}"
html_static_path = ["_static"]
# The explorer: one file that needs nothing else, at the root of the site.
html_extra_path = ["../superscale/explorer/explorer.html"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False

# Pages are Markdown that GitHub shows too.
myst_enable_extensions = ["amsmath", "dollarmath"]
smartquotes = False  # they would turn the dashes of options into one
myst_heading_anchors = 3

# One script that draws formulas as SVG: no fonts to load.
html_static_path.append(str(files("mathjax") / "static" / "mathjax" / "es5" / "tex-svg.js"))
mathjax_path = "tex-svg.js"

autodoc_typehints = "none"  # types are in the docstrings
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_preprocess_types = False

intersphinx_mapping = other_projects.write_inventories(HERE.parent / "build" / "inventories")

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "within_subsection_order": "gallery_order.BySubject",
    "download_all_examples": False,
    "show_signature": False,
    "min_reported_time": 1,
    "remove_config_comments": True,
    "reset_argv": "reference_pages.no_arguments",
    "write_computation_times": False,
}
