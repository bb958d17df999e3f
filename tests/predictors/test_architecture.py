"""Networks of one architecture are left out together."""

import numpy as np
import pytest

import search_spaces
from predictors import encode
from predictors.features.architecture import FEWEST, architectures, folds, left_out_together, members_of
from predictors.models.gaussian_process import GaussianProcessPredictor
from predictors.models.linear import LinearPredictor
from predictors.structure_graph import StructureGraph
from search_spaces.signature import Signature

MASKS = 3


@pytest.fixture(scope="module")
def graphs() -> list[StructureGraph]:
    """Twelve architectures with three masks each."""
    rng, found = np.random.default_rng(0), []
    for space in (search_spaces.create(kind, Signature(input_shape=(1, 6, 6), outputs=5)) for kind in ("mlp", "cnn")):
        while len(found) % 18 or not found or len(found) < 18 * (1 + (space.name == "cnn")):
            candidate = space.sample(rng)
            found += [encode(space.build(space.remask(candidate, rng))) for _ in range(MASKS)]
    return found


def test_masks_do_not_change_the_architecture(graphs):
    group = architectures(graphs).reshape(-1, MASKS)
    assert (group == group[:, :1]).all()
    assert len(np.unique(group)) >= FEWEST


def test_an_architecture_lies_in_one_fold_and_folds_are_about_equal(graphs):
    group, fold = architectures(graphs), folds(graphs, 3, np.random.default_rng(0))
    assert all(len(np.unique(fold[rows])) == 1 for rows in members_of(group))
    sizes = np.bincount(fold)
    assert len(sizes) == 3
    assert sizes.max() - sizes.min() <= 2 * MASKS


def test_few_architectures_are_not_left_out_as_a_whole(graphs):
    few = graphs[: 2 * MASKS]
    assert left_out_together(few).tolist() == list(range(len(few)))
    assert sorted(np.bincount(folds(few, 3, np.random.default_rng(0)))) == [2, 2, 2]


def test_every_network_belongs_to_one_group():
    rows = members_of(np.array([2, 0, 2, 1, 0]))
    assert [row.tolist() for row in rows] == [[1, 4], [3], [0, 2]]


@pytest.mark.parametrize("kind", [LinearPredictor, GaussianProcessPredictor])
def test_a_prediction_with_the_architecture_left_out_knows_nothing_of_its_accuracies(kind, graphs):
    rng = np.random.default_rng(0)
    group = architectures(graphs)
    effect = rng.normal(size=group.max() + 1)[
        group
    ]  # each architecture has an accuracy of its own: nothing carries over
    targets = effect + 0.01 * rng.normal(size=len(graphs))
    left_out = kind().fit_left_out(graphs, targets, seed=0).mean
    fitted = kind().fit_targets(graphs, targets, seed=0).predict_targets(graphs).mean
    assert np.mean((left_out - targets) ** 2) > 0.5 * targets.var()
    assert np.mean((left_out - targets) ** 2) > 3 * np.mean((fitted - targets) ** 2)
