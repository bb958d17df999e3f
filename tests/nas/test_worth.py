"""Where the winner comes from, what each way of searching found, and whether the search was worth it."""

import dataclasses
import re

import numpy as np
import pytest
import torch

from nas.cli.main import main
from nas.conclusion.figures import Figures, wilson
from nas.metrics import Answers
from nas.reports.page.family_tree import family_tree
from nas.reports.report import Report, TaskFacts
from nas.reports.rows.family_row import FamilyRow
from nas.reports.rows.network_row import NetworkRow
from nas.reports.rows.time_row import TimeRow
from nas.reports.rows.trial_row import TrialRow
from nas.reports.rows.way_row import WayRow
from nas.reports.verdict import Verdict
from nas.reports.worth import leaders, worth
from nas.study.config import SearchConfig
from nas.study.seconds import Seconds
from nas.tasks import load_task
from nas.verbs.search import search
from search_spaces import Candidate, InheritedMask, LearnedMask, MaskEdit, MaskRecipe, Ticket


def candidate(mask, edits=(), **architecture):
    return Candidate(space="mlp", architecture={"wiring": "plain", **architecture}, mask=mask, edits=edits)


ESPN = candidate(LearnedMask(method="espn", keep=200), depth=1)
DENSE = candidate(MaskRecipe(), depth=1)
FOUND = candidate(LearnedMask(method="obd", keep=200), depth=2)
TICKET = Ticket.of([np.ones((2, 3), bool)])


def child(*parents, edits=()):
    mask = InheritedMask(ticket=TICKET.text, weights=TICKET.size, parents=parents)
    return candidate(mask, edits, depth=2)


FIRST = child(f"{FOUND.digest}-1", edits=(MaskEdit(operator="rewire"),))
SECOND = child(f"{FIRST.digest}-0", f"{FOUND.digest}-1")


@pytest.fixture
def trials(make_trial):
    """A reference, a small dense network, a discovered plan that was trained twice, its child, and the child of both."""

    def row(number, one, accuracy, way, **changes):
        return TrialRow.of(make_trial(number, accuracy, candidate=one, way=way, seed=number, proposal=None, **changes))

    return (
        row(0, ESPN, 0.9, "reference", cost=2.0),
        row(1, DENSE, 0.7, "reference"),
        row(2, FOUND, 0.91, "discovery", cost=2.9),
        row(3, FOUND, 0.93, "discovery", cost=2.9, repeat=1),
        row(4, FIRST, 0.94, "evolution", cost=0.25),
        row(5, SECOND, 0.95, "evolution", cost=0.25),
    )


def network(name, one, accuracies, *, seeds=(5,), **changes):
    data = {
        "name": name,
        "digest": one.digest,
        "candidate": one.to_json(),
        "accuracies": accuracies,
        "validation": accuracies,
        "seeds": seeds,
        "nnz": 200,
        "bytes": 5000,
        "latency": 0.01,
        "largest_error": 1e-6,
        "file": "x.onnx",
        "interval": (0.9, 0.97),
        "error": None if name == "winner" else 0.01,
    }
    return NetworkRow(**(data | changes))


def report(trials, best, *baselines, test=360):
    return Report(
        version="1",
        task=TaskFacts(
            name="digits", metric="accuracy", fingerprint="f", description="", train=900, validation=360, test=test
        ),
        config={"task": "digits", "epochs": 100},
        best=best,
        baselines=baselines,
        front=(),
        trials=trials,
        seconds=TimeRow.all(Seconds()),
    )


def test_the_family_of_the_winner_reaches_back_to_the_plan(trials):
    family = FamilyRow.all(trials, network("winner", SECOND, (0.94,)))
    assert [(one.trial, one.way, one.parents) for one in family] == [
        (5, "evolved", (4, 3)),
        (4, "evolved", (3,)),
        (3, "discovered", ()),
    ]
    assert [one.mask for one in family] == ["two masks crossed", "inherited mask, edited by rewire", "obd keeps 200"]
    assert family[2].architecture == "mlp: plain, depth 2"


def test_of_several_trainings_the_winner_is_that_with_its_seed(trials):
    assert [one.trial for one in FamilyRow.all(trials, network("winner", FOUND, (0.9,), seeds=(3,)))] == [3]
    # A drawn mask is trained again with fresh seeds: its first training stands for it.
    assert [one.trial for one in FamilyRow.all(trials, network("winner", FOUND, (0.9,), seeds=(77, 78)))] == [2]
    assert FamilyRow.all(trials[:1], network("winner", SECOND, (0.9,))) == ()


