"""Training on a torch device without waiting for the CPU; start with ``many_steps``.

``sampler`` draws sparse batches on the device, ``many_steps`` takes the steps of several models.
"""
