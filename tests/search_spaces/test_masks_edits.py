"""Mask edits: moved and kept connections, and refused arguments."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces.candidate import MaskEdit, MaskRecipe
from search_spaces.errors import InvalidOptionError, UnknownNameError
from search_spaces.masks import EDITS, MaskLayer, apply, draw, random_edit
from search_spaces.masks.edits import check

LAYERS = [
    MaskLayer(name="first", shape=(6, 8)),
    MaskLayer(name="gru", shape=(18, 6), kind="recurrent", gates=3),
    MaskLayer(name="conv", shape=(4, 3, 3, 3), kind="conv"),
]


@pytest.fixture
def masks():
    return draw(MaskRecipe(density=0.25), LAYERS)


def edit(operator, seed=1, **arguments):
    return MaskEdit(operator=operator, arguments=arguments, seed=seed)


def changed(edits, masks):
    after = apply(edits, masks, LAYERS)
    return {name for name in masks if (after[name] != masks[name]).any()}


def test_rewire_moves_the_fraction_to_places_that_were_free(masks):
    after = apply([edit("rewire", fraction=0.5, layer="first")], masks, LAYERS)["first"]
    before = masks["first"]
    assert before.sum() == 12
    assert (before & ~after).sum() == 6
    assert (after & ~before).sum() == 6


def test_rewire_of_all_layers_changes_all_and_of_one_changes_one(masks):
    assert changed([edit("rewire", fraction=0.1)], masks) == {"first", "gru", "conv"}
    assert changed([edit("rewire", fraction=0.1, layer=None)], masks) == {"first", "gru", "conv"}
    assert changed([edit("rewire", fraction=0.1, layer="conv")], masks) == {"conv"}


def test_rewire_of_all_does_to_a_layer_what_rewire_of_it_does(masks):
    every = apply([edit("rewire", fraction=0.3)], masks, LAYERS)
    one = apply([edit("rewire", fraction=0.3, layer="gru")], masks, LAYERS)
    assert (every["gru"] == one["gru"]).all()


def test_rewire_moves_one_at_least_and_no_more_than_there_is_room():
    layer = MaskLayer(name="w", shape=(3, 4))
    mask = np.ones((3, 4), dtype=bool)
    mask[0, 0] = mask[1, 1] = False
    after = apply([edit("rewire", fraction=1.0)], {"w": mask}, [layer])["w"]
    assert after[0, 0]
    assert after[1, 1]
    assert after.sum() == 10
    assert (apply([edit("rewire", fraction=0.001)], {"w": mask}, [layer])["w"] != mask).sum() == 2
    for still in (np.ones((3, 4), dtype=bool), np.zeros((3, 4), dtype=bool)):
        assert (apply([edit("rewire", fraction=0.5)], {"w": still}, [layer])["w"] == still).all()


def test_move_density_takes_from_one_and_gives_to_the_other(masks):
    after = apply([edit("move-density", source="gru", target="first", fraction=0.2)], masks, LAYERS)
    assert [int(masks[name].sum()) for name in ("first", "gru", "conv")] == [12, 27, 27]
    assert [int(after[name].sum()) for name in ("first", "gru", "conv")] == [17, 22, 27]
    assert not (after["gru"] & ~masks["gru"]).any()
    assert not (masks["first"] & ~after["first"]).any()


def test_move_density_is_capped_by_the_room_and_leaves_one():
    layers = [MaskLayer(name="a", shape=(4, 5)), MaskLayer(name="b", shape=(2, 2))]
    masks = {"a": np.ones((4, 5), dtype=bool), "b": np.array([[True, False], [False, False]])}
    after = apply([edit("move-density", source="a", target="b", fraction=1.0)], masks, layers)
    assert (after["a"].sum(), after["b"].sum()) == (17, 4)
    after = apply([edit("move-density", source="b", target="a", fraction=1.0)], masks, layers)
    assert (after["a"].sum(), after["b"].sum()) == (20, 1)
    after = apply(
        [edit("move-density", source="a", target="b", fraction=1.0)],
        {"a": masks["b"][:1], "b": masks["b"]},
        [MaskLayer(name="a", shape=(1, 2)), layers[1]],
    )
    assert (after["a"].sum(), after["b"].sum()) == (1, 1)


def test_swap_rows_exchanges_disjoint_pairs():
    mask = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], dtype=bool)
    layer = MaskLayer(name="w", shape=(4, 4))
    one = apply([edit("swap-rows", layer="w", count=1)], {"w": mask}, [layer])["w"].argmax(axis=1)
    assert (one != np.arange(4)).sum() == 2
    assert (one[one] == np.arange(4)).all()
    two = apply([edit("swap-rows", layer="w", count=99)], {"w": mask}, [layer])["w"].argmax(axis=1)
    assert (two != np.arange(4)).all()
    assert (two[two] == np.arange(4)).all()


def test_swap_columns_is_swap_rows_of_the_other_side(masks):
    after = apply([edit("swap-columns", layer="first", count=2)], masks, LAYERS)["first"]
    assert sorted(map(tuple, after.T)) == sorted(map(tuple, masks["first"].T))
    assert (after.sum(axis=1) == masks["first"].sum(axis=1)).all()
    assert after.flags.c_contiguous


def test_swaps_of_a_convolution_move_filters_and_channels(masks):
    filters = apply([edit("swap-rows", layer="conv", count=1)], masks, LAYERS)["conv"]
    channels = apply([edit("swap-columns", layer="conv", count=1)], masks, LAYERS)["conv"]
    before = masks["conv"]
    assert sorted(f.tobytes() for f in filters) == sorted(f.tobytes() for f in before)
    assert sorted(channels[:, c].tobytes() for c in range(3)) == sorted(before[:, c].tobytes() for c in range(3))


def test_swap_rows_of_a_gated_layer_moves_a_unit_in_all_gates(masks):
    before = masks["gru"].reshape(3, 6, 6)
    after = apply([edit("swap-rows", layer="gru", count=2)], masks, LAYERS)["gru"].reshape(3, 6, 6)
    units = {before[:, unit].tobytes() for unit in range(6)}
    assert {after[:, unit].tobytes() for unit in range(6)} == units
    assert (before != after).any()


def test_edits_are_applied_in_order(masks):
    one, two = edit("rewire", fraction=0.5, layer="first"), edit("swap-rows", layer="first", count=2)
    together = apply([one, two], masks, LAYERS)["first"]
    assert (together == apply([two], apply([one], masks, LAYERS), LAYERS)["first"]).all()
    assert (together != apply([two, one], masks, LAYERS)["first"]).any()


def test_no_edits_give_a_new_dict_of_the_same_masks(masks):
    after = apply([], masks, LAYERS)
    assert after is not masks
    assert all(after[name] is masks[name] for name in masks)


@pytest.mark.parametrize(
    "absent",
    [
        edit("rewire", fraction=0.1, layer="gone"),
        edit("move-density", source="gone", target="first", fraction=0.1),
        edit("move-density", source="first", target="gone", fraction=0.1),
        edit("swap-rows", layer="gone"),
        edit("swap-columns", layer="gone"),
    ],
)
def test_an_edit_of_an_absent_layer_does_nothing(absent, masks):
    assert changed([absent], masks) == set()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (edit("rewire"), r"mask edit 'rewire' lacks 'fraction'; add it"),
        (edit("rewire", fraction=0), r"argument 'fraction' of edit 'rewire' is 0; give a number above 0 and at most 1"),
        (edit("rewire", fraction=0.1, layer=3), r"argument 'layer' of edit 'rewire' is 3; give the name of a layer"),
        (edit("rewire", fraction=0.1, layers="a"), r"takes no 'layers'; it takes, nearest first: layer, fraction"),
        (edit("rewire", seed=-1, fraction=0.1), r"seed of mask edit 'rewire' is -1"),
        (edit("move-density", source="a", target="a", fraction=0.1), r"'target' .* is 'a'; give a layer other than"),
        (edit("move-density", source="a", target="b", fraction=2), r"'fraction' of edit 'move-density' is 2"),
        (
            edit("swap-rows", layer="first", count=0),
            r"'count' of edit 'swap-rows' is 0; give a whole number, 1 or more",
        ),
        (edit("swap-columns", layer="first", count=1.5), r"'count' of edit 'swap-columns' is 1.5"),
    ],
)
def test_wrong_arguments(wrong, message):
    with pytest.raises(InvalidOptionError, match=message):
        check([wrong])


def test_unknown_edit_lists_the_nearest_first():
    with pytest.raises(UnknownNameError, match=r"unknown mask edit 'swap_rows'; did you mean 'swap-rows'\? Known: "):
        check([edit("swap_rows", layer="w")])


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(InvalidOptionError, match=r"mask of layer 'first' has shape \(2, 2\); the layer's is \(6, 8\)"):
        apply([edit("rewire", fraction=0.1)], {"first": np.ones((2, 2), dtype=bool)}, LAYERS)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**6), density=st.floats(0.05, 0.95))
def test_random_edits_are_valid_json_and_keep_the_sum(seed, density):
    masks = draw(MaskRecipe(density=density), LAYERS)
    rng = np.random.default_rng(seed)
    edits = [random_edit(masks, LAYERS, rng) for _ in range(3)]
    after = apply(edits, masks, LAYERS)
    assert sum(mask.sum() for mask in after.values()) == sum(mask.sum() for mask in masks.values())
    for one in edits:
        assert json.loads(json.dumps(vars(one))) == vars(one)
    again = np.random.default_rng(seed)
    assert edits == [random_edit(masks, LAYERS, again) for _ in range(3)]


def test_random_edits_use_every_operator_and_nearly_always_change_something(masks):
    rng = np.random.default_rng(0)
    edits = [random_edit(masks, LAYERS, rng) for _ in range(200)]
    assert {one.operator for one in edits} == set(EDITS)
    assert sum(bool(changed([one], masks)) for one in edits) > 190


def test_random_edit_offers_only_what_there_is_room_for():
    rng = np.random.default_rng(0)
    unit = MaskLayer(name="w", shape=(1, 5))
    mask = np.array([[True, True, False, False, False]])
    operators = {random_edit({"w": mask}, [unit], rng).operator for _ in range(50)}
    assert operators == {"rewire", "swap-columns"}
    assert {random_edit({"w": ~(mask & False)}, [unit], rng).operator for _ in range(20)} == {"rewire"}
    with pytest.raises(InvalidOptionError, match="no masked layer to edit"):
        random_edit({}, [unit], rng)
