"""Distributions: exact counts per layer, worked by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces.candidate import MaskRecipe
from search_spaces.errors import InvalidOptionError
from search_spaces.masks import MaskLayer, counts
from search_spaces.masks.allocation import allocate


def layers_of(*shapes):
    return [
        MaskLayer(name=f"w{i}", shape=shape, kind="conv" if len(shape) > 2 else "dense")
        for i, shape in enumerate(shapes)
    ]


def counted(distribution, density, *shapes, **options):
    recipe = MaskRecipe(distribution=distribution, density=density, options=options)
    return list(counts(recipe, layers_of(*shapes)).values())


def test_uniform_gives_every_layer_the_same_density():
    assert counted("uniform", 0.25, (4, 8), (2, 4), (6, 2)) == [8, 2, 3]


def test_remainder_goes_to_the_largest_fraction_and_ties_go_in_order():
    # density 0.3: 3.0 + 1.5 + 1.5 of 10, 5, 5 weights; 6 in all: 3 + 1 + 1 and one more for the first tie.
    assert counted("uniform", 0.3, (2, 5), (1, 5), (1, 5)) == [3, 2, 1]
    # 2.4 + 3.6 + 1.2 of 8, 12, 4; round(7.2) = 7: 7/24 each gives 2.33, 3.5, 1.17, the largest fraction is the second's.
    assert counted("uniform", 0.3, (2, 4), (3, 4), (1, 4)) == [2, 4, 1]


def test_erk_worked_numbers():
    # Relative densities (2+2)/4 = 1 and (8+8)/64 = 1/4; 17 = ε·(4·1 + 64/4), ε = 0.85: 3.4 and 13.6.
    assert counted("erk", 0.25, (2, 2), (8, 8)) == [3, 14]


def test_erk_makes_small_layers_dense():
    # 34 = ε·20, ε = 1.7 > 1: the first is set dense, the second gets the other 30 of its 64.
    assert counted("erk", 0.5, (2, 2), (8, 8)) == [4, 30]


def test_erk_solves_again_until_no_layer_is_over():
    # Relative densities 1, 1/2, 1/8 of 4, 16, 256 weights; 0.5·276 = 138 = ε·(4 + 8 + 32): ε = 3.1, the first two are
    # over (1 and 1/2 times 3.1); 138 - 20 = 118 are left for the third.
    assert counted("erk", 0.5, (2, 2), (4, 4), (16, 16)) == [4, 16, 118]
    # Density 0.29: 80 = ε·44, ε = 1.82: only the first is over; 76 = ε·40, ε = 1.9: 15.2 + 60.8. The second, at 0.95,
    # would be over had ε been a little larger: density 0.32, 88 → 84 = ε·40, ε = 2.1 → 16 and 68.
    assert counted("erk", 0.29, (2, 2), (4, 4), (16, 16)) == [4, 15, 61]
    assert counted("erk", 0.32, (2, 2), (4, 4), (16, 16)) == [4, 16, 68]


def test_er_leaves_the_kernel_out_and_erk_takes_it_in():
    shapes = (4, 2, 3, 3), (12, 12)
    # ER: 6/8 of 72 and 24/144 of 144 → 54 : 24; 43 = ε·78 → 29.8, 13.2. ERK: 12/72 and 24/144, alike → 14.3, 28.7.
    assert counted("er", 0.2, *shapes) == [30, 13]
    assert counted("erk", 0.2, *shapes) == [14, 29]


def test_erk_on_the_demo_network_matches_the_paper_formula():
    shapes = (100, 64), (100, 100), (10, 100)
    found = counted("erk", 0.05, *shapes)
    exact = np.array([164, 200, 110]) * 870 / 474  # ε · (out + in), all below dense
    assert sum(found) == 870
    assert np.abs(found - exact).max() < 1


def test_per_layer_takes_ratios():
    # 1 : 3 of 10 weights each, 8 in all: 2 and 6; the scale has no effect.
    assert counted("per-layer", 0.4, (2, 5), (2, 5), densities=[1, 3]) == [2, 6]
    assert counted("per-layer", 0.4, (2, 5), (2, 5), densities=[0.2, 0.6]) == [2, 6]


def test_per_layer_goes_on_with_its_last_value_and_drops_what_is_over():
    assert counted("per-layer", 0.5, (1, 8), (1, 8), (1, 8), densities=[1, 2.5]) == [2, 5, 5]
    assert counted("per-layer", 0.5, (1, 8), (1, 8), densities=[1, 3, 100]) == [2, 6]


def test_per_layer_fills_a_layer_at_most():
    assert counted("per-layer", 0.6, (1, 10), (1, 10), densities=[1e-300, 1e300]) == [2, 10]
    assert counted("per-layer", 1.0, (1, 10), (1, 10), densities=[1e-300, 1]) == [10, 10]


def test_no_layer_is_left_empty_while_one_each_is_possible():
    # 6 of 1,003: all belong to the large layer by size, yet each of the small ones gets one.
    assert counted("uniform", 0.006, (10, 100), (1, 1), (1, 2)) == [4, 1, 1]
    # 2 for three layers is not enough: the largest fractions win.
    assert counted("uniform", 0.002, (10, 100), (1, 1), (1, 2)) == [2, 0, 0]


def test_gated_layer_counts_by_its_stacked_shape():
    layers = [MaskLayer(name="w", shape=(12, 4), kind="recurrent", gates=3), MaskLayer(name="out", shape=(2, 4))]
    # 16/48 of 48 and 6/8 of 8: 16 : 6; 11 = ε·22.
    assert list(counts(MaskRecipe(distribution="erk", density=0.2), layers).values()) == [8, 3]


def test_n_m_counts_stay_within_what_fits():
    # 2:4 holds 8 of (4, 4) and 16 of (4, 8). ERK at 0.45 gives 22 = ε·(8 + 12): 8.8 is over, so 8 and 14.
    layers = layers_of((4, 4), (4, 8))
    assert list(counts(MaskRecipe(distribution="erk", pattern="n:m", density=0.45), layers).values()) == [8, 14]
    assert list(counts(MaskRecipe(distribution="erk", pattern="n:m", density=1.0), layers).values()) == [8, 16]


shapes = st.one_of(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.tuples(st.integers(1, 8), st.integers(1, 8), st.integers(1, 3), st.integers(1, 3)),
)


@settings(max_examples=150, deadline=None)
@given(
    shapes=st.lists(shapes, min_size=1, max_size=8),
    density=st.floats(1e-4, 1.0),
    distribution=st.sampled_from(["uniform", "er", "erk", "per-layer"]),
    densities=st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=9),
)
def test_counts_are_exact_for_any_network(shapes, density, distribution, densities):
    options = {"densities": densities} if distribution == "per-layer" else {}
    found = counted(distribution, density, *shapes, **options)
    sizes = [int(np.prod(shape)) for shape in shapes]
    assert sum(found) == round(density * sum(sizes))
    assert all(0 <= count <= size for count, size in zip(found, sizes, strict=True))
    assert min(found) > 0 or sum(found) < len(shapes)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_allocation_is_within_one_of_the_exact_share(data):
    scores = np.array(data.draw(st.lists(st.floats(0.1, 10.0), min_size=1, max_size=6)))
    sizes = data.draw(st.lists(st.integers(20, 200), min_size=len(scores), max_size=len(scores)))
    total = data.draw(st.integers(len(scores) * 20, sum(sizes)))
    found = np.array(allocate(scores, sizes, sizes, total))
    free = found < np.array(sizes) - 1  # a full layer may lose one to the rounding of the total
    # Layers below their size share one ε: count = ε · score · size within the rounding of one.
    low, high = (((found + step) / (scores * sizes))[free] for step in (-1.001, 1.001))
    assert found.sum() == total
    assert not free.any() or low.max() <= high.min() or found.min() == 1
    full = (scores * sizes)[~free]  # full, or one below: no more than their ε gives, within the rounding of one
    assert not free.any() or (high[:, np.newaxis] * full >= found[~free] - 1.001).all()


@pytest.mark.parametrize("wrong", [[], [0.0], [1, -1], ["a"], [float("nan")], [True], 0.5, "1", [10**400]])
def test_per_layer_refuses_densities_that_are_none(wrong):
    with pytest.raises(InvalidOptionError, match=r"option 'densities' of distribution 'per-layer' is .*above 0"):
        counted("per-layer", 0.5, (2, 2), densities=wrong)
