"""The explorer: one HTML file that draws every theory's loss against width, without network.

``explorer.html`` is what ``superscale explore`` opens and the site includes. ``page.py`` builds it
from ``page.html``, ``page.css``, the scripts and ``table.json``, the mean-field solutions that
``studies/explorer`` computed.
"""
