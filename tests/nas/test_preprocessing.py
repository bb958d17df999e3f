"""What prepares the inputs of a model file: the file, the task, or evidence in its weights; never two of them."""

import json

import numpy as np
import onnx_ir as ir
import pytest

import onnx_graph
import search_spaces
from nas.cli.main import main
from nas.errors import UsageError
from nas.exporters.onnx_export import export, run
from nas.study.config import SearchConfig
from nas.tasks import Normalisation, load_task
from nas.training import TrainingOptions, apply_result, evaluate, masked_model, train, train_population
from nas.verbs.preprocessing import adapt
from nas.verbs.search import prepared, task_of
from search_spaces.network_builder import NetworkBuilder

OPTIONS = TrainingOptions(epochs=25, learning_rate=1e-2)


@pytest.fixture(scope="module")
def task():
    return load_task("digits", subset=400)


@pytest.fixture(scope="module")
def bare():
    """A small dense perceptron for digits."""
    builder = NetworkBuilder((1, 8, 8), "mlp")
    x = builder.activation(builder.gemm(builder.flatten(builder.input), 16, "hidden"), "relu", "active")
    builder = builder.finish(builder.gemm(x, 10, "head"))
    return builder.model({layer.name: np.ones(layer.shape, np.bool_) for layer in builder.layers})


@pytest.fixture(scope="module")
def normal(task, bare):
    """Trained on inputs in [0, 1], as the task normalises them; the file does not state this."""
    return apply_result(bare, train(bare, task, OPTIONS))


@pytest.fixture(scope="module")
def raw(normal):
    """The same for pixels from 0 to 16, as in models made by others: the first weights are 16 times smaller."""
    model = normal.clone()
    weight = onnx_graph.weights(model)[0].name
    onnx_graph.set_weights(model, {weight: model.graph.initializers[weight].const_value.numpy() / 16})
    return model


@pytest.fixture
def exported(task, normal, tmp_path):
    path = tmp_path / "exported.onnx"
    export(normal, path, task=task, origin={})
    return path


def test_a_task_is_normalised_in_another_way_and_back(task):
    pixels = task.normalised_by(None)
    assert pixels.normalisation is None
    np.testing.assert_allclose(pixels.train.x, task.train.x * 16, atol=1e-5)
    other = Normalisation(np.full((1, 1, 1), 8, np.float32), np.full((1, 1, 1), 0.125, np.float32))
    np.testing.assert_allclose(task.normalised_by(other).validation.x, task.validation.x * 2 - 1, atol=1e-6)
    assert task.normalised_by(task.normalisation) is task
    assert pixels.normalised_by(None) is pixels
    np.testing.assert_array_equal(task.normalised_by(other).validation.y, task.validation.y)


def test_an_export_is_trained_on_inputs_that_are_normalised_once(task, normal, exported):
    adapted = adapt(onnx_graph.load(exported), task, pretrained=True)
    assert adapted.taken == "model"
    assert adapted.task is task
    assert "normalisation of an earlier export" in adapted.remark
    assert "nas_offset" not in adapted.model.graph.initializers
    assert evaluate(adapted.model, task, task.validation) == evaluate(normal, task, task.validation)


def test_numbers_of_the_export_win_over_those_of_the_task_where_its_weights_are_kept(task, exported):
    numbers = Normalisation(np.full((1, 1, 1), 1, np.float32), np.full((1, 1, 1), 0.1, np.float32))
    other = task.normalised_by(numbers)
    kept = adapt(onnx_graph.load(exported), other, pretrained=True)
    assert kept.task.normalisation.same_as(task.normalisation)
    np.testing.assert_allclose(kept.task.train.x, task.train.x, atol=1e-6)
    new = adapt(onnx_graph.load(exported), other, pretrained=False)
    assert new.task is other
    assert "new weights" in new.remark


def test_normalising_an_export_twice_is_refused(task, exported):
    with pytest.raises(UsageError, match="normalise them twice"):
        adapt(onnx_graph.load(exported), task, "task", pretrained=True)


@pytest.mark.parametrize("which", ["raw", "normal"])
def test_of_a_strangers_weights_the_inputs_that_suit_them_are_taken(which, task, raw, normal, request):
    model = request.getfixturevalue(which)
    adapted = adapt(model, task, pretrained=True)
    assert adapted.taken == ("model" if which == "raw" else "task")
    assert (adapted.task.normalisation is None) == (which == "raw")
    best = evaluate(model, adapted.task, adapted.task.validation)
    assert best > 0.7
    assert f"{best:.2%}" in adapted.remark
    assert "--preprocessing" in adapted.remark
    assert "\n" not in adapted.remark


def test_what_is_declared_is_not_tried(task, raw):
    assert adapt(raw, task, "task", pretrained=True).task is task
    assert adapt(raw, task, "model", pretrained=True).task.normalisation is None
    assert adapt(raw, task, pretrained=False).task is task, "new weights are trained on the task's inputs"


