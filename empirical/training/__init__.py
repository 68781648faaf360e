"""Training toy models; start with ``train``.

``settings`` and ``recipes`` say how, ``steps`` (torch) and ``fused_kernels`` (compiled) take the
steps, ``optimizer`` updates the rows, ``checkpoint`` resumes; ``run`` is the result and
``diagnostics`` what it represents. ``train_many`` trains models of one shape together.
"""
