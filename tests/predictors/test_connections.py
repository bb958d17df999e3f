import numpy as np
import pytest

from predictors.paths.connections import connections, connections_of_fours, fours

SHAPES = [(3, 8), (5, 7), (1, 3), (4, 6, 3, 3), (2, 9, 1, 1), (3, 4, 5), (2, 3, 2, 2, 2), (6, 0), (2, 5, 300)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("density", [0.0, 0.4, 1.0])
def test_as_counted_one_by_one(shape, density):
    mask = np.random.default_rng(1).random(shape) < density
    out, inner = shape[:2]
    counted = [[np.count_nonzero(mask[row, column]) for column in range(inner)] for row in range(out)]
    np.testing.assert_array_equal(connections(mask), np.array(counted, np.float64).reshape(out, inner))
    turned = connections(mask.swapaxes(0, 1))  # as masks of transposed weights lie in memory
    np.testing.assert_array_equal(turned, np.array(counted, np.float64).reshape(out, inner).T)


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if all(shape)])
def test_fours_as_counted_one_by_one(shape):
    mask = np.random.default_rng(2).random(shape) < 0.6
    flat = mask.reshape(*shape[:2], -1)
    counted = [
        [int(flat[row, first : first + 4, place].sum()) for place in range(flat.shape[2])]
        for row in range(shape[0])
        for first in range(0, shape[1] // 4 * 4, 4)
    ]
    np.testing.assert_array_equal(connections_of_fours(mask), np.array(counted, np.uint8).reshape(-1, flat.shape[2]))


def test_sums_of_fours():
    np.testing.assert_array_equal(fours(np.arange(16.0).reshape(1, 2, 8)), [[[6, 22], [38, 54]]])


@pytest.mark.parametrize("shape", [(0, 8), (1, 0, 4), (2, 3, 0)])
def test_sums_of_no_fours(shape):
    assert fours(np.zeros(shape)).shape == (*shape[:-1], shape[-1] // 4)


def test_large_masks_are_counted_in_parts_and_large_kernels_exactly():
    mask = np.random.default_rng(3).random((70, 90, 31, 31)) < 0.5
    np.testing.assert_array_equal(connections(mask), mask.sum(axis=(2, 3)))
    assert connections(np.ones((1, 1, 2**24 + 3), np.bool_)) == 2**24 + 3
