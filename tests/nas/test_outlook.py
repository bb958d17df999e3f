"""The dry run: what a search would do, and how long it would take."""

import dataclasses
import time

import pytest

from nas.cli.main import main
from nas.engine.timed_training import _extended, timed
from nas.study.candidate_text import architecture_text, mask_text
from nas.study.config import SearchConfig
from nas.training.methods.registry import create
from nas.training.options import TrainingResult
from nas.verbs.outlook import outlook
from nas.verbs.search import checked

CONFIG = SearchConfig(task="digits", space="mlp", subset=300, constraint=("nnz<=300",), trainings=12, epochs=10)


@pytest.fixture(scope="module")
def found():
    return outlook(checked(CONFIG)[0])


@pytest.mark.takes(15, "every method is timed")
def test_what_an_expert_would_run_is_told_with_its_cost(found):
    (plain,) = found.plain
    # 64 inputs, twice 100 units, 10 classes: 6,400 + 10,000 + 1,000 weights and 210 biases.
    assert plain == {
        "plain network": "mlp: plain, relu, depth 2, width 100·100",
        "parameters": 17_610,
        "weights": 17_400,
        "non-zeros": 17_400,
    }
    rows = {row["method"]: row for row in found.references}
    assert (rows["espn"]["non-zeros"], rows["espn"]["trainings"]) == (300, 2.0)
    assert {row["method"] for row in found.methods} == {"espn", "obd", "gumbel", "gradual", "iht", "rigl"}
    assert {row["method"]: row["trainings"] for row in found.methods}["gradual"] == 1.0
    assert {"drawn from": "depth", "values": "1 to 4"} in found.space


@pytest.mark.takes(15, "every method is timed")
def test_the_budget_is_spent_on_three_parts(found):
    parts = [row["trainings"] for row in found.budget]
    assert [row["spent on"].split(":")[0] for row in found.budget] == ["by hand", "discovery", "evolution"]
    assert parts[0] == sum(row["trainings"] for row in found.references)
    assert sum(parts) == pytest.approx(12)
    assert sum(row["epochs"] for row in found.budget) == pytest.approx(120, abs=2)


@pytest.mark.slow
def test_a_longer_search_takes_longer(found):
    more = outlook(checked(dataclasses.replace(CONFIG, trainings=200))[0])
    assert more.seconds > 2 * found.seconds > 0


def test_drawn_masks_have_no_references():
    told = outlook(checked(dataclasses.replace(CONFIG, strategy="random", method="rigl"))[0])
    assert (told.references, [row["method"] for row in told.methods]) == ([], ["rigl"])
    assert [(row["spent on"], row["trainings"]) for row in told.budget] == [("random search", 12)]


def test_short_trainings_tell_the_time_of_a_whole_one(monkeypatch):
    now = 0.0

    def slow(model, task, options, **_):
        """A method that trains twice: half a second of preparation, and 10 ms for each batch."""
        nonlocal now
        epochs = 2 * options.epochs
        now += 0.5 + 0.01 * epochs * len(task.train) / options.batch_size
        return TrainingResult(
            accuracy=0.5, weights={}, losses=(1.0,) * epochs, accuracies=(), dead_units=0, seconds=0.0, seed=0
        )

    monkeypatch.setattr("nas.training.single.train", slow)
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    plan = checked(dataclasses.replace(CONFIG, subset=None, epochs=40))[0]
    guess = timed(plan, plan.space.build(plan.space.plain()[0]), create("static"))
    before = now
    slow(None, plan.task, plan.training)
    assert guess.cost == 2.0
    assert guess.took == before
    assert guess.seconds == pytest.approx(now - before)


def test_the_part_that_does_not_depend_on_examples_is_not_multiplied():
    # 1 s of preparation and 0.5 s for each batch.
    assert _extended([(1, 1.5), (4, 3.0)], 20) == 11
    assert _extended([(1, 3.0), (4, 3.0)], 20) == 15
    assert _extended([(2, 3.0), (2, 3.0)], 2) == 3


@pytest.mark.slow
def test_the_command_tells_time_and_budget_and_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = [
        "--task",
        "digits",
        "--space",
        "mlp",
        "--subset",
        "100",
        "--constraint",
        "nnz<=100",
        "--trainings",
        "8",
        "--epochs",
        "2",
    ]
    assert main(["search", *words, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "tried first, as an expert would" in out
    assert "budget: 8 trainings of 2 epochs" in out
    assert out.splitlines()[-1].startswith("Estimated time: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("architecture", "text"),
    [
        ({"wiring": "plain", "depth": 2, "width_1": 100, "width_2": 30}, "mlp: plain, depth 2, width 100·30"),
        ({"wiring": "skips", "skip_0_head": True, "skip_0_2": False}, "mlp: skips, skip 0 head"),
        ({}, "mlp"),
        ({"kernel": [3, 5], "rate": 0.5}, "mlp: kernel 3·5, rate 0.5"),
    ],
)
def test_an_architecture_in_words(architecture, text):
    assert architecture_text({"space": "mlp", "architecture": architecture}) == text


@pytest.mark.parametrize(
    ("mask", "edits", "text"),
    [
        ({"learned": {"method": "espn", "keep": 2000, "options": {}}}, [], "espn keeps 2,000"),
        ({"learned": {"method": "rigl", "keep": 20, "length": 0.5}}, [], "rigl keeps 20 in 0.5 of a training"),
        ({"inherited": {"parents": ["a-0"]}}, ["rewire", "trade"], "inherited mask, edited by rewire, trade"),
        ({"inherited": {"parents": ["a-0", "b-0"]}}, [], "two masks crossed"),
        ({"density": 1}, [], "dense"),
        ({"distribution": "erk", "pattern": "n:m", "density": 0.05}, [], "erk n:m, density 5.00%"),
    ],
)
def test_a_mask_in_words(mask, edits, text):
    assert mask_text({"mask": mask, "edits": [{"operator": name} for name in edits]}) == text
