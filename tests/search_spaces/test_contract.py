"""Every registered space keeps the contract."""

from pathlib import Path

import numpy as np
import onnx
import pytest

import search_spaces
from search_spaces import Signature
from search_spaces.registry import SPACES
from search_spaces.testing import DenseSpaceContract, SpaceContract

CODES = [
    "220420",
    "302222",
    "033222",
    "430210",
    "004444",
    "230232",
    *(f"{place:06}" for place in range(0, 444444, 11111) if max(str(place)) < "5"),
]
"""Cells of a small table of NAS-Bench-201."""

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


class TestNASBench201(DenseSpaceContract):
    signature = Signature(input_shape=(3, 8, 8), outputs=5)

    def make(self, **options):
        return search_spaces.create("nasbench201", self.signature, **options)


class TestNASBench201WithinATable(TestNASBench201):
    def make(self, **options):
        space = super().make(**options)
        return space.within([one for _, one in space.rows({"code": CODES})])


class TestNASBench101(DenseSpaceContract):
    signature = Signature(input_shape=(3, 8, 8), outputs=5)

    def make(self, **options):
        return search_spaces.create("nasbench101", self.signature, **options)

    def check_network(self, space, candidate):
        """Only some: a network has up to 50 million weights."""
        if len(candidate.architecture["operations"]) <= 2:
            super().check_network(space, candidate)


class TestNASBench101WithinATable(TestNASBench101):
    def make(self, **options):
        space = super().make(**options)
        rng = np.random.default_rng(0)
        return space.within(list({one.digest: one for one in (space.sample(rng) for _ in range(300))}.values()))


def test_every_space_is_held_to_the_contract():
    tested = {
        TestMLP: "mlp",
        TestCNN: "cnn",
        TestRNN: "rnn",
        TestONNX: "onnx",
        TestNASBench101: "nasbench101",
        TestNASBench201: "nasbench201",
    }
    assert set(tested.values()) == set(SPACES)
