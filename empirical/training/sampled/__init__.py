"""Training of large models on the CPU: a step decodes some rows of W, drawn at random.

``kernels`` has the compiled step, ``steps`` the state of a run.
"""
