import numpy as np
import pytest

from predictors.errors import InvalidPredictorError
from predictors.scale import MOST_KNOTS, RankScale
from predictors.target import to_target


def test_scores_are_normal_and_come_back():
    targets = to_target(np.random.default_rng(0).beta(8, 1, size=500))
    scale = RankScale.of(targets)
    scores = scale.forward(targets)
    assert scores.mean() == pytest.approx(0.0, abs=0.02)
    assert scores.std() == pytest.approx(1.0, abs=0.03)
    assert len(scale.targets) <= MOST_KNOTS
    np.testing.assert_allclose(scale.backward(scores), targets, atol=1e-9)


def test_it_goes_on_beyond_what_was_measured_and_ends_at_what_can_be():
    scale = RankScale.of(to_target(np.array([0.3, 0.5, 0.6])))
    beyond = scale.forward(to_target(np.array([0.2, 0.8])))
    assert beyond[0] < scale.scores[0]
    assert beyond[1] > scale.scores[-1]
    np.testing.assert_allclose(scale.backward(beyond), to_target(np.array([0.2, 0.8])))
    assert scale.backward(np.array([-1e6, 1e6])).tolist() == pytest.approx(to_target(np.array([0.0, 1.0])).tolist())


def test_ties_share_a_score_and_one_value_is_a_scale():
    scale = RankScale.of(to_target(np.array([0.3, 0.5, 0.5, 0.9])))
    assert len(scale.targets) == 3
    alone = RankScale.of(np.full(5, 0.7))
    assert alone.backward(alone.forward(np.full(2, 0.7))) == pytest.approx([0.7, 0.7])


def test_knots_out_of_order_are_refused():
    with pytest.raises(InvalidPredictorError, match="increase"):
        RankScale(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 1.0)
