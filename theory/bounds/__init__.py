"""What no arrangement of n vectors in R^m can beat; start with ``packing_bounds``.

``linear_programming`` finds certificates, ``certificates`` holds and verifies them on the exact
polynomials of ``gegenbauer``; ``loss_bounds`` turns them into a bound of the loss.
"""
