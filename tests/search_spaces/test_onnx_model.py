"""The masks of a user's own model: values kept, another file refused, models that cannot be searched."""

import os
from pathlib import Path

import numpy as np
import onnx
import pytest

import onnx_graph
from search_spaces import Candidate, InvalidCandidateError, InvalidOptionError, MaskRecipe, Signature, create

SIGNATURE = Signature(input_shape=(4,), outputs=2)
MODEL = """
<ir_version: 8, opset_import: ["" : 17]>
user (float[N, 4] x) => (float[N, 2] y)
<float[3, 4] w1 = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, float[3, 2] w2 = {-1, -2, -3, -4, -5, -6}>
{
    a = Gemm <transB = 1> (x, w1)
    b = Relu (a)
    y = MatMul (b, w2)
}
"""


def write(path: Path, text: str = MODEL) -> str:
    onnx.save(onnx.parser.parse_model(text), path)
    return str(path)


@pytest.fixture
def space(tmp_path):
    return create("onnx", SIGNATURE, model=write(tmp_path / "user.onnx"))


def weights(model):
    return {
        weight.name: weight.canonical(model.graph.initializers[weight.name].const_value.numpy())
        for weight in onnx_graph.weights(model)
    }


def test_values_are_kept_where_the_mask_keeps_them(space):
    candidate = Candidate(space="onnx", architecture={"model": space.digest}, mask=MaskRecipe(density=0.5, seed=1))
    dense, sparse = weights(space.build(space.dense(candidate))), weights(space.build(candidate))
    assert dense["w1"].tolist() == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]
    assert dense["w2"].tolist() == [[-1, -3, -5], [-2, -4, -6]]
    for name, values in sparse.items():
        assert 0 < np.count_nonzero(values) < values.size
        assert (values == np.where(values != 0, dense[name], 0)).all()


def test_builds_do_not_touch_the_model(space):
    candidate = Candidate(space="onnx", architecture={"model": space.digest}, mask=MaskRecipe(density=0.3))
    space.build(candidate)
    assert onnx_graph.count(space.build(space.dense(candidate))).nnz == 18


def test_candidate_names_the_file_by_its_bytes(space, tmp_path):
    candidate = space.sample(np.random.default_rng(0))
    assert set(candidate.architecture) == {"model"}
    other = create("onnx", SIGNATURE, model=write(tmp_path / "other.onnx", MODEL.replace("12}", "13}")))
    with pytest.raises(InvalidCandidateError, match="give the original file"):
        other.build(candidate)


def test_moved_file_is_the_same(space, tmp_path):
    candidate = space.sample(np.random.default_rng(0))
    moved = create("onnx", SIGNATURE, model=write(tmp_path / "moved.onnx"))
    assert weights(moved.build(candidate)).keys() == {"w1", "w2"}


def test_masked_weight_stored_as_product_is_found(tmp_path):
    text = MODEL.replace("a = Gemm <transB = 1> (x, w1)", "v = Mul (w1, m)\n a = Gemm <transB = 1> (x, v)").replace(
        "float[3, 2] w2", "float[3, 4] m = {1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0}, float[3, 2] w2"
    )
    space = create("onnx", SIGNATURE, model=write(tmp_path / "product.onnx", text))
    counts = onnx_graph.count(space.build(space.dense(space.sample(np.random.default_rng(0)))))
    assert (counts.nnz, counts.weights) == (12, 18)


def test_model_without_weights_is_refused(tmp_path):
    text = '<ir_version: 8, opset_import: ["" : 17]> user (float[N, 4] x) => (float[N, 4] y) { y = Relu (x) }'
    with pytest.raises(InvalidOptionError, match="no weight to mask"):
        create("onnx", SIGNATURE, model=write(tmp_path / "relu.onnx", text))


@pytest.mark.parametrize(
    ("signature", "said"),
    [(Signature(input_shape=(5,), outputs=2), r"\(5,\)"), (Signature(input_shape=(4,), outputs=3), "3 outputs")],
)
def test_model_that_does_not_fit_the_task_is_refused(tmp_path, signature, said):
    with pytest.raises(InvalidOptionError, match=said):
        create("onnx", signature, model=write(tmp_path / "user.onnx"))


def test_text_file_is_refused(tmp_path):
    path = tmp_path / "notes.onnx"
    path.write_text("not a model")
    with pytest.raises(InvalidOptionError, match="cannot be searched"):
        create("onnx", SIGNATURE, model=str(path))


@pytest.mark.parametrize("options", [{}, {"model": ""}, {"model": "/nowhere/model.onnx"}, {"model": 3}])
def test_missing_file_is_refused(options):
    with pytest.raises(InvalidOptionError, match="model"):
        create("onnx", SIGNATURE, **options)


def test_real_convolutional_model():
    if "NAS_DATA_DIR" not in os.environ:
        pytest.skip("NAS_DATA_DIR is not set: no real models")
    path = Path(os.environ["NAS_DATA_DIR"]) / "onnx" / "evaluated" / "cifar_base_kw.onnx"
    space = create("onnx", Signature(input_shape=(3, 32, 32), outputs=10), model=str(path), max_nnz=5000)
    candidate = space.sample(np.random.default_rng(0))
    assert 0 < onnx_graph.count(space.build(candidate)).nnz <= 5000
