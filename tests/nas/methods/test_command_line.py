"""Methods from the command line, in a search, and in the library: a wrong request gives one clear line before training."""

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest

import onnx_graph
from nas.cli.main import main
from nas.errors import UsageError
from nas.study.config import SearchConfig
from nas.training import TrainingOptions, train
from nas.training.methods import METHODS, MethodError, create, facts
from nas.training.testing import mlp, task_for
from nas.verbs import search as searches
from onnx_graph.weight import masks
from search_spaces.network_builder import NetworkBuilder

TASK = task_for((1, 4, 4), 0)


@pytest.fixture
def model(tmp_path):
    """A dense perceptron for digits."""
    builder = NetworkBuilder((1, 8, 8), "mlp")
    x = builder.activation(builder.gemm(builder.flatten(builder.input), 20, "hidden"), "relu", "activation")
    builder.finish(builder.gemm(x, 10, "head"))
    dense = builder.model({layer.name: np.ones(layer.shape, np.bool_) for layer in builder.layers})
    onnx_graph.save(dense, tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


def words(model, *more):
    return [
        str(word)
        for word in ("train", model, "--task", "digits", "--subset", 200, "--epochs", 3, "--repeats", 1, *more)
    ]


def refused(capsys, *argv):
    """The one line of the error; exit code 2."""
    assert main([str(word) for word in argv]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


def test_train_by_a_method_at_a_density(capsys, model, tmp_path):
    assert (
        main(words(model, "--method", "rigl", "--density", 0.1, "-o", tmp_path / "out.onnx", "--format", "json")) == 0
    )
    row = json.loads(capsys.readouterr().out)["trainings"][0]
    # 64·20 + 20·10 = 1,480 weights.
    assert (row["nnz"] + row["dead_weights"], row["epochs"]) == (148, 3)
    assert row["density"] == row["nnz"] / 1480
    assert 0 <= row["test"] <= 1
    assert row["seconds"] > 0
    written = onnx_graph.load(tmp_path / "out.onnx")
    assert 0 < onnx_graph.count(written).nnz == row["nnz"] <= 148
    properties = {p.key: p.value for p in onnx.load(tmp_path / "out.onnx").metadata_props}
    assert "rigl" in properties.values()


def test_options_of_a_method(capsys, model):
    options = ["--method-option", "n=1", "--method-option", "m=4"]
    assert main(words(model, "--method", "n:m", "--density", 0.25, *options, "--format", "json")) == 0
    assert json.loads(capsys.readouterr().out)["trainings"][0]["density"] == 0.25


def test_two_trainings_cost_two_trainings(capsys, model):
    assert main(words(model, "--method", "magnitude", "--density", 0.2, "--format", "json")) == 0
    assert json.loads(capsys.readouterr().out)["trainings"][0]["epochs"] == 6


def test_what_cannot_be_is_said_before_training(capsys, model):
    assert "did you mean 'rigl'" in refused(capsys, *words(model, "--method", "riggl", "--density", 0.1))
    assert "density is 0.0" in refused(capsys, *words(model, "--method", "rigl", "--density", 0))
    assert "density is 1.5" in refused(capsys, *words(model, "--method", "rigl", "--density", 1.5))
    assert "fewer than one for each of the 2 layers" in refused(
        capsys, *words(model, "--method", "erk", "--density", 5e-4)
    )
    assert "give a density below 1" in refused(capsys, *words(model, "--method", "imp"))
    line = refused(capsys, *words(model, "--method", "rigl", "--density", 0.1, "--method-option", "fractoin=.2"))
    assert "has no option 'fractoin'; it has: fraction" in line or "fractoin" in line
    line = refused(capsys, *words(model, "--method", "rigl", "--density", 0.1, "--method-option", "interval=often"))
    assert "give a whole number" in line
    assert "NAME=VALUE" in refused(capsys, *words(model, "--method", "rigl", "--method-option", "interval"))
    line = refused(
        capsys, *words(model, "--method", "n:m", "--density", 0.2, "--method-option", "n=5", "--method-option", "m=4")
    )
    assert "from 1 to m" in line
    line = refused(capsys, *words(model, "--method", "n:m", "--density", 0.2, "--method-option", "m=7"))
    assert "groups of m = 7 do not divide" in line
    line = refused(capsys, *words(model, "--method", "n:m", "--density", 0.6))
    assert "give a density of at most 0.5" in line
    line = refused(capsys, *words(model, "--method", "block", "--density", 0.2, "--method-option", "size=6"))
    assert "blocks of size 6 do not divide" in line
    assert "patience" in refused(capsys, *words(model, "--method", "rigl", "--density", 0.1, "--patience", 2))


def test_list_methods_tells_all(capsys):
    assert main(["list", "methods", "--format", "json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert set(rows) == set(METHODS)
    assert rows["rigl"]["mask"] == "while training"
    assert "fraction=0.3" in rows["rigl"]["options"]
    assert {row["stacked"] for row in rows.values()} <= {"yes", "no"}
    assert all(row["meaning"] for row in rows.values())


def test_every_name_makes_a_method_and_describes_itself():
    assert all(facts(name)["stacked"] in ("yes", "no") for name in METHODS)
    needed = {"mask-transfer": {"task": "digits"}}
    assert all(create(name, needed.get(name)).kind in ("before", "after", "during") for name in METHODS)


def test_pruning_starts_from_own_weights_where_they_are_kept():
    options = TrainingOptions(epochs=2, batch_size=16)
    trained = train(mlp(), TASK, options, method="static")
    from nas.training import apply_result

    model = apply_result(mlp(), trained)
    keep = TrainingOptions(epochs=2, batch_size=16, init="keep")
    pruned = train(model, TASK, keep, method="magnitude", density=0.5)
    # No training before the cut: the weights that stay are the largest of the model's own.
    assert len(pruned.losses) == 2
    own = np.concatenate([np.abs(trained.weights[name]).ravel() for name in masks(model)])
    kept = np.concatenate([(pruned.weights[name] != 0).ravel() for name in masks(model)])
    assert own[kept].min() >= own[~kept].max()


def test_zeros_of_a_kept_model_stay_zero_or_the_count_is_refused():
    options = TrainingOptions(epochs=2, batch_size=16, init="keep")
    sparse = train(mlp(), TASK, TrainingOptions(epochs=1, batch_size=16), method="erk", density=0.3)
    from nas.training import apply_result

    model = apply_result(mlp(), sparse)
    with pytest.raises(MethodError, match="fewer than the"):
        train(model, TASK, options, method="magnitude", density=0.5)
    result = train(model, TASK, options, method="magnitude", density=0.2)
    for name, mask in masks(model).items():
        assert not (result.weights[name] != 0)[~mask if mask.shape == result.weights[name].shape else ~mask.T].any()


@pytest.mark.takes(30, "three searches")
def test_a_search_by_a_method(tmp_path):
    config = SearchConfig(
        task="digits",
        space="mlp",
        subset=200,
        constraint=("nnz<=300",),
        trainings=10,
        round=4,
        screen=8,
        epochs=2,
        repeats=1,
        method="set",
        method_option=("interval=1",),
    )
    report = searches.search(config, tmp_path / "run")
    for trial in report["trials"]:
        assert trial["accuracy"] is not None
        assert trial["metrics"]["nnz"] <= 300
    again = searches.search(config, tmp_path / "again")
    assert [t["accuracy"] for t in report["trials"]] == [t["accuracy"] for t in again["trials"]]
    static = searches.search(replace(config, method="static", method_option=()), tmp_path / "static")
    assert [t["accuracy"] for t in static["trials"]] != [t["accuracy"] for t in report["trials"]]


def test_a_search_names_a_wrong_method_before_it_begins(tmp_path):
    with pytest.raises(UsageError, match="unknown method"):
        searches.search(SearchConfig(method="rigel"), tmp_path / "run")
    with pytest.raises(MethodError, match="groups of m"):
        searches.search(
            SearchConfig(method="sr-ste", method_option=("m=7",), constraint=("nnz<=300",)), tmp_path / "run"
        )
    assert not (tmp_path / "run").exists()


def test_groups_of_an_exported_network_stay_whole(capsys, model, tmp_path):
    for method, density in (("sr-ste", 0.5), ("n:m", 0.25)):
        options = ["--method-option", "n=2", "--method-option", "m=4"]
        words_ = words(model, "--method", method, "--density", density, *options, "-o", tmp_path / "out.onnx")
        assert main(words_) == 0
        for mask in masks(onnx_graph.load(tmp_path / "out.onnx")).values():
            assert mask.shape[1] % 4 == 0
            assert mask.reshape(len(mask), -1, 4).sum(-1).max() <= 2


def test_progress_of_a_long_training_goes_to_stderr(capsys, model, monkeypatch):
    monkeypatch.setattr("nas.cli.progress_display.time.monotonic", iter(range(0, 10_000, 10)).__next__)
    assert main(words(model, "--method", "magnitude", "--density", 0.2, "--format", "json")) == 0
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert len(lines) == 6
    assert lines[-1].startswith("training 1 of 1 · epoch 6 · loss ")
    assert json.loads(captured.out)["trainings"]
    assert main(words(model, "--method", "magnitude", "--density", 0.2, "--format", "json", "--quiet")) == 0
    assert capsys.readouterr().err == ""
