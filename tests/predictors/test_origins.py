import numpy as np
import pytest

from predictors.errors import InvalidOriginError, InvalidPredictorError
from predictors.library.loading import create
from predictors.models.origins import OriginsPredictor
from predictors.origin import Origin
from predictors.predictor import answering
from predictors.testing import synthetic_graphs

PLAN = Origin(method="espn", nnz=100)


def _linear(_):
    return create("linear")


@pytest.fixture(scope="module")
def asked():
    """The same networks asked for fresh weights, where more connections are better, and for own ones, where fewer are."""
    graphs, accuracies = synthetic_graphs(60)
    fresh = [graph.of_origin(Origin(weights="fresh")) for graph in graphs]
    own = [graph.of_origin(Origin(weights="own")) for graph in graphs]
    return fresh, own, accuracies


@pytest.fixture(scope="module")
def fitted(asked):
    fresh, own, accuracies = asked
    return OriginsPredictor(_linear).fit(fresh[:50] + own[:50], np.concatenate([accuracies, 1 - accuracies])[_half()])


def _half():
    return np.r_[0:50, 60:110]


def test_each_question_has_a_predictor_of_its_own(asked, fitted):
    fresh, own, accuracies = asked
    mixed = [graph for pair in zip(fresh[50:], own[50:], strict=True) for graph in pair]
    said = fitted.predict(mixed).mean
    assert np.corrcoef(said[::2], accuracies[50:])[0, 1] > 0.9
    assert np.corrcoef(said[1::2], 1 - accuracies[50:])[0, 1] > 0.9
    alone = create("linear").fit(own[:50], 1 - accuracies[:50]).predict(own[50:])
    assert np.array_equal(said[1::2], alone.mean)


def test_a_question_is_learnt_when_it_is_asked(asked, fitted):
    fresh, own, accuracies = asked
    sizes = []
    late = OriginsPredictor(lambda count: sizes.append(count) or create("linear"))
    late.fit_when_asked(fresh[:50] + own[:40], np.concatenate([accuracies[:50], 1 - accuracies[:40]]))
    assert late.questions == ("fresh", "own")
    assert sizes == []
    assert np.array_equal(late.predict(fresh[50:]).mean, fitted.predict(fresh[50:]).mean)
    assert sizes == [50]
    late.predict(fresh[50:] + own[50:])
    assert sizes == [50, 40]


def test_without_an_origin_fresh_weights_are_asked_for(asked, fitted):
    fresh, _, _ = asked
    bare = [graph.of_origin(None) for graph in fresh[50:]]
    assert fitted.questions == ("fresh", "own")
    assert answering(fitted, bare[0]) is answering(fitted, fresh[0])
    assert np.abs(fitted.predict(bare).mean - fitted.predict(fresh[50:]).mean).max() < 0.2


def test_a_question_that_was_not_learnt_is_refused(asked, fitted):
    graph = asked[0][0].of_origin(PLAN)
    with pytest.raises(InvalidOriginError, match="has not learnt a method that has not run yet"):
        fitted.predict([graph])
    with pytest.raises(InvalidOriginError, match="has not learnt"):
        answering(fitted, graph)


def test_a_single_network_of_a_question_is_not_learnt(asked):
    fresh, _, accuracies = asked
    alone = fresh[0].of_origin(PLAN)
    fitted = OriginsPredictor(_linear).fit([*fresh[:30], alone], np.append(accuracies[:30], 0.5))
    assert fitted.questions == ("fresh",)


def test_saved_members_have_a_name_that_is_known(fitted):
    arrays = fitted.arrays()
    again = OriginsPredictor.from_arrays(arrays)
    assert again.questions == fitted.questions
    renamed = {key.replace("own/linear", "own/warm"): value for key, value in arrays.items()}
    with pytest.raises(InvalidPredictorError, match="not by warm"):
        OriginsPredictor.from_arrays(renamed)
    with pytest.raises(InvalidPredictorError, match="answers no question"):
        OriginsPredictor.from_arrays({})
