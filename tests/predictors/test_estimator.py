"""The scikit-learn face: cloned, cross-validated, searched over."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score

from predictors.errors import UnknownPredictorError
from predictors.library.estimator import StructureRegressor
from predictors.testing import synthetic_graphs


def test_it_is_cross_validated_and_searched_over():
    graphs, accuracies = synthetic_graphs(60)
    scores = cross_val_score(StructureRegressor("gp"), graphs, accuracies, cv=3)
    assert scores.mean() > 0.5
    search = GridSearchCV(StructureRegressor(), {"predictor": ["constant", "gp"]}, cv=3).fit(graphs, accuracies)
    assert search.best_params_ == {"predictor": "gp"}


def test_it_says_how_sure_it_is():
    graphs, accuracies = synthetic_graphs(60)
    fitted = StructureRegressor("quick").fit(graphs[:40], accuracies[:40])
    mean, std = fitted.predict(graphs[40:], return_std=True)
    interval = fitted.predict_interval(graphs[40:])
    assert (std > 0).all()
    assert ((interval[:, 0] <= mean) & (mean <= interval[:, 1])).all()
    assert fitted.score(graphs[40:], accuracies[40:]) > 0.5


def test_a_clone_has_the_parameters_and_not_the_fit():
    regressor = StructureRegressor("forest", random_state=3).fit(*synthetic_graphs(10))
    copy = clone(regressor)
    assert copy.get_params() == {"predictor": "forest", "random_state": 3, "task": None}
    with pytest.raises(NotFittedError):
        copy.predict(synthetic_graphs(2)[0])
    same = copy.fit(*synthetic_graphs(10))
    np.testing.assert_array_equal(same.predict(synthetic_graphs(5)[0]), regressor.predict(synthetic_graphs(5)[0]))


def test_an_unknown_predictor_is_named():
    with pytest.raises(UnknownPredictorError, match="forest"):
        StructureRegressor("forrest").fit(*synthetic_graphs(4))
