"""One thread of BLAS, OpenMP and numba in each process of the tests.

pytest-xdist starts a process for each core. With threads for every core in each of them they wait
for each other: some tests took ten times as long. It is set before numpy is imported, and taken
over by every process that a test starts; tests of threads ask for two themselves.
"""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
