"""How computations are run: threads of BLAS, and compiled kernels.

``one_thread`` limits BLAS and OpenMP to one thread; ``compiled`` compiles kernels, cached on disk
where that is possible.
"""
