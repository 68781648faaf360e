"""Training toy models; start with ``train``.

``settings`` and ``recipes`` say how, ``steps`` (compiled, on ``fused_kernels``) and ``torch_steps``
take the steps, ``optimizer`` updates the rows, ``checkpoint`` resumes; ``run`` is the result and
``diagnostics`` what it represents. ``train_many`` trains models of one shape together, on
``devices``.
"""
