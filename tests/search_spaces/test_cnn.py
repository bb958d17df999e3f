"""Convolutional networks: the graph of worked candidates, wiring of cells, reductions, errors."""

import numpy as np
import pytest

import onnx_graph
from search_spaces import Candidate, InvalidCandidateError, InvalidOptionError, Signature, create
from search_spaces.testing import run

SIGNATURE = Signature(input_shape=(1, 8, 8), outputs=2)
GENES = {
    "nodes": 1,
    "operation_1": "identity",
    "channels": 3,
    "cells": 1,
    "growth": 1.0,
    "stem_stride": 1,
    "reduction": "stride",
    "activation": "relu",
    "batch_norm": False,
    "head": "average-pool",
}


def build(signature=SIGNATURE, **genes):
    return create("cnn", signature).build(Candidate(space="cnn", architecture={**GENES, **genes}))


def nodes(model):
    return [node.op_type for node in model.graph]


def shape(model, name):
    return next(list(value.shape)[1:] for node in model.graph for value in node.outputs if value.name == name)


def test_smallest_network():
    assert nodes(build()) == ["Conv", "Relu", "GlobalAveragePool", "Flatten", "Gemm"]


def test_stem_sums_windows():
    # All weights 1 on an image of ones: inside, a 3×3 window sums to 9, at the border to 6, in the corners to 4.
    # Mean of a channel: (36 · 9 + 24 · 6 + 4 · 4) / 64 = 7.5625, three channels summed: 22.6875.
    assert run(build(), np.ones((1, 1, 8, 8), np.float32)).tolist() == [[22.6875, 22.6875]]


def test_batch_norm_replaces_the_bias():
    model = build(batch_norm=True)
    assert nodes(model)[:3] == ["Conv", "BatchNormalization", "Relu"]
    assert "stem.bias" not in model.graph.initializers
    # Scale 1, bias 0, mean 0, variance 1: only epsilon shows.
    assert run(model, np.ones((1, 1, 8, 8), np.float32))[0, 0] == pytest.approx(22.6875, rel=1e-4)


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("conv1x1", {"cell_1.node_1.weight": (3, 3, 1, 1)}),
        ("conv5x5", {"cell_1.node_1.weight": (3, 3, 5, 5)}),
        (
            "separable3x3",
            {"cell_1.node_1.depthwise.weight": (3, 1, 3, 3), "cell_1.node_1.pointwise.weight": (3, 3, 1, 1)},
        ),
        ("max-pool3x3", {}),
        ("average-pool3x3", {}),
        ("identity", {}),
    ],
)
def test_operations_have_their_weights(operation, expected):
    model = build(operation_1=operation)
    found = {weight.name: weight.shape for weight in onnx_graph.weights(model) if weight.name.startswith("cell")}
    assert found == expected


def test_inputs_of_a_vertex_are_summed():
    # Vertices 1 and 2 are the cell's input x, vertex 3 sums both and x: the cell gives 3 x.
    genes = {f"operation_{node}": "identity" for node in (1, 2, 3)}
    edges = {"edge_0_2": True, "edge_1_2": False, "edge_0_3": True, "edge_1_3": True, "edge_2_3": True}
    model = build(nodes=3, **genes, **edges)
    assert run(model, np.ones((1, 1, 8, 8), np.float32)).tolist() == [[3 * 22.6875, 3 * 22.6875]]


def test_vertices_without_target_are_summed_into_the_output():
    genes = {"operation_1": "identity", "operation_2": "identity", "edge_0_2": True, "edge_1_2": False}
    assert run(build(nodes=2, **genes), np.ones((1, 1, 8, 8), np.float32)).tolist() == [[2 * 22.6875, 2 * 22.6875]]


@pytest.mark.parametrize(
    ("reduction", "expected"),
    [
        ("stride", [6, 4, 4]),
        ("max-pool", [6, 4, 4]),
        ("average-pool", [6, 4, 4]),
        ("none", [6, 8, 8]),
    ],
)
def test_reductions_between_cells(reduction, expected):
    model = build(cells=2, growth=2.0, reduction=reduction)
    assert shape(model, "transition_1.activation") == expected


def test_small_images_are_not_reduced():
    model = build(signature=Signature(input_shape=(1, 3, 3), outputs=2), cells=2, growth=2.0)
    assert shape(model, "transition_1.activation") == [6, 3, 3]


def test_flatten_head_sees_every_position():
    model = build(head="flatten", stem_stride=2)
    assert model.graph.initializers["head.weight"].shape.numpy() == (2, 3 * 4 * 4)


def test_one_cell_is_the_theme_of_all():
    model = build(cells=3, operation_1="conv3x3")
    assert [name for name in model.graph.initializers if "node_1.weight" in name] == [
        f"cell_{cell}.node_1.weight" for cell in (1, 2, 3)
    ]


@pytest.mark.parametrize("side", [28, 32])
def test_common_image_sizes_run(side):
    space = create("cnn", Signature(input_shape=(3, side, side), outputs=10))
    rng = np.random.default_rng(0)
    for _ in range(3):
        assert run(space.build(space.sample(rng)), np.ones((1, 3, side, side), np.float32)).shape == (1, 10)


@pytest.mark.parametrize(
    ("genes", "said"),
    [
        ({"operation_1": "conv7x7"}, "conv7x7"),
        ({"reduction": "half"}, "half"),
        ({"head": "max"}, "max"),
        ({"growth": 1e9}, "growth"),
        ({"growth": "big"}, "growth"),
        ({"stem_stride": 3}, "stem_stride"),
        ({"stem_stride": 0}, "stem_stride"),
        ({"cells": 1000}, "cells"),
        ({"nodes": 2, "operation_2": "identity"}, "edge_0_2"),
    ],
)
def test_nonsense_is_an_invalid_candidate(genes, said):
    with pytest.raises(InvalidCandidateError, match=said):
        build(**genes)


@pytest.mark.parametrize("shape", [(64,), (5, 4)])
def test_inputs_that_are_no_images_are_refused(shape):
    with pytest.raises(InvalidOptionError, match=r"needs examples of shape \(C, H, W\).*take 'mlp'"):
        create("cnn", Signature(input_shape=shape, outputs=2))
