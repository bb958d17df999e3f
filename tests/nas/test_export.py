import dataclasses

import numpy as np
import onnx_ir as ir
import pytest

import onnx_graph
import search_spaces
from nas.errors import ExportError
from nas.exporters import onnx_export as exports
from nas.exporters.onnx_export import TOLERANCE, as_exported, copy_of, export, largest_error, run
from nas.exporters.provenance import provenance
from nas.measure.costs import counts
from nas.measure.costs.latency import latency
from nas.tasks import load_task
from nas.tasks.task import Normalisation


@pytest.fixture(scope="module")
def task():
    return load_task("digits", subset=200)


@pytest.fixture
def trained(task):
    """A masked network with random weights in the place of trained ones, and its candidate."""
    space = search_spaces.create("mlp", task.signature, max_nnz=300)
    rng = np.random.default_rng(3)
    candidate = space.sample(rng)
    model = space.build(candidate)
    values = {
        name: rng.normal(size=value.shape.numpy()).astype(np.float32)
        for name, value in model.graph.initializers.items()
        if value.dtype is ir.DataType.FLOAT
    }
    masks = {weight.name: weight.stored(mask) for weight, mask in _masks(model)}
    onnx_graph.set_weights(model, {name: array * masks.get(name, 1) for name, array in values.items()})
    return model, candidate


def _masks(model):
    masks = onnx_graph.masks(model)
    return [(weight, masks[weight.name]) for weight in onnx_graph.weights(model)]


def test_largest_error_is_relative_above_one():
    expected = np.array([[0.5, 100.0]], np.float32)
    assert largest_error(expected, np.array([[0.5, 101.0]], np.float32)) == pytest.approx(0.01)
    assert largest_error(expected, np.array([[0.25, 100.0]], np.float32)) == pytest.approx(0.25)
    assert largest_error(expected, expected[:, :1]) == float("inf")


def test_an_export_is_what_it_says(task, trained, tmp_path):
    model, candidate = trained
    exported = export(model, tmp_path / "best.onnx", task=task, origin=provenance(task, candidate, 0.5, 7))
    assert exported.bytes == (tmp_path / "best.onnx").stat().st_size
    assert exported.nnz == onnx_graph.count(model).nnz
    assert exported.largest_error <= TOLERANCE
    metadata = onnx_graph.load(tmp_path / "best.onnx").metadata_props
    assert (metadata["nas.digest"], metadata["nas.seed"], metadata["nas.task"]) == (candidate.digest, "7", "digits")


def test_bytes_before_training_bound_those_of_the_export(task, trained, tmp_path):
    model, candidate = trained
    origin = provenance(task, candidate, 0.5, 7) | {"test_accuracy": "0.500000"}
    exported = export(model, tmp_path / "best.onnx", task=task, origin=origin)
    assert exported.bytes <= onnx_graph.size(as_exported(model, task, candidate)) <= exported.bytes + 16


def test_an_export_that_computes_something_else_is_refused_and_nothing_written(task, trained, tmp_path, monkeypatch):
    model, _ = trained

    def wrong(model):
        other = model.clone()
        head = next(name for name in other.graph.initializers if name == "head.bias")
        onnx_graph.set_weights(other, {head: other.graph.initializers[head].const_value.numpy() + np.float32(0.01)})
        return other

    monkeypatch.setattr(exports.onnx_graph, "shrink", wrong)
    with pytest.raises(ExportError, match=r"differs from the trained one by 0\.0\d+ .* nothing was written"):
        export(model, tmp_path / "best.onnx", task=task, origin={})
    assert list(tmp_path.iterdir()) == []


def test_an_exported_model_takes_raw_inputs(task, trained, tmp_path):
    model, _ = trained
    offset, scale = np.full((1, 1, 1), 3.0, np.float32), np.full((1, 1, 1), 0.5, np.float32)
    raw_task = dataclasses.replace(task, normalisation=Normalisation(offset, scale))
    path = tmp_path / "raw.onnx"
    export(model, path, task=raw_task, origin={})
    x = task.validation.x[:5]
    np.testing.assert_allclose(run(onnx_graph.load(path), x * 2 + 3), run(model, x), rtol=1e-4, atol=1e-4)


def test_prepending_leaves_the_original_alone(trained):
    model, _ = trained
    before = ir.to_proto(model).SerializeToString()
    nothing = Normalisation(np.zeros((1, 1, 1), np.float32), np.ones((1, 1, 1), np.float32))
    longer = onnx_graph.prepend_normalisation(model, nothing.offset, nothing.scale)
    assert ir.to_proto(model).SerializeToString() == before
    assert [node.op_type for node in longer.graph][:2] == ["Sub", "Mul"]


def test_a_copy_keeps_bytes_and_metadata(task, trained, tmp_path):
    model, candidate = trained
    export(model, tmp_path / "a.onnx", task=task, origin=provenance(task, candidate, 0.5, 7))
    copied = copy_of(tmp_path / "a.onnx", tmp_path / "b.onnx", task)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    assert copied.largest_error <= TOLERANCE


def test_what_onnxruntime_refuses_is_an_error_of_ours(trained):
    model, _ = trained
    model.graph.opset_imports[""] = 99
    with pytest.raises(ExportError, match="onnxruntime refuses the model"):
        run(model, np.zeros((1, 1, 8, 8), np.float32))
    with pytest.raises(ExportError, match="onnxruntime refuses the model"):
        latency(model)


def test_counts_are_those_of_the_masks(trained):
    model, _ = trained
    kept = sum(int(mask.sum()) for _, mask in _masks(model))
    metrics = counts(model)
    assert metrics["nnz"] == kept
    assert metrics["density"] == pytest.approx(kept / sum(mask.size for _, mask in _masks(model)))
