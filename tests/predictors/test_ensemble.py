import numpy as np
import pytest

from predictors.ensemble import TREES, EnsemblePredictor
from predictors.errors import InvalidPredictorError
from predictors.forest import ForestPredictor
from predictors.linear import LinearPredictor
from predictors.testing import synthetic_graphs


def test_the_mean_is_that_of_the_members_and_the_std_holds_their_disagreement():
    graphs, accuracies = synthetic_graphs(40, seed=0)
    said = EnsemblePredictor().fit(graphs, accuracies, seed=3).predict(graphs)
    line = LinearPredictor().fit(graphs, accuracies, seed=3).predict(graphs)
    trees = ForestPredictor(TREES).fit(graphs, accuracies, seed=3).predict(graphs)
    np.testing.assert_allclose(said.mean, (line.mean + trees.mean) / 2)
    # Two values differ from their mean by half their distance.
    expected = (line.std**2 + trees.std**2) / 2 + ((line.mean - trees.mean) / 2) ** 2
    np.testing.assert_allclose(said.std**2, expected)


def test_an_array_of_no_member_is_refused():
    graphs, accuracies = synthetic_graphs(10, seed=0)
    arrays = EnsemblePredictor().fit(graphs, accuracies).arrays()
    with pytest.raises(InvalidPredictorError, match="'oracle/weights', of no member"):
        EnsemblePredictor.from_arrays(arrays | {"oracle/weights": np.zeros(3)})
