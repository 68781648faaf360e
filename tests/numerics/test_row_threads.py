"""Threads over rows: the same numbers for any number of threads, and a child may be forked."""

import multiprocessing
import os

import numba
import numpy as np
import pytest

import superscale as ss
from numerics.row_threads import in_threads, over_rows, thread_count

RNG = np.random.default_rng(0)
WORDS = ss.Frequencies.power_law(50, 1.0)
MODEL = ss.ToyModel(0.5 * RNG.standard_normal((50, 8)), np.full(50, -0.1))


def numbers():
    exact = ss.population_loss(MODEL, WORDS, gradient=True)
    one_hot = ss.population_loss(MODEL, WORDS, sampling="one_hot")
    found = ss.overlaps(MODEL.W)
    return exact.loss, exact.gradient_W.sum(), one_hot.loss, found.mean_square, found.skewness


def send(pipe):
    pipe.send(numbers())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is not there")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_goes_on(monkeypatch):
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 2)
    here = numbers()
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=send, args=(sender,))
    child.start()
    assert receiver.poll(60)
    assert receiver.recv() == here
    child.join()
    assert child.exitcode == 0


def test_any_number_of_threads_gives_the_same(monkeypatch):
    found = []
    for threads in (1, 2):
        monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", threads)
        found.append(numbers())
    assert found[0] == pytest.approx(found[1], rel=1e-12)


def test_slices_are_joined_in_order(monkeypatch):
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 2)
    x = np.arange(7)
    assert over_rows(7, lambda s: x[s]).tolist() == x.tolist()
    both = over_rows(1, lambda s: (x[:1][s], -x[:1][s]))
    assert [part.tolist() for part in both] == [[0], [0]]
    assert in_threads(0, lambda k: k) == []
    assert 1 <= thread_count() <= 2


def test_an_error_in_a_thread_is_raised_here():
    with pytest.raises(ZeroDivisionError):
        in_threads(3, lambda k: 1 // (k - 1))
