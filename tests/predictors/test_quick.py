import numpy as np
import pytest

from predictors.errors import InvalidPredictorError
from predictors.quick import QuickPredictor
from predictors.testing import synthetic_graphs


def test_the_mean_is_that_of_the_members_and_the_std_holds_their_disagreement():
    graphs, _ = synthetic_graphs(40, seed=0)
    targets = np.linspace(-1.0, 3.0, 40)
    fitted = QuickPredictor().fit_targets(graphs, targets, seed=3)
    first, second = (member.predict_targets(graphs) for member in fitted._members)
    said = fitted.predict_targets(graphs)
    np.testing.assert_allclose(said.mean, (first.mean + second.mean) / 2)
    # Two values differ from their mean by half their distance.
    expected = (first.std**2 + second.std**2) / 2 + ((first.mean - second.mean) / 2) ** 2
    np.testing.assert_allclose(said.std**2, expected)


def test_an_array_of_no_member_is_refused():
    graphs, accuracies = synthetic_graphs(10, seed=0)
    arrays = QuickPredictor().fit(graphs, accuracies).arrays()
    with pytest.raises(InvalidPredictorError, match="'oracle/weights', of no member"):
        QuickPredictor.from_arrays(arrays | {"oracle/weights": np.zeros(3)})
