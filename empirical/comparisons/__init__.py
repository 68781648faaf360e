"""Theory beside measured losses; start with ``trained``.

``trained`` compares with models trained on the spot, ``published`` with arXiv 2505.10465,
``shipped`` has the sweeps that come with the package, ``figures`` draws the published figures
again, ``bracket`` puts a loss between bounds; ``comparison`` is the common result.
"""
