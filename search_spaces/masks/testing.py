"""Conformance tests of distributions, patterns and mask edits, to be run over all their names.

A test class inherits a contract and gives its fixture, for example::

    class TestPatterns(PatternContract):
        @pytest.fixture(params=recipe.PATTERNS.names())
        def pattern(self, request): return request.param
"""

from collections.abc import Sequence

import numpy as np

from search_spaces.candidate import MaskEdit, MaskRecipe
from search_spaces.errors import InvalidOptionError
from search_spaces.masks import edits
from search_spaces.masks.layer import MaskLayer
from search_spaces.masks.recipe import counts, draw

LAYERS: Sequence[MaskLayer] = (
    MaskLayer(name="dense", shape=(6, 10)),
    MaskLayer(name="wide", shape=(3, 17)),
    MaskLayer(name="tall", shape=(17, 3)),
    MaskLayer(name="one-output", shape=(1, 7)),
    MaskLayer(name="one-input", shape=(7, 1)),
    MaskLayer(name="one-weight", shape=(1, 1)),
    MaskLayer(name="conv", shape=(5, 4, 3, 3), kind="conv"),
    MaskLayer(name="depthwise", shape=(6, 1, 3, 3), kind="conv"),
    MaskLayer(name="sequence", shape=(4, 6, 5), kind="conv"),
    MaskLayer(name="tanh", shape=(9, 9), kind="recurrent"),
    MaskLayer(name="lstm-input", shape=(20, 6), gates=4),
    MaskLayer(name="gru", shape=(15, 5), kind="recurrent", gates=3),
)
DENSITIES = (0.002, 0.03, 0.1, 0.25, 0.5, 0.77, 0.97, 1.0)


def _raises(recipe: MaskRecipe) -> bool:
    try:
        draw(recipe, LAYERS)
    except InvalidOptionError:
        return True
    return False


class DistributionContract:
    """What every distribution must do; the fixture `distribution` is its name."""

    def test_counts_add_up_to_the_density(self, distribution: str) -> None:
        """Counts add up to round(density · weights); none exceeds its layer, and none is 0 if every layer can have one."""
        weights = sum(layer.size for layer in LAYERS)
        for density in DENSITIES:
            found = counts(MaskRecipe(distribution=distribution, density=density), LAYERS)
            assert sum(found.values()) == round(density * weights)
            assert all(0 <= found[layer.name] <= layer.size for layer in LAYERS)
            assert min(found.values()) > 0 or sum(found.values()) < len(LAYERS)

    def test_counts_do_not_depend_on_the_seed(self, distribution: str) -> None:
        """A distribution draws nothing."""
        first, second = (
            counts(MaskRecipe(distribution=distribution, density=0.3, seed=seed), LAYERS) for seed in (0, 1)
        )
        assert first == second

    def test_one_layer_gets_everything(self, distribution: str) -> None:
        """Relative densities of one layer have no effect."""
        assert counts(MaskRecipe(distribution=distribution, density=0.35), LAYERS[:1]) == {"dense": 21}

    def test_refuses_an_unknown_option(self, distribution: str) -> None:
        """Errors are raised before anything is drawn."""
        assert _raises(MaskRecipe(distribution=distribution, options={"no such option": 1}))


