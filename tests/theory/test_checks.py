import numpy as np
import pytest

from theory.checks import check_finite, check_integer, check_real, check_widths, read_only


@pytest.mark.parametrize("value", [3, 3.0, np.int64(3), np.float32(3)])
def test_integers_of_every_kind(value):
    assert check_integer("n", value) == 3


@pytest.mark.parametrize("value", [0, -1, 2.5, float("nan"), float("inf"), 11])
def test_integers_out_of_range_name_the_value(value):
    with pytest.raises(
        ValueError, match=r"n = .* is not allowed: give a whole number from 1 to 10"
    ):
        check_integer("n", value, 1, 10)


@pytest.mark.parametrize("value", ["3", None, True, [3], b"3"])
def test_integers_of_the_wrong_kind(value):
    with pytest.raises(TypeError, match="is not a number"):
        check_integer("n", value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1, 2.1])
def test_reals_out_of_range(value):
    with pytest.raises(ValueError, match=r"x = .* a finite number of at least 0 and of at most 2"):
        check_real("x", value, 0, 2)


@pytest.mark.parametrize("value", ["1", None, True, [1.0]])
def test_reals_of_the_wrong_kind(value):
    with pytest.raises(TypeError):
        check_real("x", value)


def test_widths():
    assert check_widths(5, 10).tolist() == [5]
    assert check_widths(range(1, 4), 10).tolist() == [1, 2, 3]
    assert check_widths(np.array(5), 10).tolist() == check_widths([np.array(5)], 10).tolist() == [5]
    for bad in ([], [0], [11], [2.5]):
        with pytest.raises(ValueError):
            check_widths(bad, 10)
    with pytest.raises(TypeError):
        check_widths("5", 10)


def test_arrays():
    for bad in ([], [1, np.inf], [[1, 2]]):
        with pytest.raises(ValueError):
            check_finite("x", bad)
    with pytest.raises(TypeError):
        check_finite("x", ["a"])


def test_read_only_leaves_the_original_writable():
    array = np.zeros(3)
    view = read_only(array)
    with pytest.raises(ValueError):
        view[0] = 1
    array[0] = 1
    assert view[0] == 1
