import errno
import random
import shutil
from pathlib import Path

import optuna
import pytest

from nas.errors import RunError
from nas.study import journal_file
from nas.study.constraints import parse_all
from nas.study.objectives import parse
from nas.study.record import Record

GOALS = parse(["accuracy", "-nnz"])


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "journal.log"


@pytest.fixture
def old_journal(tmp_path):
    """Three trials as the versions before 2026-12 wrote them, the second failed."""
    name = "journal_without_checksums.jsonl"
    return Path(shutil.copy(Path(__file__).parent / "golden" / name, tmp_path / name))


def study_in(journal):
    """All studies in a file, as Optuna itself reads it."""
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(journal)))
    return [optuna.load_study(study_name=name, storage=storage) for name in optuna.get_all_study_names(storage)]


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
    (study,) = study_in(journal)
    assert study.trials[0].values == [0.9, 100.0]
    assert study.trials[0].user_attrs["score"] == {"mean": 0.8, "std": 0.1}
    assert study.trials[0].constraints == {"nnz<=200": -0.5}
    assert [t.state.name for t in study.trials] == ["COMPLETE", "FAIL"]


def test_the_journal_names_the_values_and_keeps_the_time_of_a_training(journal, make_trial):
    record = Record(journal, GOALS)
    record.add(make_trial(0, seconds=90.0))
    record.add(make_trial(1, seconds=float("inf")))  # a damaged journal may hold any number
    (study,) = study_in(journal)
    assert study.metric_names == ["accuracy", "nnz"]
    assert [trial.duration.total_seconds() for trial in study.trials] == [90.0, 0.0]


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


STRANGE_LINES = [
    b"{}",
    b'{"op_code":99,"worker_id":"x"}',
    b'{"op_code":2,"worker_id":"x","study_id":0,"user_attr":{"options":{}}}',
    b'{"op_code":1,"worker_id":"x","study_id":0}',
]


@pytest.mark.parametrize("line", STRANGE_LINES)
def test_a_line_without_a_checksum_after_one_that_has_it_is_an_error(journal, make_trial, line):
    Record(journal, GOALS).add(make_trial(0))
    journal.write_bytes(journal.read_bytes() + line + b"\n")
    with pytest.raises(RunError, match=r"journal\.log is damaged in line 4: its checksum is missing"):
        Record(journal, GOALS)


@pytest.mark.parametrize("line", STRANGE_LINES[:2])
def test_sound_json_that_is_no_record_is_an_error(old_journal, line):
    old_journal.write_bytes(old_journal.read_bytes() + line + b"\n")
    with pytest.raises(RunError, match="was not written by `nas search`, or is damaged"):
        Record(old_journal, GOALS)


def test_a_trial_whose_candidate_was_changed_is_an_error(old_journal):
    content = old_journal.read_bytes()
    assert content.count(b'{"widths":[9,4]}') == 1
    old_journal.write_bytes(content.replace(b'{"widths":[9,4]}', b'{"widths":[9,8]}'))
    with pytest.raises(
        RunError, match=r"journal_without_checksums\.jsonl, line 5 is damaged: .* not 'c43b5bc7772828ff' as stored"
    ):
        Record(old_journal, GOALS)


def test_an_old_journal_without_checksums_is_read_and_continued(old_journal, make_trial):
    record = Record(old_journal, GOALS)
    assert [trial.accuracy for trial in record.trials] == [0.9, None, 0.88]
    assert [trial.candidate.architecture["widths"] for trial in record.trials] == [[8, 4], [9, 4], [10, 4]]
    assert record.facts == {"fingerprint": "abc", "options": {"task": "digits", "seed": 0}}
    record.add(make_trial(3))
    assert Record(old_journal, GOALS).trials == record.trials
    changed = old_journal.read_bytes().replace(b'"seconds":1.5', b'"seconds":1.6', 1)
    old_journal.write_bytes(changed)  # an old line, but the new one's checksum covers it
    with pytest.raises(RunError, match="damaged in one of the lines 1 to 7: it is not what was written"):
        Record(old_journal, GOALS)


def test_lost_and_exchanged_lines_are_noticed(journal, make_trial):
    record = Record(journal, GOALS)
    for number in range(3):
        record.add(make_trial(number))
    lines = journal.read_bytes().splitlines(keepends=True)
    assert len(lines) == 5, "the study, the names of its values, three trials"
    for changed in (
        lines[:2] + lines[3:],
        [*lines[:2], lines[3], lines[2], lines[4]],
        [*lines[:4], lines[3], lines[4]],
    ):
        journal.write_bytes(b"".join(changed))
        with pytest.raises(
            RunError, match=r"damaged in line [345]: it is not what was written .*keep its first [234] lines"
        ):
            Record(journal, GOALS)
    journal.write_bytes(b"".join(lines[:4]))
    assert len(Record(journal, GOALS).trials) == 2


