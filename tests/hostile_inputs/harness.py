"""Calls of a function with values that it may not take, and what is wrong with what happens."""

import dataclasses
import math
import signal
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

import superscale as ss
from theory.results import same

from .values import SCALARS, arrays, is_array, is_number, same_arrays, same_numbers

ROOT = Path(__file__).parents[2]
ROOMS = tuple(str(ROOT / room) for room in ("theory", "numerics", "empirical", "superscale"))
SECONDS = 10  # of processor time, for one call


class Hang(BaseException):
    """The time of one call is over."""


def holds_nan(value):
    """Return whether there is a NaN in a result."""
    if isinstance(value, float):
        return math.isnan(value)
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "fc" and bool(np.isnan(value).any())
    if isinstance(value, pd.DataFrame | pd.Series):
        return bool(np.any(pd.isna(value)))
    if isinstance(value, dict):
        return any(map(holds_nan, value.values()))
    if isinstance(value, tuple | list):
        return any(map(holds_nan, value))
    if dataclasses.is_dataclass(value):
        return any(holds_nan(getattr(value, f.name)) for f in dataclasses.fields(value))
    return False


PRIVATE = {"projection", "profile", "points", "best", "options", "progress"}


def equal(one, two):
    """Return whether two results agree; times and sources may differ."""
    if isinstance(one, tuple | list):
        return len(one) == len(two) and all(map(equal, one, two))
    if dataclasses.is_dataclass(one) and type(one) is type(two):
        names = {f.name for f in dataclasses.fields(one)} - {
            "seconds",
            "begun_at",
            "features",
            "runs",
        }
        shown_alike = hasattr(one, "seconds") or repr(one) == repr(two)
        return shown_alike and all(equal(getattr(one, n), getattr(two, n)) for n in names - PRIVATE)
    if isinstance(one, np.ndarray) and one.dtype != np.asarray(two).dtype:
        two = np.asarray(two).astype(one.dtype)  # a row in another form, put into order
    if isinstance(one, float):
        return bool(np.isclose(one, two, rtol=1e-6, equal_nan=True))
    if isinstance(one, np.ndarray) and one.dtype.kind == "f":
        return np.shape(one) == np.shape(two) and np.allclose(one, two, 1e-6, equal_nan=True)
    if isinstance(one, ss.unembeddings.RowMatrix):
        return np.array_equal(one.read(0, 12), two.read(0, 12))
    if callable(one) or type(one).__module__.startswith(("torch", "empirical.training.optimizer")):
        return True
    return one is two or same(one, two)


@contextmanager
def limit():
    """Stop what takes too long."""

    def stop(*_):
        raise Hang

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def raised_by_us(error):
    """Return whether the last frame of a traceback is in our rooms."""
    trace = error.__traceback__
    while trace.tb_next:
        trace = trace.tb_next
    return trace.tb_frame.f_code.co_filename.startswith(ROOMS)


def attempt(function, arguments, argument):
    """Call; return the result, or ``None``, and what is wrong with what happened, or ``""``."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            with limit():
                result = function(**arguments)
        except (ValueError, TypeError, OSError) as error:
            said = str(error)
            if not raised_by_us(error) and not isinstance(error, OSError):
                return None, f"{type(error).__name__} of a library: {said}"
            if len(said) > 700 or len(said.splitlines()) > 8:
                return None, f"a message of {len(said)} characters: {said[:200]}"
            if not names(argument, said):
                return None, f"the message does not name {argument}: {said}"
            return None, ""
        except Hang:
            return None, f"no answer in {SECONDS} s"
        except Exception as error:
            if type(error).__name__ in dir(ss.errors) and raised_by_us(error):
                return None, ""
            return None, f"{type(error).__name__}: {error}"
    foreign = [one for one in told if not one.filename.startswith(ROOMS)]
    foreign = [one for one in foreign if "torch.jit" not in str(one.message)]  # of torch's own code
    foreign += [one for one in told if issubclass(one.category, RuntimeWarning)]
    return result, f"warning: {foreign[0].message}" if foreign else ""


WORDS = {
    "W": ("matrix", "row", "active"), "state": ("W",), "transpose": ("rows",),
    "array": ("matrix", "rows"), "features": ("Frequencies", "p"),
    "texts": ("text",), "model": ("ToyModel",),
    "path": ("file", "No such", "column", ".npz", ".txt"),
    "source": ("format", "exist", "matrix", "rows"), "shares": ("share",), "ranks": ("rank",),
    "curves": ("curve",), "X": ("features",),
    "tokens": ("token",), "rows": ("row",), "counts": ("count", "rank", "top"), "loss": ("points",),
    "numbers": ("column",),
    "over": ("law",), "name": ("measurement", "reference"),
    "seeds": ("seed",),
    "sources": ("source", "format", "exist"), "checkpoint": ("cannot write",),
    "theory": ("theories",), "tokenizer": ("file",),
    **dict.fromkeys(("x", "y", "group", "label", "cluster", "stderr", "weight"), ("column",)),
}  # fmt: skip


def names(argument, said):
    return any(word in said for word in (argument, *WORDS.get(argument, ())))


def tries(name, value):
    """Yield what to put in the place of an argument, and whether it is the same as that."""
    if is_array(value):
        yield from ((other, "same") for other in same_arrays(value))
        yield from ((other, "bad") for other in arrays(value))
    elif is_number(value):
        yield from ((other, "same") for other in same_numbers(value))
    yield from ((other, "bad") for other in SCALARS)


def faults_of(name, function, arguments):
    """Return every fault of a function, over its arguments."""
    usual = function(**arguments)
    faults = {}
    for argument, value in arguments.items():
        for other, kind in tries(argument, value):
            before = np.asarray(other).tobytes() if isinstance(other, np.ndarray) else None
            result, fault = attempt(function, {**arguments, argument: other}, argument)
            if not fault and result is not None:
                if kind == "same" and not equal(result, usual):
                    fault = "another result"
                elif kind == "bad" and name not in ANY_ENTRIES and passes_over(other, result):
                    fault = "a NaN, a masked or a complex number is passed over"
            if before is not None and not fault and before != np.asarray(other).tobytes():
                fault = "the argument is changed"
            if kind == "same" and not fault and result is None and usual is not None:
                fault = "refused" if is_array(value) and not odd(other) else ""
            if fault:
                faults[f"{argument} = {show(other)}"] = fault
    return faults


def odd(value):
    """Return whether an array may be refused although its numbers are right."""
    return isinstance(value, np.ma.MaskedArray) or getattr(value, "dtype", None) == np.dtype(object)


ANY_ENTRIES = {
    "Frequencies.as_given",
    "Frequencies.by_rank",
    "Frequencies.from_description",
    "Features.from_description",
    "unembeddings.RowMatrix",
}


def passes_over(value, result):
    """Return whether a value has an entry that is no number of ours, and the result does not."""
    return hides_nan(value) and not holds_nan(result)


def hides_nan(value):
    if isinstance(value, np.ma.MaskedArray):
        return bool(np.ma.getmaskarray(value).any())
    if isinstance(value, np.ndarray) and value.dtype.kind == "c":
        return True
    return isinstance(value, complex) or (
        isinstance(value, float | np.ndarray) and holds_nan(value)
    )


def show(value):
    return " ".join(f"{type(value).__name__} {value!r}"[:70].split())