def test_weights_that_suit_neither_are_said_to_guess(task, bare):
    assert "neither is far from guessing" in adapt(bare, task, pretrained=True).remark


def test_a_model_that_divides_its_inputs_first_gets_a_remark(task, bare):
    model = bare.clone()
    source, sixteen = model.graph.inputs[0], ir.Value(name="s", const_value=ir.tensor(np.float32(16), name="s"))
    model.graph.register_initializer(sixteen)
    divided = ir.Node("", "Div", [source, sixteen])
    source.replace_all_uses_with(divided.outputs[0])
    divided.replace_input_with(0, source)
    model.graph.insert_before(next(iter(model.graph)), divided)
    adapted = adapt(model, task, pretrained=False)
    assert adapted.task is task
    assert "then computes Div" in adapted.remark
    assert "--preprocessing model" in adapted.remark


def test_what_an_export_takes_stands_in_its_metadata(task, raw, normal, tmp_path):
    export(normal, tmp_path / "a.onnx", task=task, origin={})
    said = onnx_graph.load(tmp_path / "a.onnx").metadata_props
    assert said["nas.input"] == "raw"
    assert said["nas.preprocessing"] == "(x - nas_offset) * nas_scale"
    assert said["nas.output"] == "logits, in the order of nas.classes"
    pixels = task.normalised_by(None)
    export(raw, tmp_path / "b.onnx", task=pixels, origin={})
    again = onnx_graph.load(tmp_path / "b.onnx")
    assert again.metadata_props["nas.preprocessing"] == "none added"
    assert adapt(again, task, pretrained=False).taken == "model", "an export says itself that it takes raw inputs"


def test_the_library_prepares_the_inputs_of_an_export_once(task, normal, exported):
    model = onnx_graph.load(exported)
    assert evaluate(model, task, task.validation) == evaluate(normal, task, task.validation)
    keep = TrainingOptions(epochs=1, init="keep")
    one, other = train(model, task, keep), train(normal, task, keep)
    assert one.losses == other.losses
    again = apply_result(model, one)
    x = task.validation.x[:20]
    np.testing.assert_allclose(run(again, x * 16), run(apply_result(normal, other), x), rtol=1e-4, atol=1e-4)
    first, second = train_population([model, model], task, keep, seeds=[0, 1])
    assert first.accuracy > 0.7
    assert second.accuracy > 0.7
    assert masked_model(model, "snip", density=0.5, task=task) is not None


def test_an_export_is_trained_and_exported_again_from_the_command_line(task, exported, tmp_path, capsys):
    out = tmp_path / "again.onnx"
    flags = ["--task", "digits", "--subset", "400", "--epochs", "1", "--repeats", "1", "--init", "keep"]
    assert main(["train", str(exported), *flags, "-o", str(out), "--format", "json"]) == 0
    captured = capsys.readouterr()
    data = json.loads(captured.out)
    assert data["trainings"][0]["before"] > 0.7
    assert "the model gets raw inputs" in data["remarks"][0]
    assert data["remarks"][0] in captured.err
    written = onnx_graph.load(out)
    assert [node.op_type for node in written.graph].count("Sub") == 1
    raw_x = task.test.x * 16
    right = run(written, raw_x).argmax(1) == task.test.y
    assert right.mean() > 0.7
    assert main(["train", str(exported), *flags, "--preprocessing", "task"]) == 2
    assert "twice" in capsys.readouterr().err


def test_an_export_is_searched_and_exported_again(task, exported, tmp_path):
    flags = ["--subset", "400", "--epochs", "1", "--trainings", "2", "--round", "2", "--screen", "2", "--repeats", "1"]
    goal = ["--space", "onnx", "--model", str(exported), "--constraint", "nnz<=80%", "--strategy", "random"]
    assert main(["search", "--task", "digits", *goal, *flags, "-q", "--out", str(tmp_path / "run")]) == 0
    best = onnx_graph.load(tmp_path / "run" / "best.onnx")
    assert [node.op_type for node in best.graph].count("Sub") == 1
    assert (run(best, task.test.x * 16).argmax(1) == task.test.y).mean() > 0.5
    assert 'preprocessing = "model"' in (tmp_path / "run" / "config.toml").read_text()


def test_the_decision_for_a_search_is_stored_and_repeated(task, raw, tmp_path):
    path = tmp_path / "raw.onnx"
    onnx_graph.save(raw, path)
    config = SearchConfig(task="digits", subset=400, space="onnx", model=str(path))
    decided, pixels, remark = prepared(config)
    assert decided.preprocessing == "model"
    assert "raw inputs" in remark
    np.testing.assert_array_equal(task_of(decided).train.x, pixels.train.x)
    space = search_spaces.create("onnx", pixels.signature, model=str(path))
    assert evaluate(space.build(space.dense(space.sample(np.random.default_rng(0)))), pixels, pixels.validation) > 0.7


def test_preprocessing_without_a_model_file_is_refused():
    with pytest.raises(UsageError, match="is for the space onnx"):
        prepared(SearchConfig(task="digits", subset=200, preprocessing="model"))
