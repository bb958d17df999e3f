import numpy as np

from predictors.models.constant import ConstantPredictor
from predictors.testing import synthetic_graphs


def test_predicts_mean_and_standard_deviation_of_the_training_accuracies():
    graphs, _ = synthetic_graphs(4)
    prediction = ConstantPredictor().fit(graphs[:3], np.array([0.2, 0.4, 0.6])).predict(graphs)
    np.testing.assert_allclose(prediction.mean, 0.4)
    np.testing.assert_allclose(prediction.std, 0.2)  # (.04 + 0 + .04) / 2