def test_a_damaged_family_ends(trials):
    circle = dataclasses.replace(trials[4], candidate=child(f"{SECOND.digest}-0").to_json())
    family = FamilyRow.all((*trials[:4], circle, trials[5]), network("winner", SECOND, (0.94,)))
    assert [one.trial for one in family] == [5, 4, 3]


def test_the_tree_has_parents_above_their_children(trials):
    family = FamilyRow.all(trials, network("winner", SECOND, (0.94,)))
    drawn = family_tree(family)
    assert drawn is not None
    assert drawn.count("<rect") == drawn.count('class="title"') == 3
    assert drawn.count('class="link"') == 3
    tops = [float(y) for y in re.findall(r'y="([\d.]+)" width', drawn)]
    titles = re.findall(r"<title>(trial \d)", drawn)
    assert sorted(zip(tops, titles, strict=True)) == [(4, "trial 3"), (96, "trial 4"), (188, "trial 5")]
    assert drawn.count("winner-box") == 1
    assert family_tree(()) is None
    assert family_tree(family * 30) is None


def test_every_way_tells_what_it_spent_and_found(trials):
    winner, by_hand = network("winner", SECOND, (0.94,)), network("by hand", ESPN, (0.91,), seeds=(0,))
    rows = report(trials, winner, by_hand).ways
    told = [(row.way, row.trials, row.trainings, row.epochs, row.validation, row.test) for row in rows]
    assert told == [
        ("by hand", 1, 2.0, 200, 0.9, 0.91),
        ("small dense", 1, 1.0, 100, 0.7, None),
        ("discovered", 2, 5.8, 580, 0.93, None),
        ("evolved", 2, 0.5, 50, 0.95, 0.94),
    ]
    assert rows[1].cells()["best on test"].text == "not measured"


def test_less_is_better_where_the_metric_is_minimised(trials):
    rows = WayRow.all(trials, [], epochs=1, sign=-1.0)
    assert next(row for row in rows if row.way == "discovered").validation == 0.91


@pytest.mark.parametrize(
    ("test_metric", "words"),
    [
        (
            0.90,
            "worth it: the winner (evolved) has 94.00% (95 % interval 90.0 to 97.0) on 360 test examples, the best by hand 90.00%",
        ),
        (0.93, "not shown to be worth it: the winner (evolved)"),
        (0.98, "not worth it: the winner (evolved)"),
    ],
)
def test_the_verdict_holds_the_winner_against_what_one_does_by_hand(trials, test_metric, words):
    winner, by_hand = network("winner", SECOND, (0.94,)), network("by hand", ESPN, (test_metric,), seeds=(0,))
    told = worth(winner, [network("dense", DENSE, (0.5,)), by_hand], trials, test=360)
    assert told.startswith(f"Verdict: {words}")
    larger = "not larger" if test_metric == 0.93 else "larger"
    assert told.endswith(f"{94 - 100 * test_metric:+.2f} points ± 1.00 (standard error), {larger} than the noise.")


def test_a_winner_of_the_first_round_found_nothing_better(trials):
    winner, by_hand = (network(name, ESPN, (0.94,), seeds=(0,), error=0.0) for name in ("winner", "by hand"))
    assert Verdict.of(winner, by_hand).kind == "same"
    assert worth(winner, [by_hand], trials, test=360) == (
        "Verdict: the search found nothing better than what an expert would have run first, which is the winner "
        "(espn keeps 200, mlp: plain, depth 1). It has 94.00% (95 % interval 90.0 to 97.0) on the test split."
    )
    again = network("winner", ESPN, (0.95,), seeds=(9,))
    told = worth(again, [network("by hand", ESPN, (0.94,), seeds=(0,))], trials, test=360)
    assert "trained again with another seed" in told
    assert told.endswith("+1.00 points ± 1.00 (standard error), not larger than the noise.")


def test_without_references_the_verdict_says_so(trials):
    drawn = [dataclasses.replace(trial, way="drawn") for trial in trials]
    winner = network("winner", SECOND, (0.94, 0.95), seeds=(8, 9))
    told = worth(winner, [network("dense", DENSE, (0.9, 0.91))], drawn, test=360)
    assert told.startswith(
        "Verdict: nothing was run by hand to compare with, only its dense reference: the winner (drawn)"
    )
    assert worth(winner, [], drawn, test=360).endswith("there is nothing to compare it with.")


