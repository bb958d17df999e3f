import numpy as np
import pytest

from nas.errors import UsageError
from nas.study.objectives import Objective, fronts, losses, non_dominated, parse, values


def test_parse_reads_directions():
    assert parse(["accuracy", "-nnz"]) == (Objective("accuracy", "maximize"), Objective("nnz", "minimize"))
    assert [str(objective) for objective in parse(["accuracy", "-nnz"])] == ["accuracy", "-nnz"]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["-accuracy"], "worst accuracy"),
        (["accuracy", "nnz"], "the most nnz"),
        (["-nnz"], "must contain accuracy"),
        (["accuracy", "accuracy"], "named twice"),
        (["acuracy"], "did you mean 'accuracy'"),
    ],
)
def test_bad_objectives_say_what_would_be_right(texts, message):
    with pytest.raises(UsageError, match=message):
        parse(texts)


def test_losses_turn_the_sign_of_what_is_maximised():
    goals = parse(["accuracy", "-nnz"])
    rows = [values(goals, 0.9, {"nnz": 100}), values(goals, 0.8, {"nnz": 50})]
    np.testing.assert_array_equal(losses(goals, rows), [[-0.9, 100], [-0.8, 50]])


def test_fronts_rank_by_domination():
    #            on the front, on the front, beaten by the first, beaten by both
    table = np.array([[1.0, 4.0], [3.0, 2.0], [2.0, 4.0], [4.0, 5.0]])
    np.testing.assert_array_equal(non_dominated(table), [True, True, False, False])
    np.testing.assert_array_equal(fronts(table), [0, 0, 1, 2])


def test_equal_rows_do_not_beat_each_other():
    np.testing.assert_array_equal(non_dominated(np.array([[1.0, 1.0], [1.0, 1.0]])), [True, True])
