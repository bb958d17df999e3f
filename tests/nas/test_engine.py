"""The search itself, on a few hundred digits and a few epochs."""

import dataclasses
import html
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from nas.cli.main import main
from nas.engine.budget import confirmations, first_round, training_seed
from nas.engine.leaders import winner
from nas.errors import ConstraintError, RunError, TrainingError, UsageError
from nas.study.config import SearchConfig
from nas.study.learning_curves import from_text
from nas.study.run_folder import RunFolder
from nas.study.trial import CandidateResult
from nas.verbs import search as searches
from search_spaces.candidate import Candidate

CONFIG = SearchConfig(
    task="digits",
    space="mlp",
    subset=300,
    strategy="evolution",
    predictor="quick",
    constraint=("nnz<=400",),
    trainings=14,
    round=4,
    screen=12,
    epochs=2,
    learning_rate=0.01,
    repeats=2,
    finish=1,
)


def outcome(report):
    """What must not depend on a disturbance: everything but wall times."""
    return [(t["number"], t["round"], t["repeat"], t["digest"], t["accuracy"], t["score"]) for t in report["trials"]]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run without interruption: its folder and report."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    return folder, searches.search(CONFIG, folder)


def copy_of(folder: Path, target: Path) -> Path:
    """The run as a kill would leave it: configuration and journal only."""
    target.mkdir()
    (target / "models").mkdir()
    for name in ("config.toml", "journal.log"):
        (target / name).write_bytes((folder / name).read_bytes())
    return target


def test_a_run_folder_holds_what_the_readme_says(finished):
    folder, report = finished
    names = {path.name for path in folder.iterdir()}
    assert {
        "config.toml",
        "journal.log",
        "trials.csv",
        "models",
        "curves",
        "best.onnx",
        "report.json",
        "report.html",
        "pareto.png",
    } <= names
    assert {"best", "trials", "front", "baselines", "seconds"} <= set(report)
    assert json.loads((folder / "report.json").read_text()) == report
    assert RunFolder(folder).config() == CONFIG


def test_every_trial_meets_the_constraint_and_the_budget_is_spent(finished):
    _, report = finished
    assert len(report["trials"]) == CONFIG.trainings
    assert all(0 < trial["metrics"]["nnz"] <= 400 for trial in report["trials"])
    assert [trial["number"] for trial in report["trials"]] == list(range(14))


def test_first_round_has_no_score_and_later_ones_have(finished):
    _, report = finished
    first = [t for t in report["trials"] if t["round"] == 0]
    later = [t for t in report["trials"] if t["round"] == 1 and t["repeat"] == 0]
    assert len(first) == first_round(CONFIG) == 8
    assert all(t["score"] is None for t in first)
    assert later
    assert all(t["score"] is not None for t in later)


def test_the_leaders_are_trained_again_and_one_of_them_wins(finished):
    _, report = finished
    again = {t["digest"] for t in report["trials"] if t["repeat"] > 0}
    assert sum(t["repeat"] > 0 for t in report["trials"]) == confirmations(CONFIG) == 2
    assert report["best"]["digest"] in again


def test_the_exported_winner_has_the_reported_accuracy_in_onnxruntime(finished):
    folder, report = finished
    task = searches.task_of(CONFIG)
    session = onnxruntime.InferenceSession(folder / "best.onnx")
    x = (
        task.test.x
        if task.normalisation is None
        else task.test.x / task.normalisation.scale + task.normalisation.offset
    )
    logits = session.run(None, {session.get_inputs()[0].name: x.astype(np.float32)})[0]
    best = report["best"]
    accuracy = best["accuracies"][int(np.argmax(best["validation"]))]
    assert np.mean(logits.argmax(axis=1) == task.test.y) == pytest.approx(accuracy)
    metadata = session.get_modelmeta().custom_metadata_map
    assert metadata["nas.digest"] == best["digest"]
    assert float(metadata["nas.test_accuracy"]) == pytest.approx(accuracy, abs=1e-6)


def test_the_page_stands_alone(finished):
    folder, report = finished
    page = (folder / "report.html").read_text()
    assert html.escape(report["headline"]) in page
    assert page.count("<svg") == 5
    assert page.count("<script") == 1
    assert all(source.startswith("data:image/png;base64,") for source in re.findall(r' src="([^"]*)"', page))
    assert "http:" not in page
    assert "https:" not in page
    assert "@import" not in page
    assert "url(" not in page


def test_a_run_cut_inside_a_round_ends_as_the_undisturbed_one(finished, tmp_path):
    folder, report = finished
    cut = copy_of(folder, tmp_path / "cut")
    lines = (cut / "journal.log").read_bytes().splitlines(keepends=True)
    trials = [i for i, line in enumerate(lines) if b'"digest"' in line]
    kept = trials[9] + 1  # the second trial of the second round
    (cut / "journal.log").write_bytes(b"".join(lines[:kept]) + lines[kept][:30])
    assert outcome(searches.resume(cut)) == outcome(report)


