"""Kernels run where no cache can be written, and that is said once."""

import os
import subprocess
import sys
import warnings
from types import SimpleNamespace

import pytest

from theory.computing import compiled as module
from theory.computing.compiled import UncachedWarning, compiled


def square(x):
    return x * x


def test_without_a_folder_for_the_cache(monkeypatch):
    plain = module.numba.njit

    def njit(cache=False, **options):
        if cache:  # as numba says it
            raise RuntimeError("cannot cache function 'square': no locator available for file")
        return plain(**options)

    monkeypatch.setattr(module, "numba", SimpleNamespace(njit=njit))
    monkeypatch.setattr(module, "_SAID", [])
    with pytest.warns(UncachedWarning, match="set NUMBA_CACHE_DIR"):
        kernel = compiled()(square)
    assert kernel(3.0) == 9.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # said once
        assert compiled(fastmath=True)(square)(2.0) == 4.0


def test_a_part_of_kernels_runs_from_python_too():
    def _half(x, y):
        return x / y

    half = compiled()(_half)

    def outer(x, y):
        return half(x, y) + 1

    assert half(3.0, 2.0) == 1.5
    assert not half.signatures  # uncompiled
    assert module.numba.njit(outer)(3.0, 2.0) == 2.5
    assert len(half.signatures) == 1


def test_parts_whose_sums_may_be_reordered_are_inlined():
    """A call could reach the copy of the part's own module, which is compiled in another way."""

    def _part(x):
        return x.sum()

    assert compiled(fastmath=True)(_part).targetoptions["forceinline"]
    assert compiled(fastmath={"reassoc"})(_part).targetoptions["forceinline"]
    assert not compiled()(_part).targetoptions["forceinline"]


BITS = """
import hashlib
from theory.activation import UNIFORM
from theory.frequencies import Frequencies
from theory.mean_field.groups import group_features
from theory.mean_field.solver.augmented_lagrangian import loss_at, rule_at
from theory.mean_field.solver.method_of_multipliers import initialise
from theory.mean_field.solver.problem import Problem

problem = Problem(group_features(Frequencies.power_law(1000, 1.75)), 25.0, UNIFORM)
point = initialise(problem).point
for level in (0, 1, 2):
    found = loss_at(problem, rule_at(problem, point, level), point)
    slopes = found.r.tobytes() + found.b.tobytes() + found.t.tobytes()
    print(found.loss.hex(), hashlib.md5(slopes).hexdigest())
"""


@pytest.mark.slow
def test_a_kernel_gives_the_same_bits_compiled_and_loaded(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    runs = [
        subprocess.run(
            [sys.executable, "-c", BITS],
            capture_output=True,
            text=True,
            env=environment,
            check=True,
        )
        for _ in range(2)
    ]
    assert len(runs[0].stdout.splitlines()) == 3
    assert runs[0].stdout == runs[1].stdout


def test_a_division_by_zero_is_infinite():
    assert compiled()(divide)(1.0, 0.0) == float("inf")


def divide(x, y):
    return x / y


def test_with_one_nothing_is_said():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compiled()(square)(3.0) == 9.0


def test_other_errors_are_not_hidden(monkeypatch):
    def fail(**options):
        raise RuntimeError("something else")

    monkeypatch.setattr(module, "numba", SimpleNamespace(njit=fail))
    with pytest.raises(RuntimeError, match="something else"):
        compiled()(square)


@pytest.mark.skipif(getattr(os, "getuid", lambda: 1)() != 0, reason="only root can be another user")
def test_a_user_without_a_home_and_a_read_only_installation(tmp_path):
    code = (
        "import os; os.setgid(2000); os.setuid(2000); os.environ['HOME'] = '/nonexistent'\n"
        "import numpy as np, superscale as ss\n"
        "print(round(ss.overlaps(np.eye(3) + 0.5).mean_square, 3))"
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("NUMBA_CACHE_DIR", "HOME")}
    shown = subprocess.run(
        [sys.executable, "-B", "-c", code], capture_output=True, text=True, env=environment, cwd="/"
    )
    if "No module named" in shown.stderr or "PermissionError" in shown.stderr:
        pytest.skip("the installation cannot be read by another user")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.strip() == "0.405"
    assert shown.stderr.count("no folder for compiled kernels can be written") == 1


PRIVATE = """
import time
from theory.computing.compiled import compiled

@compiled()
def _twice(x):
    return 2 * x

@compiled()
def outer(x):
    return _twice(x) + 1

print(outer(1.5))
"""


def run_kernels(tmp_path, code, **environment):
    """Run a module of ours whose kernels have an empty cache."""
    package = tmp_path / "numerics_like"
    package.mkdir(exist_ok=True)
    (package / "kernels.py").write_text(code)
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")} | environment
    start = (
        "import runpy, theory.computing.compiled as c; c._DELAY = {delay}; c._OURS = ('theory', "
    )
    start += "'__main__')\nrunpy.run_path({path!r}, run_name='__main__')"
    path = str(package / "kernels.py")
    return [
        subprocess.run(
            [sys.executable, "-c", start.format(delay=delay, path=path)],
            capture_output=True, text=True, env=environment,
        )
        for delay in (0.0, 1e9)
    ]  # fmt: skip


def test_what_compiles_says_so_once(tmp_path):
    said, silent = run_kernels(tmp_path, PRIVATE)
    assert said.stdout.strip() == silent.stdout.strip() == "4.0", said.stderr
    assert said.stderr.count("compiling kernels for this machine") == 1
    assert not silent.stderr
    (worker, _) = run_kernels(tmp_path, PRIVATE, SUPERSCALE_WORKER="1")
    assert not worker.stderr
