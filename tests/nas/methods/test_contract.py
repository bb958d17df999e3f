"""Every registered method keeps the contract, on every kind of layer."""

from pathlib import Path

import pytest

import onnx_graph
from nas.training.methods import registry
from nas.training.methods.method import Method
from nas.training.testing import NETWORKS, MethodContract

UNSUPPORTED = {("greedy-forward", "gru")}
"""Pairs that a method refuses; every other one must train."""
ROUNDS = {"imp": 2, "magnitude-iterative": 2, "obd": 3, "synflow": 10}
"""Rounds of the methods that prune in many."""


class TestMethods(MethodContract):
    @pytest.fixture(params=list(NETWORKS))
    def network(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture(params=registry.METHODS.names())
    def method(self, request: pytest.FixtureRequest, network: str, tmp_path: Path) -> Method:
        return registry.create(request.param, options_of(request.param, network, tmp_path))


def options_of(name: str, network: str, folder: Path) -> dict[str, object]:
    """Options that a method requires, and few rounds."""
    if name in ROUNDS:
        return {"rounds": ROUNDS[name]}
    if name != "mask-transfer":
        return {}
    path = folder / "source.onnx"
    onnx_graph.save(NETWORKS[network][0](), path)
    return {"source": str(path)}
