"""Trials: ranges, inheritance, changes, records."""

import numpy as np
import pytest

from search_spaces import InvalidCandidateError
from search_spaces.genes import InheritedTrial, RandomTrial, RecordedTrial, Recorder, cross


def ask(trial):
    return {
        "units": trial.suggest_int("units", 8, 128, log=True),
        "degree": trial.suggest_int("degree", 2, 8, step=2),
        "rate": trial.suggest_float("rate", 0.01, 1.0, log=True),
        "kind": trial.suggest_categorical("kind", ["a", "b", "c"]),
        "on": trial.suggest_categorical("on", [False, True]),
    }


def test_random_answers_lie_in_their_ranges():
    trial = RandomTrial(np.random.default_rng(0))
    answers = [ask(trial) for _ in range(500)]
    units = [answer["units"] for answer in answers]
    assert min(units) >= 8
    assert max(units) <= 128
    # Log-uniform in [8, 128]: the median is √(8 · 128) = 32.
    assert np.median(units) == pytest.approx(32, rel=0.15)
    assert {answer["degree"] for answer in answers} == {2, 4, 6, 8}
    assert {answer["kind"] for answer in answers} == {"a", "b", "c"}
    assert all(0.01 <= answer["rate"] <= 1 for answer in answers)


def test_inherited_answers_are_the_parents():
    parent = {"units": 20, "degree": 6, "rate": 0.5, "kind": "b", "on": True}
    assert ask(InheritedTrial(parent, np.random.default_rng(0))) == parent


def test_only_the_named_gene_changes():
    parent = {"units": 20, "degree": 6, "rate": 0.5, "kind": "b", "on": True}
    rng = np.random.default_rng(0)
    for name in parent:
        seen = [ask(InheritedTrial(parent, rng, {name})) for _ in range(20)]
        assert any(child[name] != parent[name] for child in seen)
        assert all({**child, name: None} == {**parent, name: None} for child in seen)
        assert all(child["degree"] in (2, 4, 6, 8) and 8 <= child["units"] <= 128 for child in seen)


@pytest.mark.parametrize("bad", [{"units": 7}, {"units": True}, {"degree": 3}, {"rate": "x"}, {"kind": "z"}, {"on": 1}])
def test_answers_out_of_range_are_drawn_anew(bad):
    parent = {"units": 20, "degree": 6, "rate": 0.5, "kind": "b", "on": True} | bad
    (name,) = bad
    child = ask(InheritedTrial(parent, np.random.default_rng(0)))
    assert child[name] is not bad[name]
    assert type(child[name]) is type(ask(RandomTrial(np.random.default_rng(0)))[name])


def test_recorder_keeps_answers_in_order():
    recorder = Recorder(RandomTrial(np.random.default_rng(0)))
    assert recorder.genes == {}
    assert ask(recorder) == recorder.genes
    assert list(recorder.genes) == ["units", "degree", "rate", "kind", "on"]


@pytest.mark.parametrize(
    "bad", [{"units": 0}, {"units": 5000}, {"rate": float("nan")}, {"rate": 2}, {"kind": 3}, {"on": "yes"}]
)
def test_records_hold_sensible_values(bad):
    (name,) = bad
    with pytest.raises(InvalidCandidateError, match=name):
        ask(RecordedTrial({"units": 20, "degree": 6, "rate": 0.5, "kind": "b", "on": True} | bad))


def test_missing_record_is_named():
    with pytest.raises(InvalidCandidateError, match="no gene 'units'; it has degree"):
        ask(RecordedTrial({"degree": 2}))


def test_cross_takes_every_gene_from_a_parent():
    first, second = {"a": 1, "b": 1, "only": 1}, {"a": 2, "b": 2, "other": 2}
    rng = np.random.default_rng(0)
    children = [cross(first, second, rng) for _ in range(40)]
    assert {(child["a"], child["b"]) for child in children} == {(1, 1), (1, 2), (2, 1), (2, 2)}
    assert all(child["only"] == 1 and child["other"] == 2 for child in children)
