"""Ctrl-C while a compiled kernel takes a generator raises, and is no segmentation fault."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from theory.computing.interrupts import interrupts_held

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")


@pytest.fixture(autouse=True)
def _handler():
    """Ctrl-C raises, even where the tests themselves run in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_waits_for_the_end_of_the_block():
    reached = []
    with pytest.raises(KeyboardInterrupt), interrupts_held():
        signal.raise_signal(signal.SIGINT)
        reached.append(True)
    assert reached
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_blocks_within_blocks():
    reached = []
    with pytest.raises(KeyboardInterrupt), interrupts_held():
        with interrupts_held():
            signal.raise_signal(signal.SIGINT)
        reached.append(True)
    assert reached


def test_an_ignored_signal_stays_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interrupts_held():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        signal.raise_signal(signal.SIGINT)


def test_other_threads_are_let_alone():
    seen = []

    def look():
        with interrupts_held():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


# Ctrl-C in the Python code by which numba reads a generator for the first time. Without
# ``interrupts_held`` around the kernel this is a segmentation fault.
PRESSED = """
import signal, sys
import numpy as np
from empirical.training.settings import TrainingSettings
from empirical.training.steps import FusedSteps
from theory.features import Features
from theory.frequencies import Frequencies

p = Frequencies.power_law(4, 1.0, 1.0)
features = Features.exclusive(p, [[0, 1]])
W, b, rates = np.eye(4, 2, dtype=np.float32), np.zeros(4, np.float32), np.zeros(1)

def take():
    rng = np.random.Generator(np.random.PCG64(0))
    return FusedSteps(W, b, features, rng, TrainingSettings(steps=10)).take(rates, rates, 0, 1)

def press(frame, event, argument):
    if event == "call" and "ctypes" in frame.f_code.co_filename:
        presses.append(frame)
        signal.raise_signal(signal.SIGINT)

take()
presses = []
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.setprofile(press)
try:
    take()
except KeyboardInterrupt:
    sys.setprofile(None)
    print(len(presses))
"""


def test_ctrl_c_while_a_kernel_takes_a_generator():
    done = subprocess.run(
        [sys.executable, "-c", PRESSED], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 1
