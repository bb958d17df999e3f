"""The report: figures, words and JSON from the same rows; a damaged file gives one clear error."""

import copy
import json

import numpy as np
import pytest

from nas.errors import RunError
from nas.reports.confusion import Confusion
from nas.reports.report import Report, TaskFacts, read
from nas.reports.rows.network_row import NetworkRow
from nas.reports.rows.time_row import TimeRow
from nas.reports.rows.trial_row import TrialRow
from nas.reports.sentence import headline, sentence
from nas.reports.verdict import Verdict
from nas.study.seconds import Seconds


def network(name, accuracies, *, bytes_=5000):
    return NetworkRow(
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


@pytest.fixture
def report(make_trial):
    return Report(
        version="1",
        task=TaskFacts(
            name="digits", metric="accuracy", fingerprint="f", description="", train=3, validation=2, test=2
        ),
        config={"task": "digits"},
        best=network("winner", (0.9, 0.92)),
        baselines=(network("dense", (0.95, 0.97)),),
        front=(),
        trials=(TrialRow.of(make_trial(0, 0.8)), TrialRow.of(make_trial(1, None))),
        seconds=TimeRow.all(Seconds(training=3.0, total=4.0)),
        confusion=Confusion(("0", "1"), ((3, 1), (0, 2))),
    )


@pytest.mark.parametrize(
    ("winner", "random", "kind", "words"),
    [
        # Means .95 and .90, standard errors .0058 each: twice the error of the difference is .0163.
        ((0.94, 0.95, 0.96), (0.89, 0.90, 0.91), "better", "the winner is 5.00 points better"),
        ((0.89, 0.90, 0.91), (0.94, 0.95, 0.96), "worse", "the winner is 5.00 points worse"),
        (
            (0.94, 0.95, 0.96),
            (0.93, 0.94, 0.95),
            "within noise",
            "a difference of 1.00 points, within the noise",
        ),
        ((0.95,), (0.90,), "unknown", "+5.00 points for the winner, of single trainings: the noise is not known"),
    ],
)
def test_the_verdict_is_held_against_the_noise(winner, random, kind, words):
    best, other = network("winner", winner), network("random", random)
    assert Verdict.of(best, other).kind == kind
    assert f"({words})" in sentence(best, [other], "digits", "accuracy")


def test_less_is_better_of_a_metric_to_minimize():
    best, other = network("winner", (0.10, 0.11, 0.12)), network("random", (0.20, 0.21, 0.22))
    assert Verdict.of(best, other, sign=-1.0).kind == "better"
    assert headline(best, [other], "digits", "error", -1.0).endswith(": 10.0 points better than random search.")


def test_the_headline_says_what_was_found_and_whether_it_beats_the_baselines():
    best = network("winner", (0.94, 0.95, 0.96))
    dense, random = network("dense", (0.95, 0.94, 0.96)), network("random", (0.89, 0.90, 0.91))
    assert headline(best, [dense, random], "digits", "accuracy") == (
        "A network with 600 non-zero weights reaches 95.0% accuracy on digits: "
        "as good as its dense reference within the noise, and 5.0 points better than random search."
    )
    assert headline(best, [], "digits", "accuracy").endswith("reaches 95.0% accuracy on digits.")


def test_the_headline_does_not_judge_single_trainings():
    told = headline(network("winner", (0.9,)), [network("dense", (0.95,))], "digits", "accuracy")
    assert told.endswith(": 5.0 points below its dense reference in single trainings.")


def test_the_sentence_says_where_the_mask_saves_no_bytes():
    accuracies = (0.9, 0.91)
    best = network("winner", accuracies)
    same = sentence(best, [network("dense", accuracies)], "digits", "accuracy")
    smaller = sentence(best, [network("dense", accuracies, bytes_=9000)], "digits", "accuracy")
    assert "no smaller than the dense one" in same
    assert "no smaller" not in smaller


def test_a_single_training_has_no_spread():
    assert network("winner", (0.9,)).to_json()["test"] == {"mean": 0.9, "std": None, "trainings": 1}
    assert network("winner", (0.8, 0.9)).to_json()["test"]["std"] == pytest.approx(0.0707107)
    assert network("winner", (0.9,)).cells()["measured"].text == "90.00%"
    assert network("winner", (0.8, 0.9)).cells()["measured"].text == "85.00% ± 7.07%"


def test_a_failed_trial_says_why_and_sorts_last(report):
    good, failed = (trial.cells()["measured"] for trial in report.trials)
    assert (good.text, good.order) == ("80.00%", 0.8)
    assert (failed.text, failed.order) == ("failed: loss is nan", None)


def test_what_was_written_is_read_again(report):
    stored = json.loads(json.dumps(report.to_json()))
    assert Report.from_json(stored) == report
    assert Report.from_json(stored).to_json() == stored


def test_a_report_of_an_earlier_version_is_read(report):
    stored = report.to_json()
    del stored["confusion"], stored["headline"]
    assert Report.from_json(stored).confusion is None


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("format",), 2, "is of format 2"),
        (("best",), None, "'best' is damaged: it must be an object, not None"),
        (("best", "accuracies"), [], "'accuracies' must be a list of at least 1"),
        (("best", "accuracies"), ["x"], "must be a finite number, not ['x']"),
        (("best", "nnz"), "many", "'nnz' must be a whole number from 0 on, not 'many'"),
        (("best", "nnz"), True, "'nnz' must be a whole number"),
        (("baselines",), [], "'baselines' must be an object"),
        (("front",), {}, "'front' must be a list"),
        (("trials",), [3], "row 0 of 'trials' is damaged"),
        (("trials", 0, "metrics"), {}, "has no 'nnz'"),
        (("trials", 0, "score"), {"mean": 1}, "has no 'std'"),
        (("seconds",), {"training": "long"}, "'training' must be a finite number"),
        (("confusion", "counts"), [[1]], "a table of 2 × 2"),
        (("task",), 7, "'task' is damaged"),
    ],
)
def test_an_edited_report_is_one_clear_line(report, tmp_path, path, value, message):
    stored = copy.deepcopy(report.to_json())
    place = stored
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    file = tmp_path / "report.json"
    file.write_text(json.dumps(stored))
    with pytest.raises(RunError) as error:
        read(file)
    assert message in str(error.value)
    assert f"write it anew with `nas resume {tmp_path}`" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400])
def test_a_number_that_is_none_is_refused(report, value):
    stored = report.to_json()
    stored["best"]["latency"] = value
    with pytest.raises(RunError, match="'best' is damaged: 'latency' must be a finite number"):
        Report.from_json(stored)


@pytest.mark.parametrize("content", ["", "[]", "{", "[" * 100_000, "null", '{"format": 1}'])
def test_a_file_that_is_no_report_is_one_clear_line(tmp_path, content):
    (tmp_path / "report.json").write_text(content)
    with pytest.raises(RunError, match="write it anew with `nas resume"):
        read(tmp_path / "report.json")


def test_confusion_counts_true_classes_down_and_given_ones_across():
    true, given = np.array([0, 0, 1, 2]), np.array([0, 2, 1, 2])
    assert Confusion.of(true, given, "abc").counts == ((1, 0, 1), (0, 1, 0), (0, 0, 1))
