"""Scripts without a guard, started as people start them."""

import os
import subprocess
import sys
import threading

import pytest

from empirical.sweeps.workers import start_processes

QUICK = '**{"steps": 30, "batch": 8, "evaluation_samples": 500, "workers": 2}'
SWEEP = f"""\
from superscale import sweep
print("start")
grid = sweep({{"m": [4, 6], "n": 40}}, {QUICK})
print(grid.to_dataframe()["m"].tolist(), grid.failures)
"""
COMPARE = f"""\
from superscale import Frequencies, compare
print("start")
c = compare(Frequencies.power_law(40, 1.0), [4, 6], seeds=1, theory="weak", {QUICK})
print([row.m for row in c.rows], c.failures)
"""


@pytest.mark.parametrize(
    ("text", "words"), [(SWEEP, ["plain.py"]), (COMPARE, ["-m", "plain"])], ids=["sweep", "compare"]
)
def test_a_script_without_a_guard_runs_once(tmp_path, text, words):
    (tmp_path / "plain.py").write_text(text)
    done = subprocess.run(
        [sys.executable, *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout.splitlines() == ["start", "[4, 6] ()"], done.stderr
    assert done.returncode == 0 and "Error" not in done.stderr


def test_two_threads_start_processes_and_leave_main_as_it_was():
    spec, found = sys.modules["__main__"].__spec__, []

    def work(number):
        with start_processes(1) as pool:
            found.append(pool.submit(abs, number).result())

    threads = [threading.Thread(target=work, args=[number]) for number in (-1, -2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [1, 2]
    assert sys.modules["__main__"].__spec__ is spec
