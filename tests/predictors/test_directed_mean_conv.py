"""The layer is a PyTorch Geometric layer: its plain and its fused path agree, and its answer can be worked out by hand."""

import glob
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_geometric.nn import MessagePassing

from predictors.models.gnn.directed_mean_conv import DirectedMeanConv
from predictors.models.gnn.neighbours import Neighbours

#  0 → 2 ← 1,  2 → 3
EDGES = np.array([[0, 1, 2], [2, 2, 3]])
X = torch.tensor([[1.0], [3.0], [10.0], [20.0]])


def _conv(weight: list[list[float]]) -> DirectedMeanConv:
    conv = DirectedMeanConv(1, len(weight))
    with torch.no_grad():
        conv.weight.copy_(torch.tensor(weight))
        conv.bias.zero_()
    return conv


def _both(edges: np.ndarray, nodes: int) -> dict[str, torch.Tensor | Neighbours]:
    return {"plain": torch.from_numpy(edges), "fused": Neighbours.of(edges, nodes)}


@pytest.mark.parametrize("path", ["plain", "fused"])
def test_a_node_hears_itself_the_mean_of_its_sources_and_that_of_its_targets(path):
    conv = _conv([[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    assert isinstance(conv, MessagePassing)
    found = conv(X, _both(EDGES, 4)[path])
    # itself; sources: node 2 hears (1 + 3) / 2, node 3 hears 10; targets: 0 and 1 hear 10, 2 hears 20
    torch.testing.assert_close(found, torch.tensor([[1, 0, 10], [3, 0, 10], [10, 2, 20], [20, 10, 0]]).float())


def test_both_paths_give_the_same_states_and_gradients():
    rng = np.random.default_rng(0)
    edges = np.unique(rng.integers(50, size=(2, 300)), axis=1)
    conv = DirectedMeanConv(6, 5, torch.Generator().manual_seed(1))
    found = {}
    for path, graph in _both(edges, 50).items():
        x = torch.linspace(-1, 1, 300).reshape(50, 6).requires_grad_()
        made = conv(x, graph)
        found[path] = (made, *torch.autograd.grad(made.pow(2).sum(), [x, conv.weight, conv.bias]))
    for plain, fused in zip(found["plain"], found["fused"], strict=True):
        torch.testing.assert_close(plain, fused, rtol=1e-4, atol=1e-4)


def test_neighbours_take_the_fused_path_and_edges_the_plain_one():
    used = []
    conv = _conv([[1, 1, 1]])
    conv.register_message_forward_hook(lambda *_: used.append("message"))
    conv(X, _both(EDGES, 4)["fused"])
    assert used == []
    conv(X, _both(EDGES, 4)["plain"])
    assert used == ["message", "message"]


def test_weights_are_drawn_from_the_generator_alone():
    before = torch.get_rng_state()
    first, again, other = (DirectedMeanConv(3, 4, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.weight, again.weight)
    assert not torch.equal(first.weight, other.weight)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        like = torch.nn.Linear(9, 4)
    assert torch.equal(first.weight, like.weight)
    assert torch.equal(first.bias, like.bias)


def test_no_file_is_left_in_the_folder_of_temporary_files():
    _conv([[1, 1, 1]])(X, _both(EDGES, 4)["fused"])
    assert not glob.glob(str(Path(tempfile.gettempdir()) / f"{DirectedMeanConv.__module__}*"))
