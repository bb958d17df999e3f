"""Spectral measures on graphs worked by hand, and the patterns that choose by them."""

import math

import numpy as np
import pytest

from search_spaces import InvalidOptionError
from search_spaces.masks import MaskLayer
from search_spaces.masks.expander import expander
from search_spaces.masks.full_spectrum import full_spectrum as full_spectrum_pattern
from search_spaces.masks.ramanujan import ramanujan
from search_spaces.masks.random_pattern import random
from search_spaces.masks.spectrum import full_spectrum, imdb_gap, ramanujan_gap, weighted_gap
from search_spaces.masks.trade import trade

SQUARE = MaskLayer(name="w", shape=(48, 48))


def rng(seed=0):
    return np.random.default_rng(seed)


def complete(*blocks):
    """Disjoint complete bipartite graphs of those sizes, out units × in units."""
    mask = np.zeros(np.sum(blocks, axis=0), dtype=bool)
    row = column = 0
    for out, inputs in blocks:
        mask[row : row + out, column : column + inputs] = True
        row, column = row + out, column + inputs
    return mask


def near(value):
    # Singular values come from the Gram matrix: a zero is good to 1e-7 only.
    return pytest.approx(value, abs=1e-6)


def test_gap_of_complete_graphs_is_the_bound():
    # K(5, 4): in units have degree 5, out units 4, the matrix of ones has rank one, μ = 0.
    assert ramanujan_gap(complete((5, 4))) == near(math.sqrt(4) + math.sqrt(3))
    assert ramanujan_gap(complete((4, 5))) == near(math.sqrt(3) + math.sqrt(4))


def test_second_part_takes_the_whole_gap():
    # Two K(4, 4): both singular values are 4, gap 2·√3 - 4.
    assert ramanujan_gap(complete((4, 4), (4, 4))) == near(2 * math.sqrt(3) - 4)


def test_gap_of_a_smaller_second_part():
    # K(4, 4) and K(3, 3): 25 edges on 7 units of a side, singular values 4 and 3.
    assert ramanujan_gap(complete((4, 4), (3, 3))) == near(2 * math.sqrt(25 / 7 - 1) - 3)


def test_units_without_edges_do_not_count():
    mask = np.zeros((9, 7), dtype=bool)
    mask[2:7, 1:5] = True
    assert ramanujan_gap(mask) == near(2 + math.sqrt(3))
    assert imdb_gap(mask) == near(2 + math.sqrt(3))


def test_sparse_graphs_have_no_gap():
    star = np.ones((1, 9), dtype=bool)  # degrees 9 and 1
    ring = np.eye(6, dtype=bool) | np.roll(np.eye(6, dtype=bool), 1, axis=1)  # degrees 2 and 2
    for mask in (star, ring, np.zeros((4, 4), dtype=bool)):
        assert math.isnan(ramanujan_gap(mask))
        assert math.isnan(imdb_gap(mask))


def test_imdb_is_the_mean_over_in_units_of_a_degree():
    # In units of degree 4 make K(4, 4), gap 2·√3, those of degree 3 make K(3, 3), gap 2·√2.
    assert imdb_gap(complete((4, 4), (3, 3))) == near(math.sqrt(3) + math.sqrt(2))


def test_imdb_leaves_out_in_units_of_low_degree():
    wider = np.hstack([complete((4, 4)), np.eye(4, 1, dtype=bool)])  # one more in unit, with a single edge
    assert imdb_gap(wider) == imdb_gap(complete((4, 4)))
    assert ramanujan_gap(wider) != pytest.approx(ramanujan_gap(complete((4, 4))))


def test_imdb_takes_the_in_units_as_left_side():
    # In units: three of degree 6 make K(6, 3), three of degree 4 make K(4, 3).
    mask = np.ones((6, 6), dtype=bool)
    mask[4:, 3:] = False
    first, second = math.sqrt(5) + math.sqrt(2), math.sqrt(3) + math.sqrt(2)
    assert imdb_gap(mask) == near((first + second) / 2)
    # Out units: four of degree 6 make K(6, 4); with two of degree 3 the other side's degree is 2, no gap.
    assert imdb_gap(mask.T) == near(math.sqrt(5) + math.sqrt(3))


def test_weighted_gap_is_that_of_absolute_values():
    # A star of weights has one singular value, its length: 3² + 4² = 5².
    assert weighted_gap(np.array([[3.0, -4.0]])) == near(5)
    assert weighted_gap(np.diag([2.0, -7.0, 3.0])) == near(7 - 3)
    blocks = 0.5 * complete((4, 4), (3, 3))
    assert weighted_gap(blocks) == near(2 - 1.5)
    blocks[0, 0] = -0.5
    assert weighted_gap(blocks) == near(2 - 1.5)


def test_full_spectrum_is_gap_imdb_and_their_weighted_kin():
    mask = complete((4, 4), (3, 3))
    expected = [2 * math.sqrt(18 / 7) - 3, math.sqrt(3) + math.sqrt(2), 2 * (4 - 3), 2 * (4 + 3) / 2]
    weights = np.full(mask.shape, -2.0)
    assert full_spectrum(mask, weights).tolist() == near(expected)
    weights[~mask] = 99.0
    assert full_spectrum(mask, weights).tolist() == near(expected)
    weights[0, 0] = 5.0
    assert full_spectrum(mask, weights).tolist()[:2] == near(expected[:2])
    assert full_spectrum(mask, weights)[2] > expected[2] + 0.1


