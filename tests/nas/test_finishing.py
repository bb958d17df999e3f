"""Further trainings of a winner on the whole training split, after a search on a subset."""

import dataclasses

import numpy as np
import pytest

import nas
import onnx_graph
from nas.conclusion import finishing
from nas.conclusion.finishing import Finisher
from nas.conclusion.retraining import as_found
from nas.engine.leaders import winner
from nas.engine.plan import resolve
from nas.engine.search_loop import open_engine
from nas.errors import TrainingError, UsageError
from nas.exporters.onnx_export import as_exported
from nas.reports.report import Report
from nas.study.run_folder import RunFolder

CONFIG = nas.SearchConfig(
    task="digits", space="mlp", subset=300, constraint=("nnz<=300",), trainings=6, epochs=3, repeats=1, finish=2
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    return folder, nas.search(CONFIG, folder)


@pytest.fixture
def opened(run):
    """The finished run with its winner as the search found it."""
    folder = RunFolder(run[0])
    engine = open_engine(resolve(folder.config()), folder, read_only=True)
    best = winner(engine.plan.objectives, engine.feasible(engine.record.trials), alike=engine.plan.resolution)
    return engine, as_found(engine, best.candidate)


def test_the_winner_goes_on_with_its_mask(run, opened):
    engine, found = opened
    best = run[1]["best"]
    assert best["finish"]["trainings"] == 2
    assert best["finish"]["after"] > best["finish"]["before"]
    assert len(best["finish"]["found"]) == 1
    assert best["validation"] == [best["finish"]["after"]]
    exported = onnx_graph.load(run[0] / "best.onnx")
    before = as_exported(found.models[0], engine.plan.task, found.candidate)
    assert onnx_graph.count(exported).nnz == onnx_graph.count(before).nnz
    assert exported.metadata_props["nas.finish"] == "2 further trainings on the whole training split"


def test_what_helped_is_measured_on_the_whole_validation_split(run, opened):
    engine, found = opened
    whole = nas.load_task("digits")
    finished = Finisher(engine).finished(found)
    assert finished.before == nas.evaluate(found.models[0], whole, whole.validation)
    assert finished.after == nas.evaluate(finished.models[0], whole, whole.validation)
    assert run[1]["best"]["finish"]["after"] == finished.after


def test_the_baselines_go_on_as_the_winner_does(run):
    baselines = run[1]["baselines"]
    assert {name: row["finish"]["trainings"] for name, row in baselines.items()} == {"dense": 2, "by hand": 2}


def test_the_report_tells_what_the_further_trainings_did_and_reads_it_again(run):
    report = Report.from_json(run[1])
    assert report.best.finish is not None
    assert report.best.finish.remark in report.sentence
    assert "As it was found, the winner has" in report.sentence
    assert report.to_json() == run[1]
    assert report.best.cells()["trainings"].text == "1 + 2"


def test_finished_networks_are_the_same_each_time_and_differ_from_those_found_by_their_weights_alone(opened):
    engine, found = opened
    first, again = Finisher(engine).finished(found), Finisher(engine).finished(found)
    several = [one.models[0].graph.initializers for one in (found, first, again)]
    weights = [[init.const_value.numpy() for init in graph.values()] for graph in several]
    assert all(np.array_equal(a, b) for a, b in zip(weights[1], weights[2], strict=True))
    assert any(not np.array_equal(a, b) for a, b in zip(weights[0], weights[1], strict=True))
    masks = [{name: mask.tobytes() for name, mask in onnx_graph.masks(one.models[0]).items()} for one in (found, first)]
    assert masks[0] == masks[1]


def test_a_network_that_gets_no_better_stays_as_it_was_found(opened, monkeypatch):
    engine, found = opened
    worse = dataclasses.replace(found.results[0], accuracy=0.0)
    monkeypatch.setattr(finishing, "further", lambda plan, task, models, seeds: [("worse", worse)])
    kept = Finisher(engine).finished(found)
    assert (kept.finish, kept.after) == (0, 0.0)
    assert kept.models is found.models
    assert kept.before > 0


def test_the_network_that_is_best_after_the_further_trainings_is_exported(opened, monkeypatch):
    engine, found = opened
    first, second = (dataclasses.replace(found.results[0], accuracy=value) for value in (0.4, 0.3))
    two = dataclasses.replace(found, results=[first, second], models=[found.models[0]] * 2)
    after = [
        ("first", dataclasses.replace(first, accuracy=0.95)),
        ("second", dataclasses.replace(second, accuracy=0.99)),
    ]
    monkeypatch.setattr(finishing, "further", lambda plan, task, models, seeds: after)
    kept = Finisher(engine).finished(two)
    assert (two.best, kept.best) == (0, 1)
    assert [result.accuracy for result in kept.results] == [0.95, 0.99]


def test_a_network_whose_training_fails_stays_beside_those_that_go_on(opened, monkeypatch):
    engine, found = opened
    two = dataclasses.replace(found, results=found.results * 2, models=[found.models[0]] * 2)
    run = finishing.Stack.run

    def second_fails(self, task):
        return [*run(self, task)[:1], TrainingError("diverged")][: len(self.models)]

    monkeypatch.setattr(finishing.Stack, "run", second_fails)
    kept = Finisher(engine).finished(two)
    assert kept.finish == 2
    assert kept.models[1] is found.models[0]
    assert kept.models[0] is not found.models[0]


def test_if_all_trainings_fail_the_network_stays_as_it_was_found(opened, monkeypatch):
    engine, found = opened
    monkeypatch.setattr(finishing.Stack, "run", lambda self, task: [TrainingError("diverged")] * len(self.models))
    kept = Finisher(engine).finished(found)
    assert (kept.finish, kept.models) == (0, found.models)
    assert kept.before == kept.after


def test_nothing_is_trained_with_finish_0(opened, monkeypatch):
    engine, found = opened
    config = dataclasses.replace(engine.plan.config, finish=0)
    engine = dataclasses.replace(engine, plan=dataclasses.replace(engine.plan, config=config))
    monkeypatch.setattr(finishing, "further", lambda *_: pytest.fail("a training"))
    assert Finisher(engine).finished(found) is found


def test_a_search_on_a_subset_is_finished_and_no_other():
    some = nas.SearchConfig(task="digits", constraint=("nnz<=100",))
    assert resolve(some).config.finish == 0
    assert resolve(dataclasses.replace(some, subset=200)).config.finish == 2
    assert resolve(dataclasses.replace(some, subset=200, finish=0)).config.finish == 0


def test_examples_that_a_subset_left_out_are_prepared_as_the_search_saw_the_others(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(5.0, 3.0, (500, 4)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=x, y=np.arange(500) % 2)
    plan = resolve(nas.SearchConfig(task=str(tmp_path / "data.npz"), space="mlp", subset=100, constraint=("nnz<=10",)))
    task = finishing.whole(plan)
    scale = plan.task.normalisation
    assert scale is not None

    def raw(split):
        return {tuple(row) for row in np.round(scale.undo(split.x), 2)}

    assert (len(task.train), len(task.validation), len(task.test)) == (300, 100, len(plan.task.test))
    assert raw(task.train) | raw(task.validation) <= {tuple(row) for row in np.round(x, 2)}
    assert raw(plan.task.train) <= raw(task.train)
    assert raw(plan.task.validation) <= raw(task.validation)
    assert (raw(task.train) | raw(task.validation)).isdisjoint(raw(task.test))


def test_a_further_training_has_as_many_steps_as_one_of_the_search():
    plan = resolve(nas.SearchConfig(task="digits", constraint=("nnz<=100",), subset=600))
    task = finishing.whole(plan)
    epochs = finishing._stack(plan, task, [], []).options.epochs
    assert abs(epochs * len(task.train) - plan.training.epochs * len(plan.task.train)) <= len(task.train) / 2


def test_nothing_is_left_out_without_a_subset_or_with_a_large_one():
    config = nas.SearchConfig(task="digits", constraint=("nnz<=100",))
    assert finishing.whole(resolve(config)) is None
    assert finishing.whole(resolve(dataclasses.replace(config, subset=5000))) is None


def test_raw_inputs_stay_raw(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "data.npz", x=rng.normal(5.0, 3.0, (300, 4)).astype(np.float32), y=np.arange(300) % 2)
    plan = resolve(nas.SearchConfig(task=str(tmp_path / "data.npz"), space="mlp", subset=100, constraint=("nnz<=10",)))
    raw = dataclasses.replace(plan, task=plan.task.normalised_by(None))
    task = finishing.whole(raw)
    assert task.normalisation is None
    assert abs(task.train.x.mean() - 5.0) < 0.5


def test_a_negative_number_of_further_trainings_is_refused():
    with pytest.raises(UsageError, match="finish must be a whole number"):
        nas.SearchConfig(finish=-1)
