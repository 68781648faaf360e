"""Checks of arguments, at the functions that users call; inner functions assume good input.

Each returns the value in the type that a formula needs, and raises ``TypeError`` for the wrong kind
of value, ``ValueError`` for a value out of range.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Entry = TypeVar("Entry", bound=np.generic)
# The largest count: whole numbers beyond it are not exact as floats.
LARGEST = 2**53
# The most random draws, or steps of a simulation: more take days.
MOST_DRAWS = 10**9
# The most resamples, starts, repetitions or models that one call makes: more take days.
MOST_REPEATS = 10**6
# Which features are active together: each independently, or exactly one (or none).
Sampling = Literal["bernoulli", "one_hot"]
# A float for scalar input, an array for arrays.
Numbers = float | NDArray[np.float64]


def shown(value: object) -> str:
    """Return a value as one short line, for a message.

    Examples
    --------
    >>> shown(np.zeros((2, 2))), shown("x"), len(shown(10**400))
    ('array([[0., 0.], [0., 0.]])', "'x'", 60)
    """
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # an integer of more digits than Python prints
        text = f"a number of {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:59]}…"


def check_choice(name: str, value: object, choices: Iterable[str]) -> str:
    """Return ``value`` if it is one of some names.

    Examples
    --------
    >>> check_choice("kind", "lines", ("lines", "code"))
    'lines'
    >>> check_choice("kind", 2, ("lines", "code"))
    Traceback (most recent call last):
        ...
    ValueError: kind = 2 is not allowed: give 'lines' or 'code'
    """
    known = list(choices)
    if not isinstance(value, str) or value not in known:
        *most, last = map(repr, known)
        allowed = f"{', '.join(most)} or {last}" if most else last
        raise ValueError(f"{name} = {shown(value)} is not allowed: give {allowed}")
    return value


def check_sampling(sampling: str, density: float) -> bool:
    """Return whether exactly one feature is active at a time, which needs E <= 1.

    Examples
    --------
    >>> check_sampling("one_hot", density=1.0), check_sampling("bernoulli", density=3.0)
    (True, False)
    >>> check_sampling("one-hot", density=1.0)
    Traceback (most recent call last):
        ...
    ValueError: sampling = 'one-hot' is not allowed: give 'bernoulli' or 'one_hot'
    """
    check_choice("sampling", sampling, ("bernoulli", "one_hot"))
    if sampling == "one_hot" and density > 1 + 1e-12:
        raise ValueError(
            f"E = {density:g} with one active feature at a time (one_hot): E is at most 1"
        )
    return sampling == "one_hot"


def check_integer(name: str, value: object, low: int = 1, high: float = LARGEST) -> int:
    """Return ``value`` as an ``int`` in ``[low, high]``; ``high=math.inf`` for no limit.

    Examples
    --------
    >>> check_integer("n", 10.0)
    10
    >>> check_integer("m", 0)
    Traceback (most recent call last):
        ...
    ValueError: m = 0 is not allowed: give a whole number of at least 1
    """
    allowed = f"a whole number of at least {low}"
    if high != math.inf and high != LARGEST:
        allowed = f"a whole number from {low} to {high}"
    if isinstance(value, (bool, np.bool_, str, bytes)):
        raise TypeError(f"{name} = {shown(value)} is not a number: give {allowed}")
    try:
        whole = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        if not isinstance(value, (float, np.floating)):
            raise TypeError(f"{name} = {shown(value)} is not a number: give {allowed}") from None
        if not float(value).is_integer():
            raise ValueError(f"{name} = {shown(value)} is not allowed: give {allowed}") from None
        whole = int(value)
    if whole > high == LARGEST:
        raise ValueError(f"{name} = {shown(whole)} is not allowed: give at most 2^53")
    if not low <= whole <= high:
        raise ValueError(f"{name} = {shown(whole)} is not allowed: give {allowed}")
    return whole


def as_generator(seed: np.random.Generator | int) -> np.random.Generator:
    """Return the generator that a seed stands for: itself, or one seeded with the integer.

    Examples
    --------
    >>> as_generator(0).integers(100)
    np.int64(85)
    """
    if isinstance(seed, np.random.Generator):
        return seed
    return np.random.default_rng(check_integer("seed", seed, 0, math.inf))


def check_real(
    name: str,
    value: object,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    strict: bool = False,
) -> float:
    """Return ``value`` as a finite ``float`` in ``[low, high]``, or in ``(low, high]`` if strict.

    Examples
    --------
    >>> check_real("alpha", 1)
    1.0
    >>> check_real("density", 0, low=0, strict=True)
    Traceback (most recent call last):
        ...
    ValueError: density = 0 is not allowed: give a finite number above 0
    """
    if isinstance(value, (bool, np.bool_, str, bytes)) or np.ma.is_masked(value):
        raise TypeError(f"{name} = {shown(value)} is not a number")
    if isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim):
        raise TypeError(f"{name} = {shown(value)} is not a number: give one number")
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise TypeError(f"{name} = {shown(value)} is not a number") from None
    except OverflowError:
        number = math.inf
    inside = (low < number if strict else low <= number) and number <= high
    if not math.isfinite(number) or not inside:
        allowed = _finite_number(low, high, strict)
        raise ValueError(f"{name} = {shown(value)} is not allowed: give {allowed}")
    return number


def check_widths(m: object, n: int) -> NDArray[np.int64]:
    """Return the widths ``m`` (a number or several) as a 1-D array with 1 <= m <= n.

    Examples
    --------
    >>> check_widths([10, 25], n=100)
    array([10, 25])
    >>> check_widths(200, n=100)
    Traceback (most recent call last):
        ...
    ValueError: m = 200 is not allowed: give a whole number from 1 to 100 (the number of features n)
    """
    if isinstance(m, set | frozenset | Mapping):
        raise TypeError(f"m = {shown(m)} is not allowed: give a width, or a list of widths")
    several = isinstance(m, Iterable) and not isinstance(m, (str, bytes))
    values: list[Any] = list(m) if several and getattr(m, "ndim", True) else [m]  # type: ignore[call-overload]
    values = [v.item() if isinstance(v, np.ndarray) and v.size == 1 else v for v in values]
    if not values:
        raise ValueError("m is empty: give at least one width, as m=[10, 25, 63]")
    try:
        return np.array([check_integer("m", value, 1, n) for value in values], dtype=np.int64)
    except ValueError as error:
        raise ValueError(f"{error} (the number of features n)") from None


def check_numbers(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return ``values`` as a float64 array of any shape; NaN and infinity may be in it.

    Complex numbers, strings, dates, ``None`` and masked entries are refused, which numpy would
    convert or pass over.

    Examples
    --------
    >>> check_numbers("t", [1, 2])
    array([1., 2.])
    >>> check_numbers("t", np.array([1j]))
    Traceback (most recent call last):
        ...
    TypeError: t = array([0.+1.j]) has entries that are no real numbers
    """
    try:
        array = np.asarray(values)
        entries = array.ravel().tolist() if array.dtype.kind == "O" else []
        if array.dtype.kind not in "biufO" or any(isinstance(x, str | bytes) for x in entries):
            raise TypeError
        if np.ma.is_masked(values):
            raise TypeError
        return np.asarray(array, dtype=np.float64)
    except OverflowError:
        raise ValueError(f"{name} = {shown(values)} has a number beyond 1e308") from None
    except (TypeError, ValueError):
        raise TypeError(f"{name} = {shown(values)} has entries that are no real numbers") from None


