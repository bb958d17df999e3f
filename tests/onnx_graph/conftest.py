"""Shared parts of the tests of this folder: models from text, random masks, outputs of onnxruntime."""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest
from numpy.typing import NDArray

import onnx_graph

Answers = list[NDArray[np.generic]]


def _from_text(text: str, **arrays: object) -> ir.Model:
    """A model from ONNX text whose initializers (float32 unless arrays of another type) are given by name."""
    import onnx

    proto = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 17]>\n{text}')
    for name, values in arrays.items():
        array = np.asarray(values)
        array = array.astype(np.float32) if array.dtype.kind == "f" or not isinstance(values, np.ndarray) else array
        proto.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    proto = onnx.shape_inference.infer_shapes(proto, data_prop=True)
    return ir.from_proto(proto)


def _answers(model: ir.Model, feeds: dict[str, NDArray[np.generic]]) -> Answers:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        ir.to_proto(model).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return list(session.run(None, {each.name: feeds[each.name] for each in session.get_inputs()}))


def _sparse(model: ir.Model, density: float, rng: np.random.Generator) -> ir.Model:
    """A copy with random weights of that density and random biases, scales and other vectors."""
    result = model.clone()
    masked = {weight.name for weight in onnx_graph.weights(model)}
    for name, value in result.graph.initializers.items():
        tensor = value.const_value
        if tensor is None or tensor.dtype != ir.DataType.FLOAT:
            continue
        array = rng.uniform(0.2, 1.0, tensor.numpy().shape).astype(np.float32)
        if name in masked:
            array *= (rng.random(array.shape) < density) * rng.choice(np.float32([-1, 1]), array.shape)
        value.const_value = ir.Tensor(array, name=name)
    return result


@pytest.fixture
def from_text() -> Callable[..., ir.Model]:
    return _from_text


@pytest.fixture
def answers() -> Callable[..., Answers]:
    return _answers


@pytest.fixture
def sparse() -> Callable[..., ir.Model]:
    return _sparse
