import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import onnx_graph
from predictors.models.gnn.graph_batch import GraphBatch
from predictors.models.gnn.network_members import NetworkMembers
from predictors.models.gnn.network_sizes import NetworkSizes, parameter_shapes
from search_spaces.registry import create
from search_spaces.signature import Signature

SIZES = NetworkSizes(
    classes=5, node_features=7, graph_features=6, unit_features=4, hidden=8, layers=2, unit_hidden=4, unit_layers=2
)
UNIT_OWNERS = np.array(
    [0, 0, 1, 4, 3, 3, 2, 9, 9, 5]
)  # out of order; node 6 to 8 have no unit, the last two belong to no node


def _networks(count: int):
    import torch

    from predictors.models.gnn.message_passing import StructureNetwork

    made = []
    for seed in range(count):
        network, generator = StructureNetwork(SIZES, seed, dropout=0.5).eval(), torch.Generator().manual_seed(seed)
        for parameter in network.parameters():  # norms begin as the identity: that would hide where they are forgotten
            torch.nn.init.normal_(parameter, std=0.5, generator=generator)
        made.append(network)
    return made


def _batch(graphs: int = 3, nodes: int = 9, units: int = 10) -> GraphBatch:
    rng = np.random.default_rng(1)

    def floats(*shape: int):
        return rng.normal(size=shape).astype(np.float32)

    def edges(size: int):
        pairs = [(first, second) for second in range(size) for first in range(second) if rng.random() < 0.4]
        return np.array(pairs, np.int64).reshape(-1, 2).T

    return GraphBatch(
        features=floats(nodes, SIZES.node_features),
        operators=rng.integers(SIZES.classes, size=nodes),
        edges=edges(nodes),
        owner=np.sort(rng.choice([0, 2], nodes)),  # the second graph has no node
        summary=floats(graphs, SIZES.graph_features),
        units=floats(units, SIZES.unit_features),
        unit_edges=edges(units),
        unit_owner=UNIT_OWNERS[:units],
    )


def _members(networks) -> NetworkMembers:
    from predictors.models.gnn.message_passing import state_arrays

    return NetworkMembers([state_arrays(network) for network in networks])


@pytest.mark.parametrize(
    "batch", [_batch(), _batch(units=0), _batch(graphs=3, nodes=0, units=0)], ids=["units", "no units", "no nodes"]
)
def test_members_say_what_the_networks_of_torch_say(batch):
    import torch

    from predictors.models.gnn.message_passing import Batch

    networks = _networks(3)
    with torch.inference_mode():
        expected = np.stack([network(Batch.of(batch)).numpy() for network in networks])
    said = _members(networks)(batch)
    assert said.shape == (3, 3)
    np.testing.assert_allclose(said, expected, rtol=1e-5, atol=1e-5)
    assert min(np.ptp(said, axis=1).min(), np.ptp(said, axis=0).min()) > 0.01


def test_the_plain_path_of_pyg_says_the_same():
    """The fused path, the plain one and the numpy twin differ in the order of their sums only: float32, a few units in the last place."""
    import torch

    from predictors.models.gnn.message_passing import Batch

    network = _networks(1)[0]
    with torch.inference_mode():
        fused, plain = (network(Batch.of(_batch(), fused=fused)).numpy() for fused in (True, False))
    np.testing.assert_allclose(plain, fused, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("threads", [2, 4])
def test_threads_of_linear_algebra_move_the_last_digits_at_most(threads):
    rng = np.random.default_rng(2)
    units = 3000
    edges = np.unique(rng.integers(units, size=(2, 9000)), axis=1)
    large = replace(
        _batch(),
        units=rng.normal(size=(units, SIZES.unit_features)).astype(np.float32),
        unit_edges=edges,
        unit_owner=np.sort(rng.integers(10, size=units)),
    )
    members = _members(_networks(2))
    with threadpool_limits(1, user_api="blas"):
        alone = members(large)
    with threadpool_limits(threads, user_api="blas"):
        np.testing.assert_allclose(members(large), alone, rtol=1e-5, atol=1e-5)


def test_parameters_of_a_member_are_its_own_and_copies():
    from predictors.models.gnn.message_passing import state_arrays

    networks = _networks(2)
    members = _members(networks)
    assert len(members) == 2
    for place, network in enumerate(networks):
        found = members.parameters(place)
        for name, value in state_arrays(network).items():
            np.testing.assert_array_equal(found[name], value)
    before = members(_batch())
    for value in members.parameters(0).values():
        value[...] = 7
    np.testing.assert_array_equal(members(_batch()), before)


def test_of_no_graph_nothing_is_said():
    assert _members(_networks(2))(_batch(graphs=0, nodes=0, units=0)).shape == (2, 0)


def test_parameters_have_the_names_and_shapes_of_the_modules():
    found = {name: tuple(value.shape) for name, value in _networks(1)[0].state_dict().items()}
    assert parameter_shapes(SIZES) == found


def test_the_shipped_predictor_answers_without_torch(tmp_path):
    """The answer needs no torch; importing it takes twenty times as long as all the rest."""
    space = create("mlp", Signature(input_shape=(64,), outputs=10))
    path = tmp_path / "model.onnx"
    onnx_graph.save(space.build(space.sample(np.random.default_rng(0))), path)
    script = (
        "import sys, predictors\n"
        f"said = predictors.load('default').predict({str(path)!r}, task='digits')\n"
        "assert 0 < said.mean[0] < 1\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, timeout=120)