def test_every_flipped_bit_is_noticed_or_harmless(journal, make_trial):
    record = Record(journal, GOALS, parse_all(["nnz<=200"]))
    record.remember("fingerprint", "abc")
    record.add(make_trial(0))
    record.add(make_trial(1, accuracy=None))
    content, facts = journal.read_bytes(), dict(record.facts)
    noticed = 0
    # 2,000 openings of a journal take 2 to 8 seconds, as busy as the machine is.
    for bit in random.Random(14).sample(range(8 * len(content)), 2_000):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        journal.write_bytes(flipped)
        try:
            again = Record(journal, GOALS)
        except RunError as error:
            assert "journal.log is damaged in " in str(error)  # noqa: PT017  the message names the file and the line
            noticed += 1
        else:
            assert (again.trials, dict(again.facts)) == (record.trials, facts), f"bit {bit} changed the content"
    assert noticed > 1_900


def test_notes_of_a_dashboard_are_let_through(journal, make_trial):
    record = Record(journal, GOALS)
    record.add(make_trial(0))
    (study,) = study_in(journal)
    study._storage.set_study_system_attr(study._study_id, "dashboard:note_ver", 1)
    record.add(make_trial(1))  # appends after what another process wrote
    assert [trial.number for trial in Record(journal, GOALS).trials] == [0, 1]


def test_a_last_line_without_its_end_is_complete(journal, make_trial):
    record = Record(journal, GOALS)
    record.add(make_trial(0))
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-1])
    assert len(Record(journal, GOALS).trials) == 1
    assert journal.read_bytes() == whole
    journal.write_bytes(whole[:-1] + b"\x0b")  # one bit of the end of line changed: no kill does that
    with pytest.raises(RunError, match="damaged in line 3: its end of line is gone"):
        Record(journal, GOALS)


def test_a_record_that_is_only_read_is_not_touched(journal, make_trial):
    Record(journal, GOALS).add(make_trial(0))
    torn = journal.read_bytes() + b'{"op_code":4,"worker'
    journal.write_bytes(torn)
    assert len(Record(journal, GOALS, read_only=True).trials) == 1
    assert journal.read_bytes() == torn
    with pytest.raises(RunError, match="no such file"):
        Record(journal.with_name("none.log"), GOALS, read_only=True)
    assert not journal.with_name("none.log").exists()


def test_a_full_disk_leaves_the_journal_as_it_was_and_is_named(journal, make_trial, monkeypatch):
    record = Record(journal, GOALS)
    record.add(make_trial(0))
    whole = journal.read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(journal_file.os, "fsync", full)
    with pytest.raises(RunError, match=r"cannot write .*journal\.log: No space left on device; free some space there"):
        record.add(make_trial(1))
    monkeypatch.undo()
    assert journal.read_bytes() == whole
    record.add(make_trial(1))
    assert len(Record(journal, GOALS).trials) == 2


@pytest.mark.parametrize("line", [b"[" * 100_000, b'{"a":' * 5_000])
def test_lines_of_a_thousand_levels_are_damage(journal, line):
    journal.write_bytes(line + b"\n")
    with pytest.raises(RunError, match="damaged in line 1"):
        Record(journal, GOALS)


@pytest.mark.parametrize(
    ("was", "is_"), [(b'"accuracy":0.9', b'"accuracy":"high"'), (b'"metrics":{"nnz":100,', b'"metrics":{')]
)
def test_a_trial_with_other_values_is_an_error(old_journal, was, is_):
    content = old_journal.read_bytes()
    assert was in content
    old_journal.write_bytes(content.replace(was, is_))
    with pytest.raises(
        RunError, match=r"journal_without_checksums\.jsonl, line 4 was not written by `nas search`, or is damaged"
    ):
        Record(old_journal, GOALS)


def test_trials_are_added_in_order(journal, make_trial):
    with pytest.raises(RunError, match="does not follow"):
        Record(journal, GOALS).add(make_trial(3))


def test_facts_are_remembered(journal, make_trial):
    Record(journal, GOALS).remember("fingerprint", "abc")
    assert Record(journal, GOALS).facts["fingerprint"] == "abc"
