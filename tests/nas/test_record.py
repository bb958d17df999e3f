import optuna
import pytest

from nas.errors import RunError
from nas.study.constraints import parse_all
from nas.study.objectives import parse
from nas.study.record import Record

GOALS = parse(["accuracy", "-nnz"])


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "journal.log"


def test_trials_come_back_as_they_were(journal, make_trial):
    first, failed = make_trial(0), make_trial(1, accuracy=None)
    record = Record(journal, GOALS)
    record.add(first)
    record.add(failed)
    assert Record(journal, GOALS).trials == [first, failed]


def test_the_journal_is_an_optuna_study_of_measured_values_only(journal, make_trial):
    record = Record(journal, GOALS, parse_all(["nnz<=200"]))
    record.add(make_trial(0))
    record.add(make_trial(1, accuracy=None))
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(journal)))
    study = optuna.load_study(study_name="search", storage=storage)
    assert study.trials[0].values == [0.9, 100.0]
    assert study.trials[0].user_attrs["score"] == {"mean": 0.8, "std": 0.1}
    assert study.trials[0].constraints == {"nnz<=200": -0.5}
    assert [t.state.name for t in study.trials] == ["COMPLETE", "FAIL"]


def test_a_torn_last_line_is_cut_off_and_the_rest_kept(journal, make_trial):
    record = Record(journal, GOALS)
    record.add(make_trial(0))
    whole = journal.read_bytes()
    record.add(make_trial(1))
    torn = journal.read_bytes()[: len(whole) + 40]
    journal.write_bytes(torn)
    again = Record(journal, GOALS)
    assert [t.number for t in again.trials] == [0]
    again.add(make_trial(1))
    assert [t.number for t in Record(journal, GOALS).trials] == [0, 1]


def test_a_dead_writers_lock_does_not_hold_up_the_next(journal, make_trial):
    Record(journal, GOALS)
    journal.with_name("journal.log.lock").symlink_to(journal)
    record = Record(journal, GOALS)
    record.add(make_trial(0))
    assert len(record.trials) == 1


def test_damage_in_the_middle_is_an_error_that_names_the_line(journal, make_trial):
    Record(journal, GOALS).add(make_trial(0))
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(lines[0] + b"garbage\n" + b"".join(lines[1:]))
    with pytest.raises(RunError, match="damaged in line 2"):
        Record(journal, GOALS)


@pytest.mark.parametrize("line", [b"{}", b'{"op_code":99,"worker_id":"x"}'])
def test_sound_json_that_is_no_record_is_an_error(journal, make_trial, line):
    Record(journal, GOALS).add(make_trial(0))
    journal.write_bytes(journal.read_bytes() + line + b"\n")
    with pytest.raises(RunError, match="was not written by `nas search`, or is damaged"):
        Record(journal, GOALS)


@pytest.mark.parametrize(
    ("was", "is_"), [(b'"accuracy":0.9', b'"accuracy":"high"'), (b'"metrics":{"nnz":100}', b'"metrics":{}')]
)
def test_a_trial_with_other_values_is_an_error(journal, make_trial, was, is_):
    Record(journal, GOALS).add(make_trial(0))
    content = journal.read_bytes()
    assert was in content
    journal.write_bytes(content.replace(was, is_))
    with pytest.raises(RunError, match="damaged"):
        Record(journal, GOALS)


def test_trials_are_added_in_order(journal, make_trial):
    with pytest.raises(RunError, match="does not follow"):
        Record(journal, GOALS).add(make_trial(3))


def test_facts_are_remembered(journal, make_trial):
    Record(journal, GOALS).remember("fingerprint", "abc")
    assert Record(journal, GOALS).facts["fingerprint"] == "abc"
