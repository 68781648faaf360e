"""Unembeddings of language models; start with ``report``.

``unembedding`` finds the tensor by ``names`` in the files of a model (``checkpoints``,
``torch_file``, ``hub``); ``family`` sets several models side by side; ``row_norms`` are their
norms.
"""
