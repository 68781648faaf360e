"""Lower bounds on the overlaps and on the loss of n vectors in R^m; start with ``packing_bounds``.

``linear_programming`` finds certificates; ``certificates`` holds and verifies them on the exact
polynomials of ``gegenbauer``; ``loss_bounds`` derives a bound of the loss from them.
"""