def test_both_kinds_of_noise_count():
    winner = network("winner", SECOND, (0.94, 0.96), seeds=(1, 2))  # standard error of the mean .01
    other = network("dense", DENSE, (0.9,), error=0.02)
    assert Verdict.of(winner, other).error == pytest.approx((0.01**2 + 0.02**2) ** 0.5)
    assert Verdict.of(winner, dataclasses.replace(other, error=None)).kind == "unknown"


def test_what_was_expected_of_the_winner_is_told(trials):
    winner = network("winner", SECOND, (0.94,))
    told = leaders(dataclasses.replace(winner, expected=0.941), trials, validation=360)
    assert told == leaders(winner, trials, validation=360) + (
        " With their results on training examples, 94.10% are expected of the winner on new ones."
    )


def test_leaders_within_the_noise_are_told(trials):
    winner = network("winner", SECOND, (0.94,))
    # Standard error of a difference from .95 on 360 examples: about .018 near .91, so that .93, .94 and .91.. are near.
    assert leaders(winner, trials, validation=360) == (
        "On the 360 validation examples 2 other candidates are within two standard errors (3.2 points) of the winner, "
        "95.00%: these leaders cannot be told apart."
    )
    assert leaders(winner, trials, validation=100_000) == ""
    assert leaders(network("winner", Candidate(space="x", architecture={}), (0.9,)), trials, validation=360) == ""


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    # Wilson's interval, from Brown, Cai & DasGupta (2001) and by hand.
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (9, 10, 0.5958, 0.9821), (10, 10, 0.7225, 1.0)],
)
def test_wilson(right, count, low, high):
    assert wilson(right / count, count) == pytest.approx((low, high), abs=1e-4)


def answers_of(task, wrong):
    """Right answers for the test split but for the first `wrong` examples."""
    y = torch.from_numpy(task.test.y)
    given = y.clone()
    given[:wrong] = (given[:wrong] + 1) % 10
    return Answers(torch.nn.functional.one_hot(given, 10).float(), y)


def test_the_error_of_a_difference_is_paired():
    task = load_task("digits")
    count = len(task.test)
    few, more = (Figures.of([answers_of(task, wrong)], task) for wrong in (20, 36))
    assert few.values == pytest.approx((1 - 20 / count,))
    assert few.error_against(few) == 0.0
    # Only 16 examples are answered differently: the variance of the difference is d (1 - d) / n with d = 16 / n.
    share = 16 / count
    assert few.error_against(more) == pytest.approx((share * (1 - share) / count) ** 0.5, rel=0.15)
    assert few.interval == wilson(few.values[0], count)


def test_an_interval_of_another_metric_is_that_of_resampled_examples():
    task = dataclasses.replace(load_task("reber", subset=100), metric="legality")
    y = torch.from_numpy(task.test.y)
    logits = torch.nn.functional.one_hot(y.clamp(min=0), task.signature.outputs).float()
    logits[::3] = -logits[::3]
    legal = None if task.test.legal is None else torch.from_numpy(task.test.legal)
    figures = Figures.of([Answers(logits, y, legal)], task)
    assert figures.interval[0] < figures.values[0] < figures.interval[1]


@pytest.mark.takes(20, "a search")
def test_a_search_of_references_alone_says_so_and_shows_them(tmp_path):
    config = SearchConfig(
        space="mlp", subset=150, constraint=("nnz<=200",), trainings=2, round=2, epochs=2, predictor="none", repeats=1
    )
    told = search(config, tmp_path / "run")
    assert {row["way"] for row in told["ways"]} <= {"by hand", "small dense"}
    by_hand = told["baselines"]["by hand"]
    assert (by_hand["digest"], by_hand["accuracies"]) == (told["best"]["digest"], told["best"]["accuracies"])
    assert by_hand["error"] == 0.0
    assert told["verdict"].startswith(
        "Verdict: the search found nothing better than what an expert would have run first"
    )


@pytest.mark.takes(20, "a search")
def test_a_search_ends_with_its_verdict(tmp_path, capsys):
    words = [
        "--task",
        "digits",
        "--space",
        "mlp",
        "--subset",
        "150",
        "--constraint",
        "nnz<=200",
        "--trainings",
        "6",
        "--epochs",
        "2",
    ]
    assert main(["search", *words, "--predictor", "none", "--repeats", "1", "-q", "--out", str(tmp_path / "run")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("Verdict: ")
    assert sum(line.startswith("Verdict: ") for line in lines[-10:]) == 1
    assert {"What each way of searching spent and found", "Where the winner comes from"} <= {
        one.strip() for one in lines
    }
    assert any(line.strip().startswith("by hand") for line in lines)
    assert "family tree of the winner" in (tmp_path / "run" / "report.html").read_text()
