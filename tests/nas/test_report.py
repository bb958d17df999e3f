import pytest

from nas.reports.report import Measured, sentence
from nas.tasks import load_task


def measured(name, accuracies, *, bytes_=5000):
    return Measured(
        name=name,
        digest="d",
        candidate={},
        accuracies=accuracies,
        validation=accuracies,
        seeds=tuple(range(len(accuracies))),
        nnz=600,
        bytes=bytes_,
        latency=0.01,
        largest_error=1e-6,
        file="x.onnx",
    )


@pytest.fixture(scope="module")
def task():
    return load_task("reber", subset=200)


@pytest.mark.parametrize(
    ("winner", "random", "verdict"),
    [
        # Means .95 and .90, standard errors .0058 each: twice the error of the difference is .0163.
        ((0.94, 0.95, 0.96), (0.89, 0.90, 0.91), "the winner is 5.00 points better"),
        ((0.89, 0.90, 0.91), (0.94, 0.95, 0.96), "the winner is 5.00 points worse"),
        ((0.94, 0.95, 0.96), (0.93, 0.94, 0.95), "a difference of 1.00 points, within the noise of the trainings"),
        ((0.95,), (0.90,), "+5.00 points for the winner, of single trainings: the noise is not known"),
    ],
)
def test_the_verdict_is_held_against_the_noise(task, winner, random, verdict):
    assert verdict in sentence(measured("winner", winner), [measured("random", random)], task)


def test_the_sentence_says_where_the_mask_saves_no_bytes(task):
    accuracies = (0.9, 0.91)
    same = sentence(measured("winner", accuracies), [measured("dense", accuracies)], task)
    smaller = sentence(measured("winner", accuracies), [measured("dense", accuracies, bytes_=9000)], task)
    assert "no smaller than the dense one" in same
    assert "no smaller" not in smaller


def test_a_single_training_has_no_spread():
    assert measured("winner", (0.9,)).to_json()["test"] == {"mean": 0.9, "std": None, "trainings": 1}
    assert measured("winner", (0.8, 0.9)).to_json()["test"]["std"] == pytest.approx(0.0707107)
