"""Every trial knows how its candidate was found, in records of earlier versions too."""

import json
from dataclasses import replace

import pytest

from nas.errors import RunError
from nas.reports.rows.trial_row import TrialRow
from nas.study.objectives import parse
from nas.study.record import Record
from nas.study.way import read_way

GOALS = parse(["accuracy"])
LEARNED = {"learned": {"method": "espn", "keep": 5, "options": {}}}


def test_a_trial_comes_back_with_its_way(tmp_path, make_trial):
    Record(tmp_path / "journal.log", GOALS).add(make_trial(0, way="discovery"))
    assert [trial.way for trial in Record(tmp_path / "journal.log", GOALS).trials] == ["discovery"]


@pytest.mark.parametrize(
    ("mask", "round_", "way"),
    [
        (LEARNED, 0, "reference"),
        (LEARNED, 3, "discovery"),
        ({"density": 1.0}, 0, "reference"),
        ({"density": 1.0}, 2, "drawn"),
        ({"density": 0.1}, 0, "drawn"),
        ({"inherited": {"ticket": "A"}}, 4, "evolution"),
    ],
)
def test_earlier_records_have_no_way_and_it_is_inferred(mask, round_, way):
    assert read_way(None, {"mask": mask}, round_) == way


def test_a_reference_that_is_trained_again_stays_a_reference(tmp_path, make_trial):
    journal = tmp_path / "journal.log"
    record = Record(journal, GOALS)
    first = make_trial(0, way="reference")
    record.add(first)
    record.add(replace(make_trial(1, way="discovery"), candidate=first.candidate, repeat=1))
    record.add(make_trial(2, way="discovery"))
    assert [trial.way for trial in Record(journal, GOALS).trials] == ["reference", "reference", "discovery"]
    rows = TrialRow.all_from_json([TrialRow.of(trial).to_json() for trial in record.trials], "it")
    assert [row.way for row in rows] == ["reference", "reference", "discovery"]


def test_a_stored_way_wins_and_is_checked():
    assert read_way("random", {"mask": LEARNED}, 0) == "random"
    with pytest.raises(ValueError, match="'luck' is no way of searching; there are reference, discovery"):
        read_way("luck", {"mask": LEARNED}, 0)


@pytest.mark.parametrize("value", ["luck", 7, ["drawn"]])
def test_a_journal_with_another_way_is_refused(tmp_path, make_trial, value):
    journal = tmp_path / "journal.log"
    Record(journal, GOALS).add(make_trial(0))
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    for line in lines:
        line.pop("checksum", None)
        if "user_attrs" in line:
            line["user_attrs"]["way"] = value
    other = tmp_path / "other.log"
    other.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(RunError, match=r"line \d was not written .* is no way of searching"):
        Record(other, GOALS)


def test_a_report_with_another_way_is_refused_and_an_earlier_one_is_read(make_trial):
    stored = TrialRow.of(make_trial(0, way="evolution")).to_json()
    assert TrialRow.from_json(stored, "it").way == "evolution"
    with pytest.raises(RunError, match="it is damaged: 'way' must be a way of searching"):
        TrialRow.from_json(stored | {"way": "luck"}, "it")
    del stored["way"]
    learned = json.loads(json.dumps(stored)) | {"candidate": stored["candidate"] | {"mask": LEARNED}}
    assert TrialRow.from_json(learned, "it").way == "reference"
    with pytest.raises(RunError, match="it is damaged: 'candidate': not a candidate"):
        TrialRow.from_json(stored | {"candidate": {"mask": 3}}, "it")
