"""Finite fields, quadratic characters and the Golay code, for explicit constructions.

``FiniteField(q)`` is arithmetic on arrays of elements (numbered 0 … q - 1, 0 and 1 being zero and
one); ``golay_words()`` returns the 4096 words of the extended binary Golay code.
"""

from __future__ import annotations

import itertools
from functools import cache, lru_cache

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from theory.checks import check_integer

# Largest order of a field here: its tables hold every element.
LARGEST_FIELD = 4096

# Numbers of elements of a field, or their quadratic characters.
Elements = NDArray[np.int64]


def factor_prime_power(q: int) -> tuple[int, int] | None:
    """Return (p, k) with q = p^k, p prime; None if q is no prime power.

    Examples
    --------
    >>> factor_prime_power(125), factor_prime_power(12)
    ((5, 3), None)
    """
    if q < 2:
        return None
    if sp.isprime(q):
        return q, 1
    power = sp.perfect_power(q)  # with the largest exponent
    return (int(power[0]), int(power[1])) if power and sp.isprime(power[0]) else None


class FiniteField:
    """GF(q) by tables: element number Σ c_i p^i stands for the polynomial Σ c_i x^i.

    Parameters
    ----------
    q : int
        A prime power, at most 4096.

    Raises
    ------
    ValueError
        If q is no prime power.

    Examples
    --------
    >>> field = FiniteField(9)
    >>> int(field.multiply(3, 3)), field.character[[0, 1, 3]]    # x² = 1 + x, x no square
    (4, array([ 0,  1, -1]))
    """

    def __init__(self, q: int) -> None:
        self.q = check_integer("q", q, 2, LARGEST_FIELD)
        found = factor_prime_power(self.q)
        if found is None:
            raise ValueError(f"q = {q} is not allowed: give a prime power")
        self.p, self.k = found
        digits = np.array(list(itertools.product(range(self.p), repeat=self.k)))[:, ::-1]
        self._digits = digits
        self._places = self.p ** np.arange(self.k)
        powers = self._find_generator()
        # Powers of a primitive element: multiplication is addition of logarithms.
        self._power = np.r_[powers, powers]
        self._log = np.zeros(self.q, dtype=np.int64)
        self._log[powers] = np.arange(self.q - 1)
        character = np.where(self._log % 2 == 0, 1, -1)
        character[0] = 0
        # Quadratic character: 1 for squares, -1 for others, 0 for zero (odd q).
        self.character = character

    def _find_generator(self) -> NDArray[np.int64]:
        """Return the powers of x modulo some polynomial of degree k that makes x primitive."""
        p, k, q = self.p, self.k, self.q
        for low in itertools.product(range(p), repeat=k):
            if k == 1:
                step, current, powers = low[0], 1, []
                for _ in range(q - 1):
                    powers.append(current)
                    current = current * step % p
            else:
                element, powers = [1, *[0] * (k - 1)], []
                for _ in range(q - 1):
                    powers.append(sum(c * p**i for i, c in enumerate(element)))
                    top = element[-1]
                    shifted = [0, *element[:-1]]
                    element = [(a + top * b) % p for a, b in zip(shifted, low, strict=True)]
            if len(set(powers)) == q - 1 and 0 not in powers:
                return np.array(powers)
        raise AssertionError("every finite field has a primitive element")

    def add(self, a: Elements | int, b: Elements | int) -> Elements:
        """Return a + b, elementwise."""
        total: Elements = ((self._digits[a] + self._digits[b]) % self.p) @ self._places
        return total

    def subtract(self, a: Elements | int, b: Elements | int) -> Elements:
        """Return a - b, elementwise."""
        difference: Elements = ((self._digits[a] - self._digits[b]) % self.p) @ self._places
        return difference

    def multiply(self, a: Elements | int, b: Elements | int) -> Elements:
        """Return a b, elementwise."""
        a, b = np.asarray(a), np.asarray(b)
        return np.where((a == 0) | (b == 0), 0, self._power[self._log[a] + self._log[b]])

    def power(self, a: Elements | int, k: int) -> Elements:
        """Return a^k for k >= 1, elementwise."""
        a = np.asarray(a)
        return np.where(a == 0, 0, self._power[self._log[a] * k % (self.q - 1)])


@cache
def field(q: int) -> FiniteField:
    """Return GF(q), built once."""
    return FiniteField(q)


@lru_cache(maxsize=1)
def golay_words() -> NDArray[np.int8]:
    """Return the 4096 words of the extended binary Golay code, one in each row of 24 bits.

    The first 23 places are the cyclic code of the quadratic residues modulo 23, the last is parity.

    Examples
    --------
    >>> np.bincount(golay_words().sum(axis=1))[[0, 8, 12, 16, 24]]
    array([   1,  759, 2576,  759,    1])
    """
    residues = {i * i % 23 for i in range(1, 23)}
    seed = np.array([int(i in residues) for i in range(23)])  # the code's idempotent
    rows = [np.roll(seed, shift) for shift in range(23)]
    words = {tuple([0] * 23)}
    for row in rows:
        if tuple(row) not in words:
            words |= {tuple((np.array(word) + row) % 2) for word in words}
        if len(words) >= 4096:
            break
    table = np.array(sorted(words), dtype=np.int8)
    extended: NDArray[np.int8] = np.c_[table, table.sum(axis=1) % 2].astype(np.int8)
    return extended