@pytest.mark.takes(15, "a search and its continuation")
def test_a_killed_run_ends_as_the_undisturbed_one(finished, tmp_path, capsys):
    folder, report = finished
    killed = tmp_path / "killed"
    config = tmp_path / "run.toml"
    config.write_text(CONFIG.to_toml())
    command = [sys.executable, "-m", "nas", "search", "--config", str(config), "--out", str(killed), "--quiet"]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    journal, deadline = killed / "journal.log", time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if journal.exists() and journal.read_bytes().count(b'"digest"') >= 5:
            break
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert journal.read_bytes().count(b'"digest"') >= 5
    assert main(["resume", str(killed), "--quiet", "--format", "json"]) == 0
    assert outcome(json.loads(capsys.readouterr().out)) == outcome(report)
    curves = {path.name: path.read_text() for path in (folder / "curves").iterdir()}
    assert {path.name: path.read_text() for path in (killed / "curves").iterdir()} == curves
    assert sum(len(from_text(text)) for text in curves.values()) == len(report["trials"])


def test_resuming_a_finished_run_trains_nothing_more(finished, tmp_path):
    folder, report = finished
    copy = copy_of(folder, tmp_path / "copy")
    before = (copy / "journal.log").read_bytes()
    assert outcome(searches.resume(copy)) == outcome(report)
    assert (copy / "journal.log").read_bytes() == before


def test_more_trainings_keep_the_old_ones(finished, tmp_path):
    folder, report = finished
    copy = copy_of(folder, tmp_path / "copy")
    longer = searches.resume(copy, trainings=18)
    assert outcome(longer)[:14] == outcome(report)
    assert len(longer["trials"]) == 18
    assert RunFolder(copy).config().trainings == 18


def test_after_more_trainings_the_best_of_all_are_confirmed(finished, tmp_path):
    folder, _ = finished
    longer = searches.resume(copy_of(folder, tmp_path / "copy"), trainings=30)
    again = [t for t in longer["trials"] if t["repeat"] > 0 and t["number"] >= 14]
    before = [t for t in longer["trials"] if t["number"] < again[0]["number"]]
    means = {}
    for trial in before:
        means.setdefault(trial["digest"], []).append(trial["accuracy"])
    best = max(means, key=lambda digest: np.mean(means[digest]))
    assert best in {trial["digest"] for trial in again}


def test_a_total_below_what_is_done_is_refused_and_changes_nothing(finished, tmp_path):
    folder, _ = finished
    copy = copy_of(folder, tmp_path / "copy")
    with pytest.raises(UsageError, match="already holds 14 trainings"):
        searches.resume(copy, trainings=5)
    assert RunFolder(copy).config().trainings == 14


