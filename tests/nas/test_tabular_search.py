"""Searches in a small table of NAS-Bench-201 cells: accuracies are looked up, nothing is trained."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

import onnx_graph
import search_spaces
from nas.cli.main import main
from nas.engine.plan import resolve
from nas.engine.pool import Pool
from nas.errors import RunError, UsageError
from nas.study import objectives
from nas.study.config import SearchConfig
from nas.study.record import Record
from nas.study.trial import Proposal
from nas.verbs import search as searches
from nas.verbs.train import export_trial
from search_spaces import Signature
from tests.nas.test_engine import outcome

CODES = sorted({f"1{a}{b}{c}1{d}" for a in "014" for b in "0134" for c in "14" for d in "014"})
"""Small networks: few operations have weights."""


def write_table(path: Path, *, best: str = "140114") -> Path:
    """A skip or a pool is worth a point, a 1×1 convolution three; one network is the best by far on validation."""
    lines = ["code,cifar10_val_9ep,cifar10_test_9ep"]
    for code in CODES:
        worth = 70 + code.count("0") + code.count("4") + 3 * code.count("3")
        lines.append(f"{code},{90 if code == best else worth},{worth + 1.5}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    return write_table(tmp_path_factory.mktemp("tables") / "small.csv")


def config(table: Path, **options: object) -> SearchConfig:
    given = {
        "space": "nasbench201",
        "table": str(table),
        "column": "cifar10_val_9ep",
        "strategy": "guided",
        "trainings": 20,
        "round": 4,
        "screen": 6,
        "seed": 1,
    }
    return SearchConfig(**(given | options))


@pytest.fixture(scope="module")
def finished(table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tabular") / "run"
    return folder, searches.search(config(table), folder)


@pytest.mark.takes(30, "the run that all of them look at")
def test_accuracies_are_those_of_the_table(finished, table):
    _, report = finished
    found = resolve(config(table)).table
    by_digest = {one.digest: found.validation[found.place(one)] for one in found.candidates}
    assert len(report["trials"]) == len({trial["digest"] for trial in report["trials"]}) == 20
    assert all(trial["accuracy"] == by_digest[trial["digest"]] for trial in report["trials"])
    assert all(trial["cost"] == 1.0 for trial in report["trials"])
    assert {trial["round"] for trial in report["trials"] if trial["score"] is not None} == {1, 2, 3}


@pytest.mark.takes(30, "the run that all of them look at")
def test_the_winner_has_the_test_accuracy_of_the_table_and_untrained_weights(finished):
    folder, report = finished
    best = max(report["trials"], key=lambda trial: trial["accuracy"])
    assert report["best"]["digest"] == best["digest"]
    assert report["best"]["validation"] == [best["accuracy"]]
    model = onnx_graph.load(folder / "best.onnx")
    said = model.metadata_props
    assert said["nas.weights"] == "untrained"
    assert said["nas.looked_up"] == "column cifar10_val_9ep of small.csv, test column cifar10_test_9ep"
    assert float(said["nas.test_accuracy"]) == pytest.approx(report["best"]["test"]["mean"])
    assert report["best"]["nnz"] == onnx_graph.count(model).nnz > 0
    assert report["baselines"] == {}
    assert report["confusion"] is None


@pytest.mark.takes(30, "the run that all of them look at")
def test_everything_that_people_read_says_that_nothing_was_trained(finished, capsys):
    folder, report = finished
    assert report["headline"].endswith("nothing was trained.")
    assert report["sentence"].startswith("Looked up, not trained (column cifar10_val_9ep of small.csv")
    page = (folder / "report.html").read_text()
    assert "Looked up, not trained" in page
    assert "untrained weights" in page
    assert "test examples" not in page
    assert main(["report", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "looked up, not trained" in out
    assert "read for this report only" not in out


@pytest.mark.takes(40, "two searches, one of them killed")
@pytest.mark.parametrize("after", [2, 13])
def test_a_killed_search_goes_on_with_the_same_trials(finished, table, tmp_path, monkeypatch, after):
    _, report = finished
    add = Record.add

    def killed(record, trial):
        if trial.number == after:
            raise KeyboardInterrupt
        add(record, trial)

    with monkeypatch.context() as patch:
        patch.setattr(Record, "add", killed)
        with pytest.raises(KeyboardInterrupt):
            searches.search(config(table), tmp_path / "killed")
    assert outcome(searches.resume(tmp_path / "killed")) == outcome(report)


@pytest.mark.takes(15, "a search with each strategy")
@pytest.mark.parametrize("strategy", ["random", "tpe", "nsga2", "evolution", "guided"])
def test_every_strategy_searches_a_table(table, tmp_path, strategy):
    report = searches.search(config(table, strategy=strategy, predictor="none", trainings=9, round=3), tmp_path / "run")
    assert len({trial["digest"] for trial in report["trials"]}) == 9


def test_a_changed_table_is_an_error(tmp_path):
    table = write_table(tmp_path / "table.csv")
    searches.search(config(table, strategy="random", predictor="none", trainings=3, round=3), tmp_path / "run")
    write_table(table, best="100110")
    with pytest.raises(RunError, match=r"is not what .* was begun with"):
        searches.resume(tmp_path / "run", trainings=6)


def test_random_search_and_a_trial_are_written_untrained(table, tmp_path):
    options = {"strategy": "evolution", "predictor": "none", "trainings": 4, "random_baseline": True}
    report = searches.search(config(table, **options), tmp_path / "run")
    assert set(report["baselines"]) == {"random"}
    assert "random search" in report["sentence"]
    written = export_trial(tmp_path / "run", 2, tmp_path / "two.onnx")
    model = onnx_graph.load(tmp_path / "two.onnx")
    assert written.nnz == report["trials"][2]["metrics"]["nnz"]
    assert model.metadata_props["nas.weights"] == "untrained"


def test_constraints_on_costs_are_met(table, tmp_path):
    report = searches.search(config(table, constraint=("nnz<=80000",), predictor="none", trainings=4), tmp_path / "run")
    assert all(trial["metrics"]["nnz"] <= 80000 for trial in report["trials"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"space": "mlp"}, "networks of a space such as nasbench201"),
        ({"method": "espn"}, "leave the method espn out"),
        ({"predictor": "quick-warm"}, "take gp or quick"),
        ({"objective": ("accuracy", "legality")}, "leave legality out"),
        ({"objective": ("legality",)}, "leave legality out"),
        ({"column": "nothing"}, "Known: code, cifar10_val_9ep, cifar10_test_9ep"),
        ({"column": None}, "say which column guides the search"),
        ({"test_column": "nothing"}, "unknown column of small.csv 'nothing'"),
    ],
)
def test_what_a_table_cannot_answer_is_refused_before_the_search(table, options, message):
    with pytest.raises(UsageError, match=message):
        searches.checked(config(table, **options))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"table": None}, "name columns of a table"), ({"task": "mnist"}, "leave --task mnist out")],
)
def test_options_that_contradict_each_other_are_refused(table, options, message):
    given = {"space": "nasbench201", "table": str(table), "column": "cifar10_val_9ep"}
    with pytest.raises(UsageError, match=message):
        SearchConfig(**(given | options))


def test_a_wrong_column_is_one_line_on_the_command_line(table, capsys):
    words = ["search", "--space", "nasbench201", "--table", str(table), "--column", "cifar10_val"]
    assert main([*words, "--out", "nowhere"]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert main([*words[:4], "missing.csv", *words[5:], "--out", "nowhere"]) == 2
    assert "no such file" in capsys.readouterr().err


def test_the_sizes_of_a_table_are_shown(table, capsys):
    words = ["search", "--space", "nasbench201", "--table", str(table), "--column", "cifar10_val_9ep", "--dry-run"]
    assert main([*words, "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["config"]["column"] == "cifar10_val_9ep"
    assert shown["networks"] == len(resolve(config(table)).table.candidates)
    assert shown["sizes"][0]["nnz"] < shown["sizes"][-1]["nnz"]


def test_equal_networks_of_a_table_are_one(table):
    # 0-2 is 'none' and so are the edges from vertex 1 and 2 for some codes: several codes give one network.
    assert len(resolve(config(table)).table.candidates) < len(CODES)


def test_a_pool_builds_a_network_once(monkeypatch):
    space = search_spaces.create("nasbench201", Signature(input_shape=(3, 8, 8), outputs=3))
    goals, kept, built = objectives.parse(["accuracy"]), {}, []
    candidate, build = space.sample(np.random.default_rng(0)), space.build
    monkeypatch.setattr(space, "build", lambda one: built.append(one) or build(one))
    for note in (1, 2):
        pool = Pool(space, (), goals, screened=kept)
        assert pool.offer(Proposal(candidate=candidate, params={"note": note}))
        assert pool.members[0].proposal.params == {"note": note}
    assert len(built) == 1


@pytest.mark.takes(20, "four trainings, and three of the winner")
def test_cells_are_trained_where_there_is_no_table(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "images.npz", x=rng.normal(size=(40, 3, 8, 8)).astype(np.float32), y=np.arange(40) % 2)
    given = {"space": "nasbench201", "task": str(tmp_path / "images.npz"), "predictor": "none", "trainings": 3}
    report = searches.search(SearchConfig(**given, round=3, screen=3, epochs=1, repeats=1), tmp_path / "run")
    assert {trial["way"] for trial in report["trials"]} == {"discovery"}
    assert report["baselines"] == {}
    assert "nas.weights" not in onnx_graph.load(tmp_path / "run" / "best.onnx").metadata_props
    assert report["headline"].startswith("A network with")


@pytest.mark.takes(15, "networks of tens of millions of weights")
def test_cells_of_nas_bench_101_are_searched(tmp_path):
    rng = np.random.default_rng(0)
    bits = lambda *edges: sum(1 << (x + y * (y - 1) // 2) for x, y in edges)  # noqa: E731
    rows = [(bits((0, 1), (1, 2)), [kind], 3) for kind in range(3)]
    rows += [(bits((0, 1), (1, 2), (0, 2)), [kind], 3) for kind in range(3)]
    rows += [(bits((0, 1), (0, 2), (1, 3), (2, 3)), [1, kind], 4) for kind in range(3)]
    np.savez(
        tmp_path / "cells.npz",
        edge_bits=np.array([row[0] for row in rows]),
        ops=np.array([row[1] + [-1] * (5 - len(row[1])) for row in rows]),
        n_vertices=np.array([row[2] for row in rows]),
        acc=rng.uniform(0.8, 0.95, len(rows)),
    )
    plan = resolve(
        config(
            tmp_path / "cells.npz",
            space="nasbench101",
            column="acc",
            trainings=6,
            strategy="evolution",
            predictor="none",
        )
    )
    assert len(plan.table.candidates) == 9
    report = searches.search(dataclasses.replace(plan.config, random_baseline=False), tmp_path / "run")
    assert len({trial["digest"] for trial in report["trials"]}) == 6