def broadcast_numbers(**given: ArrayLike) -> list[NDArray[np.float64]]:
    """Return several arguments as float64 arrays of one shape, in the order given.

    Examples
    --------
    >>> broadcast_numbers(n=[7, 9], m=3)
    [array([7., 9.]), array([3., 3.])]
    >>> broadcast_numbers(n=[7, 9], m=[1, 2, 3])
    Traceback (most recent call last):
        ...
    ValueError: n and m have shapes (2,) and (3,): give numbers, or arrays of one shape
    """
    arrays = [check_numbers(name, values) for name, values in given.items()]
    try:
        return [np.array(one) for one in np.broadcast_arrays(*arrays)]
    except ValueError:
        shapes = " and ".join(str(one.shape) for one in arrays)
        raise ValueError(
            f"{' and '.join(given)} have shapes {shapes}: give numbers, or arrays of one shape"
        ) from None


def check_finite(
    name: str,
    values: ArrayLike,
    ndim: int | None = 1,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    strict: bool = False,
) -> NDArray[np.float64]:
    """Return ``values`` as a float64 array of finite numbers, not empty.

    It has ``ndim`` axes (any number for ``None``), and entries in ``[low, high]``, or in
    ``(low, high]`` if strict.

    Examples
    --------
    >>> check_finite("counts", [3, 2, float("nan")])
    Traceback (most recent call last):
        ...
    ValueError: counts[2] = nan is not allowed: every entry must be a finite number
    >>> check_finite("t", [[3], [-1]], ndim=None, low=0)
    Traceback (most recent call last):
        ...
    ValueError: t[1, 0] = -1.0 is not allowed: every entry must be a finite number of at least 0
    """
    array = check_numbers(name, values)
    if ndim is not None and array.ndim != ndim:
        wanted = {1: "a one-dimensional array", 2: "a matrix"}[ndim]
        raise ValueError(f"{name} has shape {array.shape}: give {wanted}")
    if array.size == 0:
        raise ValueError(f"{name} is empty: give at least one number")
    inside = (array > low if strict else array >= low) & (array <= high)
    bad = np.argwhere(~(np.isfinite(array) & inside))
    if len(bad):
        first = tuple(bad[0].tolist())
        place = f"[{', '.join(map(str, first))}]" if first else ""
        raise ValueError(
            f"{name}{place} = {array[first]} is not allowed: every entry must be "
            f"{_finite_number(low, high, strict)}"
        )
    return array