def test_full_spectrum_is_zero_where_nothing_is_defined():
    assert full_spectrum(np.eye(3, dtype=bool), np.eye(3)).tolist() == near([0, 0, 0, 0])


def test_kernels_are_folded_into_the_in_axis():
    # 4 filters on one channel with 5 places of a kernel: K(4, 5).
    assert ramanujan_gap(np.ones((4, 1, 5), dtype=bool)) == near(math.sqrt(3) + 2)
    kernel = random(MaskLayer(name="w", shape=(12, 3, 3, 3), kind="conv"), 200, rng())
    assert full_spectrum(kernel, np.ones(kernel.shape)).tolist() == pytest.approx(
        full_spectrum(kernel.reshape(12, 27), np.ones((12, 27))).tolist()
    )


@pytest.mark.parametrize("shape", [(48, 48), (40, 64), (64, 40)])
def test_ramanujan_beats_chance_and_a_single_draw(shape):
    layer, nnz = MaskLayer(name="w", shape=shape), 6 * max(shape)
    gaps = {
        (pattern, *options): [ramanujan_gap(pattern(layer, nnz, rng(seed), **dict(options))) for seed in range(12)]
        for pattern, options in ((random, ()), (ramanujan, ()), (ramanujan, (("draws", 1),)))
    }
    by_chance, best, single = gaps.values()
    assert min(best) > max(by_chance)
    assert all(more >= one for more, one in zip(best, single, strict=True))
    assert np.mean(best) > np.mean(single) + 0.04


def test_more_draws_never_lower_the_gap():
    gaps = [ramanujan_gap(ramanujan(SQUARE, 200, rng(3), draws=draws)) for draws in (1, 4, 16)]
    assert gaps == sorted(gaps)
    assert gaps[0] < gaps[-1]


def test_trades_keep_degrees_and_reach_every_graph():
    # Two of three rows trade, each round; all 0/1 matrices with row sums 1, 1, 2 and column sums 2, 1, 1.
    graph = np.array([[1, 0, 0], [0, 1, 0], [1, 0, 1]], dtype=bool)
    seen, stream = [], rng()
    for _ in range(1000):
        graph = trade(graph, stream)
        assert graph.sum(axis=1).tolist() == [1, 1, 2]
        assert graph.sum(axis=0).tolist() == [2, 1, 1]
        seen.append(graph.tobytes())
    # Row 2 is 011, the others 100; or 110 or 101, and of the others one is 100, the other what is left: 1 + 2 · 2.
    shares = [seen.count(one) / 1000 for one in set(seen)]
    assert sorted(shares) == pytest.approx([0.2] * 5, abs=0.05)


def test_a_single_unit_cannot_trade():
    graph = np.array([[True, False, True]])
    assert (trade(graph, rng()) == graph).all()


def test_ramanujan_stays_near_regular():
    mask = ramanujan(MaskLayer(name="w", shape=(20, 30)), 200, rng())
    assert set(mask.sum(axis=1)) == {10}
    assert set(mask.sum(axis=0)) == {6, 7}


def test_ramanujan_below_degree_three_is_the_expander():
    layer = MaskLayer(name="w", shape=(10, 20))
    assert (ramanujan(layer, 59, rng()) == expander(layer, 59, rng())).all()
    chosen = [ramanujan(layer, 60, rng(seed)) for seed in range(5)]
    assert any((mask != expander(layer, 60, rng(seed))).any() for seed, mask in enumerate(chosen))


def test_full_spectrum_pattern_goes_farther_than_chance():
    # Weights are the first numbers of a stream, so that one draw and eight are measured with the same ones.
    def distance(draws, seed):
        mask = full_spectrum_pattern(SQUARE, 400, rng(seed), draws=draws)
        coordinates = [full_spectrum(kept, weights(seed)) for kept in (mask, np.ones((48, 48), dtype=bool))]
        return np.linalg.norm(coordinates[0] - coordinates[1])

    def weights(seed):
        stream = rng(seed)
        radius, angle = stream.random((48, 48)), stream.random((48, 48))
        return np.sqrt(2 / 48) * np.sqrt(-2 * np.log(1 - radius)) * np.cos(2 * np.pi * angle)

    assert np.std(weights(0)) == pytest.approx(math.sqrt(2 / 48), rel=0.05)
    pairs = [(distance(1, seed), distance(8, seed)) for seed in range(6)]
    assert all(one <= eight for one, eight in pairs)
    assert sum(one < eight for one, eight in pairs) >= 4


@pytest.mark.parametrize("pattern", [ramanujan, full_spectrum_pattern])
@pytest.mark.parametrize("draws", [0, -1, 1.5, True, "many"])
def test_draws_are_a_count(pattern, draws):
    with pytest.raises(InvalidOptionError, match="'draws'"):
        pattern(SQUARE, 288, rng(), draws=draws)
