import numpy as np
import pytest

from predictors.errors import InvalidPredictorError
from predictors.features.matrix import matrix
from predictors.models.forest import ForestOptions, ForestPredictor, Trees, flatten
from predictors.testing import synthetic_graphs


def test_traversal_of_a_tree_by_hand():
    # node 0: column 1 ≤ 0.5 ? node 1 (leaf, 10) : node 2 → column 0 ≤ 2 ? node 3 (leaf, 20) : node 4 (leaf, 30)
    trees = Trees(
        roots=np.array([0], np.int32),
        feature=np.array([1, -1, 0, -1, -1], np.int32),
        threshold=np.array([0.5, 0, 2.0, 0, 0]),
        left=np.array([1, 1, 3, 3, 4], np.int32),
        value=np.array([0.0, 10, 0, 20, 30]),
    )
    rows = np.array([[9, 0.5], [2, 0.6], [3, 0.6]], np.float32)
    np.testing.assert_array_equal(trees(rows)[:, 0], [10, 20, 30])


def test_flat_trees_say_what_scikit_learn_says():
    from sklearn.ensemble import ExtraTreesRegressor

    graphs, accuracies = synthetic_graphs(60)
    rows = matrix(graphs)
    model = ExtraTreesRegressor(n_estimators=7, random_state=3).fit(rows[:40], accuracies[:40])
    expected = np.stack([tree.predict(rows) for tree in model.estimators_], axis=1)
    said = flatten([tree.tree_ for tree in model.estimators_])(rows)
    np.testing.assert_array_equal(said, expected.astype(np.float32))  # single precision: the same leaves


def test_seed_changes_the_forest():
    graphs, accuracies = synthetic_graphs(40)
    first, second = (
        ForestPredictor(ForestOptions(trees=5)).fit(graphs[:30], accuracies[:30], seed=seed) for seed in (0, 1)
    )
    assert (first.predict(graphs[30:]).mean != second.predict(graphs[30:]).mean).any()


def test_the_trees_agree_where_they_were_grown_and_not_elsewhere():
    graphs, accuracies = synthetic_graphs(40)
    predictor = ForestPredictor(ForestOptions(trees=20)).fit(graphs[:30], accuracies[:30])
    np.testing.assert_allclose(predictor.predict(graphs[:30]).std, 0, atol=1e-9)
    assert predictor.predict(graphs[30:]).std.min() > 1e-3


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [("feature", 0, 30_000), ("feature", 0, -2), ("feature", -1, 3), ("roots", 0, -1), ("roots", 1, 10**6)],
)
def test_arrays_that_would_loop_or_leave_are_refused(name, place, value):
    graphs, accuracies = synthetic_graphs(30)
    arrays = {
        key: array.copy()
        for key, array in ForestPredictor(ForestOptions(trees=3)).fit(graphs, accuracies).arrays().items()
    }
    arrays[name][place] = value
    with pytest.raises(InvalidPredictorError, match="forest is damaged"):
        ForestPredictor.from_arrays(arrays)


def test_missing_or_misshapen_arrays_are_refused():
    graphs, accuracies = synthetic_graphs(30)
    arrays = ForestPredictor(ForestOptions(trees=3)).fit(graphs, accuracies).arrays()
    with pytest.raises(InvalidPredictorError, match="lacks array 'feature'"):
        ForestPredictor.from_arrays({name: array for name, array in arrays.items() if name != "feature"})
    with pytest.raises(InvalidPredictorError, match="'numbers' has type"):
        ForestPredictor.from_arrays({**arrays, "numbers": arrays["numbers"][:-1]})
    with pytest.raises(InvalidPredictorError, match="not finite"):
        ForestPredictor.from_arrays({**arrays, "numbers": arrays["numbers"] * np.nan})


@pytest.mark.parametrize(
    ("name", "place", "value"), [("left", 0, 0), ("left", 0, 10**6), ("feature", 0, 10**6), ("roots", 0, -1)]
)
def test_arrays_of_older_versions_are_read_and_checked(name, place, value):
    graphs, accuracies = synthetic_graphs(30)
    predictor = ForestPredictor(ForestOptions(trees=3)).fit(graphs, accuracies)
    old = {**vars(predictor._trees), "training_graphs": np.asarray(30)}
    again = ForestPredictor.from_arrays(old)
    np.testing.assert_array_equal(again.predict(graphs).mean, predictor.predict(graphs).mean)
    np.testing.assert_array_equal(
        ForestPredictor.from_arrays(predictor.arrays()).predict(graphs).mean, predictor.predict(graphs).mean
    )
    damaged = {key: array.copy() for key, array in old.items()}
    damaged[name][place] = value
    with pytest.raises(InvalidPredictorError, match="forest is damaged"):
        ForestPredictor.from_arrays(damaged)


def test_numbers_that_need_double_precision_are_kept():
    graphs, accuracies = synthetic_graphs(30)
    predictor = ForestPredictor(ForestOptions(trees=3)).fit(graphs, accuracies)
    old = {**vars(predictor._trees), "training_graphs": np.asarray(30)}
    old["value"] = old["value"] + np.where(old["feature"] < 0, 1e-12, 0)
    again = ForestPredictor.from_arrays(old)
    np.testing.assert_array_equal(again.arrays()["value"], old["value"])


@pytest.mark.parametrize("wrong", [{"trees": 0}, {"max_features": 0.0}, {"max_features": 1.5}, {"min_leaf": 0}])
def test_options_out_of_range(wrong):
    with pytest.raises(ValueError, match="need trees"):
        ForestOptions(**wrong)