def _finite_number(low: float, high: float, strict: bool) -> str:
    """Return the words for what ``check_real`` and ``check_finite`` allow."""
    parts = []
    if low > -math.inf:
        parts.append(f"{'above' if strict else 'of at least'} {low:g}")
    if high < math.inf:
        parts.append(f"of at most {high:g}")
    return " ".join(["a finite number", " and ".join(parts)]).strip()


def check_importance(importance: ArrayLike | None, n: int) -> NDArray[np.float64] | None:
    """Return n importances, each at least 0 and not all of them 0; None where all are 1.

    Examples
    --------
    >>> check_importance([1, 0.5], n=2), check_importance([1, 1], n=2)
    (array([1. , 0.5]), None)
    """
    if importance is None:
        return None
    values = check_finite("importance", importance)
    if values.shape != (n,):
        raise ValueError(
            f"importance has shape {values.shape}: give one number for each of the {n} features"
        )
    negative = np.flatnonzero(values < 0)
    if negative.size:
        i = negative[0]
        raise ValueError(f"importance[{i}] = {values[i]:g} is not allowed: it is at least 0")
    if not values.any():
        raise ValueError("every importance is 0: give at least one above 0")
    return None if (values == 1).all() else read_only(values.copy())


def scalar_like(values: NDArray[np.float64], *inputs: ArrayLike) -> Numbers:
    """Return a float if every input was a scalar, the array otherwise.

    Examples
    --------
    >>> scalar_like(np.array(2.0), 1), scalar_like(np.array([2.0]), [1])
    (2.0, array([2.]))
    """
    return values if any(map(np.ndim, inputs)) else float(values.item())


def read_only(array: NDArray[Entry]) -> NDArray[Entry]:
    """Return ``array`` with writing switched off (a view: the caller's own array stays writable).

    Examples
    --------
    >>> read_only(np.zeros(2)).flags.writeable
    False
    """
    view = array.view()
    view.flags.writeable = False
    return view
