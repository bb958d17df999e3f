"""Networks that died are noticed: a trial that failed in a search, one line and exit code 3 in `nas train`."""

import json

import numpy as np
import pytest

import onnx_graph
from nas.cli.main import main
from nas.engine.plan import resolve
from nas.engine.search_loop import open_engine
from nas.exporters.onnx_export import export
from nas.measure.costs import counts_in_file
from nas.study.config import SearchConfig
from nas.study.run_folder import RunFolder
from nas.tasks import Split, load_task
from nas.training import TrainingOptions, apply_result, train
from nas.training.dead_network import best_constant, why_dead
from search_spaces.network_builder import NetworkBuilder


@pytest.fixture(scope="module")
def task():
    return load_task("digits", subset=200)


def deep(bias: float = 0.0, depth: int = 6):
    """A plain chain of 3×3 convolutions with four channels."""
    builder = NetworkBuilder((1, 8, 8), "deep")
    x = builder.input
    for number in range(depth):
        x = builder.activation(builder.convolution(x, 4, 3, f"layer_{number}"), "relu", f"activation_{number}")
    x = builder.node("GlobalAveragePool", [x], ["N", 4, 1, 1], "pool")
    builder = builder.finish(builder.gemm(builder.flatten(x), 10, "head"))
    model = builder.model({layer.name: np.ones(layer.shape, np.bool_) for layer in builder.layers})
    onnx_graph.set_weights(model, {f"layer_{number}.bias": np.full(4, bias, np.float32) for number in range(depth)})
    return model


@pytest.fixture
def off(tmp_path):
    """A file whose rectifiers are off for every input, and stay so."""
    path = tmp_path / "off.onnx"
    onnx_graph.save(deep(bias=-1e3), path)
    return path


def test_the_best_constant_answer_takes_the_most_frequent_class_at_every_step():
    x = np.zeros((4, 2), np.float32)
    assert best_constant(Split(x, np.array([0, 1, 1, 2]))) == 0.5
    steps = np.array([[0, 1], [0, 2], [1, -1], [0, 1]])  # 3 of 4 at the first step, 2 of 3 at the second
    assert best_constant(Split(x, steps)) == pytest.approx(5 / 7)
    legal = np.zeros((4, 2, 3), np.bool_)
    legal[:, 0, 0] = legal[:, 1, 1] = True  # the padded step does not count
    assert best_constant(Split(x, steps, legal)) == 1.0


def test_a_network_that_looks_at_its_input_is_alive_however_bad(task):
    assert why_dead(deep(), 0.0, task) == ""


def test_constant_outputs_and_a_cut_path_are_told_apart(task):
    assert "outputs are the same for every example" in why_dead(deep(bias=-1e3), 0.1, task)
    cut = deep()
    onnx_graph.set_weights(cut, {"layer_3.weight": np.zeros((4, 4, 3, 3), np.float32)})
    assert "no path from the input to the output" in why_dead(cut, 0.1, task)
    assert why_dead(cut, 0.9, task) == "", "what is better than every constant answer is alive"


@pytest.mark.parametrize("method", ["espn", "theme", "erdos-renyi", "static"])
def test_a_deep_small_network_that_died_says_so(method, task):
    """At this density the six layers of four channels keep about 14 weights each: most methods lose all paths or signals."""
    result = train(deep(), task, TrainingOptions(epochs=2), method=method, density=0.1, seed=1)
    outputs = apply_result(deep(), result)
    assert bool(result.dead) == bool(why_dead(outputs, result.accuracy, task))
    if not any(mask.any() for mask in onnx_graph.effective_masks(outputs).values()):
        assert "no path" in result.dead


def test_nas_train_ends_with_one_line_and_code_3(off, tmp_path, capsys):
    out = tmp_path / "out.onnx"
    flags = ["--task", "digits", "--subset", "200", "--epochs", "1", "--repeats", "2", "--init", "keep"]
    assert main(["train", str(off), *flags, "--preprocessing", "task", "-o", str(out)]) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    errors = [line for line in captured.err.splitlines() if "dead" in line]
    assert errors == [errors[0]]
    assert errors[0].startswith("nas: error: the network is dead: its outputs are the same for every example")
    assert not out.exists()


def test_a_search_records_it_as_a_failed_trial_with_its_reason(off, tmp_path, task):
    config = SearchConfig(
        task="digits", subset=200, space="onnx", model=str(off), epochs=1, trainings=2, round=2, screen=2, predictor="none",
        preprocessing="task", strategy="random",
    )  # fmt: skip
    folder = RunFolder(tmp_path / "run")
    folder.create(config)
    with folder.lock():
        trials = open_engine(resolve(config, task), folder).run()
    assert len(trials) == 2
    assert all(trial.failed and "the network is dead" in trial.error for trial in trials)
    assert list(folder.models.iterdir()) == []


@pytest.mark.parametrize("method", ["snip", "magnitude", "uniform", "rigl", "greedy-imitation", "sr-ste"])
def test_counts_are_those_of_the_file(method, task, tmp_path):
    """A method keeps 151 weights; what leads nowhere is not in the file and not in the count."""
    model = deep()
    keep = round(0.2 * onnx_graph.count(model).weights)
    result = train(model, task, TrainingOptions(epochs=1), method=method, density=0.2, seed=1)
    trained = apply_result(model, result)
    assert onnx_graph.count(trained).nnz == keep
    found = counts_in_file(trained)
    exported = export(trained, tmp_path / "a.onnx", task=task, origin={})
    written = onnx_graph.load(tmp_path / "a.onnx")
    assert found["nnz"] == exported.nnz == onnx_graph.count(written).nnz <= keep
    assert found["weights"] == onnx_graph.count(model).weights
    assert found["density"] == found["nnz"] / found["weights"]


def test_nas_train_reports_the_count_of_its_file(tmp_path, capsys):
    path, out = tmp_path / "deep.onnx", tmp_path / "out.onnx"
    onnx_graph.save(deep(), path)
    flags = ["--task", "digits", "--subset", "200", "--epochs", "1", "--repeats", "4", "--method", "uniform"]
    assert main(["train", str(path), *flags, "--density", "0.12", "-o", str(out), "--format", "json"]) == 0
    data = json.loads(capsys.readouterr().out)
    rows, held = data["trainings"], onnx_graph.count(onnx_graph.load(out)).nnz
    assert held == data["exported"]["nnz"]
    assert held in [row["nnz"] for row in rows]
    assert {row["nnz"] + row["dead_weights"] for row in rows} == {round(0.12 * onnx_graph.count(deep()).weights)}
    assert any(row["dead_weights"] > 0 for row in rows)
