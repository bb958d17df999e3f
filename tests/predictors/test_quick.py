import numpy as np
import pytest

from predictors.errors import InvalidPredictorError
from predictors.models.quick import QuickPredictor
from predictors.testing import synthetic_graphs


def test_the_mean_is_that_of_the_members_and_the_std_holds_their_disagreement():
    graphs, _ = synthetic_graphs(40, seed=0)
    targets = np.linspace(-1.0, 3.0, 40)
    fitted = QuickPredictor().fit_targets(graphs, targets, seed=3)
    members = [member.predict_targets(graphs) for member in fitted._members]
    assert len(members) == 3
    said = fitted.predict_targets(graphs)
    means, stds = np.array([one.mean for one in members]), np.array([one.std for one in members])
    np.testing.assert_allclose(said.mean, means.mean(axis=0))
    np.testing.assert_allclose(said.std**2, (stds**2).mean(axis=0) + means.var(axis=0))


def test_an_array_of_no_member_is_refused():
    graphs, accuracies = synthetic_graphs(10, seed=0)
    arrays = QuickPredictor().fit(graphs, accuracies).arrays()
    with pytest.raises(InvalidPredictorError, match="'oracle/weights', of no member"):
        QuickPredictor.from_arrays(arrays | {"oracle/weights": np.zeros(3)})
