"""Recipes: repeated draws, different draws, refused recipes."""

import numpy as np
import pytest

from search_spaces.candidate import MaskRecipe
from search_spaces.errors import InvalidOptionError, UnknownNameError
from search_spaces.masks import MaskLayer, accepted_options, check, counts, draw

MLP = [
    MaskLayer(name=f"layers.{i}.weight", shape=shape)
    for i, shape in enumerate([(48, 64), (48, 48), (48, 48), (10, 48)])
]


def test_density_one_keeps_everything():
    for mask in draw(MaskRecipe(), MLP).values():
        assert mask.all()


def test_a_network_without_layers_has_no_masks():
    assert draw(MaskRecipe(density=0.5), []) == {}


def test_masks_belong_to_the_caller():
    masks = draw(MaskRecipe(density=0.5), MLP)
    masks["layers.0.weight"][:] = False
    assert draw(MaskRecipe(density=0.5), MLP)["layers.0.weight"].any()


def test_layers_of_one_shape_get_different_masks():
    masks = draw(MaskRecipe(density=0.3), MLP)
    assert (masks["layers.1.weight"] != masks["layers.2.weight"]).any()


def test_options_reach_pattern_and_distribution():
    options = {"densities": [1, 4], "size": 2}
    masks = draw(MaskRecipe(distribution="per-layer", pattern="block", density=0.25, options=options), MLP[1:3])
    first, second = masks.values()
    assert (first.sum(), second.sum()) == (230, 922)
    whole = second.reshape(24, 2, 24, 2).sum(axis=(1, 3))
    assert np.isin(whole, [0, 4]).sum() >= 24 * 24 - 1


def test_seed_may_be_any_size():
    low, high = (draw(MaskRecipe(density=0.3, seed=seed), MLP)["layers.0.weight"] for seed in (1, 1 + 2**40))
    assert (low != high).any()


def test_layers_of_one_name_are_refused():
    with pytest.raises(InvalidOptionError, match=r"'layers.0.weight' come twice"):
        counts(MaskRecipe(density=0.5), [MLP[0], MLP[0]])


@pytest.mark.parametrize("density", [0, 0.0, -0.1, 1.01, float("nan"), float("inf"), "0.5", True, None, 10**400])
def test_wrong_density(density):
    with pytest.raises(
        InvalidOptionError, match=r"density of the mask recipe is .* give a number above 0 and at most 1"
    ):
        check(MaskRecipe(density=density))


@pytest.mark.parametrize("seed", [-1, 0.5, "0", True, None])
def test_wrong_seed(seed):
    with pytest.raises(InvalidOptionError, match=r"seed of the mask recipe is .* whole number, 0 or more"):
        check(MaskRecipe(seed=seed))


def test_unknown_names_list_the_nearest_first():
    with pytest.raises(UnknownNameError, match=r"unknown pattern 'watts'; did you mean 'watts-strogatz'\? Known: "):
        check(MaskRecipe(pattern="watts"))
    with pytest.raises(UnknownNameError, match=r"unknown distribution 'ERK'; did you mean 'erk'\?"):
        check(MaskRecipe(distribution="ERK"))
    with pytest.raises(UnknownNameError, match=r"unknown pattern .*block"):
        check(MaskRecipe(pattern=["block"]))


@pytest.mark.parametrize(
    ("pattern", "options", "message"),
    [
        ("random", {"p": 0.1}, r"pattern 'random' takes no 'p'"),
        ("block", {"sizes": 2}, r"takes no 'sizes'; it takes, nearest first: size, "),
        ("block", {"size": 0}, r"option 'size' of pattern 'block' is 0; give a whole number, 1 or more"),
        ("block", {"size": 2.0}, r"option 'size' of pattern 'block' is 2.0"),
        ("watts-strogatz", {"p": 1.5}, r"option 'p' of pattern 'watts-strogatz' is 1.5; give a number from 0 to 1"),
        ("watts-strogatz", {"p": "a" * 999}, r"is 'a{79}; give a number"),
        ("n:m", {"n": 5}, r"option 'n' of pattern 'n:m' is 5; give a whole number from 1 to m, which is 4"),
        ("n:m", {"m": 0}, r"option 'm' of pattern 'n:m' is 0"),
        ("random", {"share_gates": 1}, r"option 'share_gates' of the mask recipe is 1; give true or false"),
        ("random", [], r"options of the mask recipe are \[\]; give names with values"),
    ],
)
def test_wrong_options(pattern, options, message):
    with pytest.raises(InvalidOptionError, match=message):
        check(MaskRecipe(pattern=pattern, options=options))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"shape": (4,)}, r"shape \(4,\)"),
        ({"shape": (4, 0)}, r"shape \(4, 0\)"),
        ({"shape": (4, 3), "gates": 3}, "3 gates for 4 rows"),
        ({"shape": (4, 3), "gates": 0}, "0 gates"),
        ({"shape": (8, 4), "kind": "recurrent"}, r"\(8, 4\) with 1 gates; it must be \(gates \* hidden, hidden\)"),
    ],
)
def test_wrong_layers(layer, message):
    with pytest.raises(InvalidOptionError, match=message):
        MaskLayer(name="w", **layer)


def test_accepted_options():
    assert dict(accepted_options("per-layer", "n:m")) == {
        "densities": False,
        "n": False,
        "m": False,
        "share_gates": False,
    }