class PatternContract:
    """What every pattern must do; the fixture `pattern` is its name."""

    def test_places_exactly_the_counts(self, pattern: str) -> None:
        """The count is exact in every layer, at any density."""
        for density in DENSITIES:
            recipe = MaskRecipe(pattern=pattern, density=density)
            masks = draw(recipe, LAYERS)
            assert list(masks) == [layer.name for layer in LAYERS]
            assert {name: int(mask.sum()) for name, mask in masks.items()} == counts(recipe, LAYERS)
            for layer in LAYERS:
                assert masks[layer.name].shape == layer.shape
                assert masks[layer.name].dtype == np.bool_

    def test_same_seed_same_masks(self, pattern: str) -> None:
        """The same seed gives the same masks bit for bit, another seed gives others."""
        recipe = MaskRecipe(pattern=pattern, density=0.3, seed=5)
        first, again = draw(recipe, LAYERS), draw(recipe, LAYERS)
        assert all(first[name].tobytes() == again[name].tobytes() for name in first)
        other = draw(MaskRecipe(pattern=pattern, density=0.3, seed=6), LAYERS)
        assert any((first[name] != other[name]).any() for name in first)

    def test_a_layer_does_not_depend_on_the_others(self, pattern: str) -> None:
        """A layer's mask stays the same with another neighbour or in another order of the layers."""
        recipe = MaskRecipe(pattern=pattern, density=0.5)
        layer, small, large = (MaskLayer(name=name, shape=shape) for name, shape in SIDE_BY_SIDE.items())
        masks = [draw(recipe, layers)["a"] for layers in ([layer, small], [small, layer], [layer, large])]
        assert (masks[0] == masks[1]).all()
        assert (masks[0] == masks[2]).all()

    def test_gates_share_one_structure(self, pattern: str) -> None:
        """All gates have the same structure; gates with one connection fewer lack one of its connections."""
        layer = MaskLayer(name="gru", shape=(36, 12), kind="recurrent", gates=3)
        for density in (60 / 432, 61 / 432, 62 / 432):
            gates = draw(MaskRecipe(pattern=pattern, density=density), [layer])["gru"].reshape(3, 12, 12)
            assert sorted(int(gate.sum()) for gate in gates)[0] == 20
            assert not (gates[1:] & ~gates[:-1]).any()

    def test_gates_differ_where_they_are_not_shared(self, pattern: str) -> None:
        """With `share_gates` false the pattern is drawn once per gate."""
        layer = MaskLayer(name="gru", shape=(36, 12), kind="recurrent", gates=3)
        gates = draw(MaskRecipe(pattern=pattern, density=0.25, options={"share_gates": False}), [layer])["gru"]
        first, second, third = gates.reshape(3, 12, 12)
        assert first.sum() == second.sum() == third.sum() == 36
        assert (first != second).any()
        assert (second != third).any()

    def test_refuses_an_unknown_option(self, pattern: str) -> None:
        """Errors are raised before anything is drawn."""
        assert _raises(MaskRecipe(pattern=pattern, options={"no such option": 1}))


SIDE_BY_SIDE = {"a": (8, 8), "b": (4, 4), "c": (12, 16)}


class EditContract:
    """What every mask edit that keeps the count must do; the fixture `edit` is one that changes the masks of `LAYERS` at density 0.3."""

    def test_keeps_the_sum_and_the_input(self, edit: MaskEdit) -> None:
        """The number of non-zeros stays the same; the given masks are not changed."""
        masks = draw(MaskRecipe(density=0.3), LAYERS)
        before = {name: mask.copy() for name, mask in masks.items()}
        after = edits.apply([edit], masks, LAYERS)
        assert sum(int(mask.sum()) for mask in after.values()) == sum(int(mask.sum()) for mask in masks.values())
        assert list(after) == list(masks)
        assert any((after[name] != mask).any() for name, mask in masks.items())
        for name, mask in masks.items():
            assert (mask == before[name]).all()
            assert after[name].shape == mask.shape
            assert after[name].dtype == np.bool_

    def test_same_seed_same_change(self, edit: MaskEdit) -> None:
        """The same seed gives the same masks bit for bit."""
        masks = draw(MaskRecipe(density=0.3), LAYERS)
        first, again = edits.apply([edit], masks, LAYERS), edits.apply([edit], masks, LAYERS)
        assert all(first[name].tobytes() == again[name].tobytes() for name in first)

    def test_other_seeds_other_changes(self, edit: MaskEdit) -> None:
        """Ten seeds do not all give the same masks."""
        masks = draw(MaskRecipe(density=0.3), LAYERS)
        changed = []
        for seed in range(10):
            seeded = MaskEdit(operator=edit.operator, arguments=edit.arguments, seed=seed)
            changed.append(b"".join(mask.tobytes() for mask in edits.apply([seeded], masks, LAYERS).values()))
        assert len(set(changed)) > 1

    def test_does_nothing_without_the_layers(self, edit: MaskEdit) -> None:
        """After crossover a candidate may hold edits of layers that it does not have."""
        layer = MaskLayer(name="elsewhere", shape=(4, 4))
        full = {"elsewhere": np.ones((4, 4), dtype=np.bool_)}
        assert edits.apply([edit], full, [layer])["elsewhere"].all()
        assert edits.apply([edit], {}, []) == {}

    def test_refuses_an_unknown_argument(self, edit: MaskEdit) -> None:
        """The error comes before anything is changed."""
        wrong = MaskEdit(operator=edit.operator, arguments={**edit.arguments, "no such argument": 1})
        try:
            edits.check([wrong])
        except InvalidOptionError as error:
            assert "no such argument" in str(error)  # noqa: PT017
        else:
            raise AssertionError("the unknown argument was accepted")
