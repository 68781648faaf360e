"""A package that is deferred loads at its first use, and is then itself."""

import subprocess
import sys

import numpy as np

DEFERRED = """
import sys
from superscale.importing.lazy_packages import defer
defer("pandas")
import pandas as pd
import pandas
print("pandas.core" in sys.modules)
print(pd.DataFrame({"x": [1, 2]}).x.sum(), "pandas.core" in sys.modules)
from pandas.api.types import is_numeric_dtype
import pandas
print(pandas.DataFrame is pd.DataFrame)
"""
COMMAND = """
import sys
from superscale.commands.app import run
run(["overlaps", "W.npy"])
print(*(name for name in ("pandas", "sympy") if f"{name}.core" in sys.modules))
"""


def run(code, folder):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_deferred_package(tmp_path):
    assert run(DEFERRED, tmp_path).split() == ["False", "3", "True", "True"]


def test_a_command_without_a_table_loads_neither_pandas_nor_sympy(tmp_path):
    np.save(tmp_path / "W.npy", np.eye(3) + 0.5)
    assert run(COMMAND, tmp_path).endswith("\n\n")