def test_an_unsatisfiable_constraint_is_an_error_before_anything_is_made(tmp_path):
    config = dataclasses.replace(CONFIG, constraint=("bytes<=200",))
    with pytest.raises(
        ConstraintError, match=r"none of 200 candidates of the space mlp meets bytes<=200; the least seen: bytes \d+"
    ):
        searches.search(config, tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"strategy": "annealing"}, "unknown strategy"),
        ({"predictor": "oracle"}, "unknown predictor"),
        ({"device": "tpu"}, "device 'tpu' is not available"),
        ({"objective": ("speed",)}, "unknown objective"),
        ({"task": "digit"}, "did you mean 'digits'"),
        ({"space_option": ("depth",)}, "NAME=VALUE"),
    ],
)
def test_a_wrong_name_is_an_error_before_anything_is_made(tmp_path, change, message):
    with pytest.raises(UsageError, match=message):
        searches.search(dataclasses.replace(CONFIG, **change), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_changed_data_stops_a_resume(finished, tmp_path, monkeypatch):
    folder, _ = finished
    copy = copy_of(folder, tmp_path / "copy")
    task = dataclasses.replace(searches.task_of(CONFIG), fingerprint="other")
    monkeypatch.setattr(searches, "task_of", lambda config: task)
    with pytest.raises(RunError, match=r"is not what .* was begun with"):
        searches.resume(copy)


def test_changed_options_stop_a_resume(finished, tmp_path):
    folder, _ = finished
    copy = copy_of(folder, tmp_path / "copy")
    text = (copy / "config.toml").read_text()
    (copy / "config.toml").write_text(text.replace("nnz<=400", "nnz<=100").replace("seed = 0", "seed = 5"))
    with pytest.raises(RunError, match=r"constraint, seed in .* changed since the run was begun"):
        searches.resume(copy)


def test_a_lost_journal_beside_trials_is_an_error_not_a_new_search(finished, tmp_path):
    folder, _ = finished
    copy = copy_of(folder, tmp_path / "copy")
    (copy / "trials.csv").write_bytes((folder / "trials.csv").read_bytes())
    (copy / "journal.log").unlink()
    with pytest.raises(RunError, match="not the journal that this run was begun with"):
        searches.resume(copy)


def test_a_bound_on_bytes_holds_for_the_exported_file(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "data.csv"
    rows = [f"{a:.3f},{b:.3f},{'yes' if a > b else 'no'}" for a, b in rng.normal(size=(120, 2))]
    path.write_text("\n".join(["height,weight,tall", *rows]))
    config = SearchConfig(
        task=str(path),
        target="tall",
        constraint=("bytes<=4000",),
        trainings=8,
        round=4,
        screen=8,
        epochs=2,
        predictor="none",
        repeats=1,
    )
    report = searches.search(config, tmp_path / "run")
    assert (tmp_path / "run" / "best.onnx").stat().st_size == report["best"]["bytes"] <= 4000
    metadata = onnxruntime.InferenceSession(tmp_path / "run" / "best.onnx").get_modelmeta().custom_metadata_map
    assert json.loads(metadata["nas.features"]) == ["height", "weight"]
    assert json.loads(metadata["nas.classes"]) == ["no", "yes"]
    assert report["best"]["test"]["std"] is None
    assert "±" not in report["sentence"]


def test_a_failed_training_is_a_recorded_trial(tmp_path, monkeypatch):
    import nas.training.population as population

    real = population.train_population

    def first_fails(models, task, options, *, seeds, **further):
        results = real(models, task, options, seeds=seeds, **further)
        return [TrainingError("the loss is not finite"), *results[1:]] if len(models) > 4 else results

    monkeypatch.setattr(population, "train_population", first_fails)
    report = searches.search(dataclasses.replace(CONFIG, trainings=10, predictor="none", confirm=0.0), tmp_path / "run")
    failed = [trial for trial in report["trials"] if trial["accuracy"] is None]
    assert failed
    assert {trial["error"] for trial in failed} == {"the loss is not finite"}
    assert len(report["trials"]) == 10


def test_a_timeout_ends_the_search_after_the_round_in_work(tmp_path):
    report = searches.search(dataclasses.replace(CONFIG, trainings=400, timeout=0.01), tmp_path / "run")
    assert len(report["trials"]) == first_round(dataclasses.replace(CONFIG, trainings=400))


def test_progress_tells_trainings_and_best(tmp_path):
    seen = []
    searches.search(
        dataclasses.replace(CONFIG, trainings=8, predictor="none"), tmp_path / "run", on_progress=seen.append
    )
    assert (seen[0].trainings, seen[0].best) == (0, None)
    assert seen[-1].trainings == 8
    assert 0 < seen[-1].best <= 1
    assert seen[-1].screened >= 8


def test_two_objectives_give_a_front_of_both(tmp_path):
    config = dataclasses.replace(CONFIG, objective=("accuracy", "-nnz"), trainings=12)
    report = searches.search(config, tmp_path / "run")
    front = sorted(report["front"], key=lambda row: row["nnz"])
    assert [row["accuracy"] for row in front] == sorted(row["accuracy"] for row in front)


def test_the_random_baseline_is_given_as_many_trainings(tmp_path):
    config = dataclasses.replace(CONFIG, trainings=8, random_baseline=True, predictor="none")
    report = searches.search(config, tmp_path / "run")
    assert len(report["baselines"]["random"]["accuracies"]) == 2
    assert "random search with as many trainings" in report["sentence"]
    journal = (tmp_path / "run" / "random" / "journal.log").read_bytes()
    assert journal.count(b'"digest"') == 8


def test_a_training_seed_depends_on_study_candidate_and_repeat():
    seeds = {training_seed(0, "a", 0), training_seed(1, "a", 0), training_seed(0, "b", 0), training_seed(0, "a", 1)}
    assert len(seeds) == 4
    assert training_seed(0, "a", 0) == training_seed(0, "a", 0)


def test_a_candidate_trained_once_does_not_beat_a_confirmed_one():
    candidate = Candidate(space="mlp", architecture={})
    lucky = CandidateResult(
        candidate=candidate,
        accuracy=0.99,
        accuracies=(0.99,),
        metrics={"nnz": 5},
        score=None,
        number=0,
        expected=(0.99,),
    )
    sure = CandidateResult(
        candidate=candidate,
        accuracy=0.95,
        accuracies=(0.94, 0.96),
        metrics={"nnz": 5},
        score=None,
        number=1,
        expected=(0.94, 0.96),
    )
    assert winner((), [lucky, sure]) is sure
    assert winner((), [lucky]) is lucky
