import pytest

from predictors.errors import InvalidTaskError
from predictors.task_description import TASK_FEATURES, TaskDescription

GOOD = {"samples": 100, "classes": 10, "inputs": 64, "one_nn": 0.9, "linear_probe": 1}


def test_it_comes_back_from_json():
    task = TaskDescription.from_json(GOOD)
    assert TaskDescription.from_json(task.to_json()) == task
    assert task.features().shape == (len(TASK_FEATURES),)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({**GOOD, "samples": 0}, "≥ 1"),
        ({**GOOD, "one_nn": 1.5}, r"\[0, 1\]"),
        ({**GOOD, "samples": 1.5}, "whole number"),
        ({**GOOD, "one_nn": "high"}, "number"),
        ({**GOOD, "samples": 10**30}, "below"),
        ({**GOOD, "one_nn": 10**400}, r"\[0, 1\]"),
        ({**GOOD, "depth": 3}, "takes no 'depth'"),
        ({"samples": 3}, "lacks 'classes'"),
        ("digits", "described by"),
    ],
)
def test_what_is_no_task_is_refused(wrong, match):
    with pytest.raises(InvalidTaskError, match=match):
        TaskDescription.from_json(wrong)
