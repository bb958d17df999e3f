"""Every registered space keeps the contract."""

from pathlib import Path

import onnx
import pytest

import search_spaces
from search_spaces import Signature
from search_spaces.registry import SPACES
from search_spaces.testing import SpaceContract

MLP = """
<ir_version: 8, opset_import: ["" : 17]>
user (float[N, 12] x) => (float[N, 3] y)
<float[16, 12] w1, float[16] b1, float[16, 3] w2, float[3] b2>
{
    a = Gemm <transB = 1> (x, w1, b1)
    b = Relu (a)
    c = MatMul (b, w2)
    y = Add (c, b2)
}
"""


def write_user_model(path: Path) -> str:
    import numpy as np

    model = onnx.parser.parse_model(MLP)
    rng = np.random.default_rng(0)
    shapes = {"w1": (16, 12), "b1": (16,), "w2": (16, 3), "b2": (3,)}
    del model.graph.initializer[:]
    for name, shape in shapes.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), name))
    onnx.save(model, path)
    return str(path)


class TestMLP(SpaceContract):
    signature = Signature(input_shape=(12,), outputs=3)

    def make(self, **options):
        return search_spaces.create("mlp", self.signature, **options)


class TestMLPOnImages(TestMLP):
    signature = Signature(input_shape=(1, 4, 4), outputs=3)


class TestCNN(SpaceContract):
    signature = Signature(input_shape=(2, 8, 8), outputs=3)

    def make(self, **options):
        return search_spaces.create("cnn", self.signature, **options)


class TestRNN(SpaceContract):
    signature = Signature(input_shape=(5, 4), outputs=3)

    def make(self, **options):
        return search_spaces.create("rnn", self.signature, **options)


class TestRNNPerStep(TestRNN):
    signature = Signature(input_shape=(5, 4), outputs=4, per_step=True)


class TestRNNOnImages(TestRNN):
    signature = Signature(input_shape=(2, 6, 3), outputs=3)


class TestONNX(SpaceContract):
    signature = Signature(input_shape=(12,), outputs=3)

    @pytest.fixture(autouse=True)
    def _model(self, tmp_path):
        self.path = write_user_model(tmp_path / "user.onnx")

    def make(self, **options):
        return search_spaces.create("onnx", self.signature, **{"model": self.path, **options})


def test_every_space_is_held_to_the_contract():
    tested = {TestMLP: "mlp", TestCNN: "cnn", TestRNN: "rnn", TestONNX: "onnx"}
    assert set(tested.values()) == set(SPACES)
