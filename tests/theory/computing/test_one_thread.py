import numpy as np
import threadpoolctl

from theory.computing.one_thread import one_thread


def threads():
    """Of BLAS: other pools may have been loaded since ``one_thread`` first looked."""
    pools = threadpoolctl.threadpool_info()
    return [pool["num_threads"] for pool in pools if pool["user_api"] == "blas"]


def test_one_thread_inside_and_the_callers_setting_after():
    np.ones((2, 2)) @ np.ones((2, 2))
    with threadpoolctl.threadpool_limits(2):
        before = threads()
        with one_thread():
            assert set(threads()) == {1}
            with one_thread():  # nested
                assert set(threads()) == {1}
            assert set(threads()) == {1}
        assert threads() == before
