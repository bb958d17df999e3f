"""Liveness: small graphs by eye, and every operator's rule compared with the true dependencies."""

import os
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

import onnx_graph

X, O = True, False  # noqa: E741


def units(model: ir.Model, name: str) -> tuple[list[bool], list[bool]]:
    found = onnx_graph.liveness(model)
    return found.forward[name].ravel().tolist(), found.backward[name].ravel().tolist()


def two_layers(from_text, first, second):
    return from_text(
        """g (float[N,3] x) => (float[N,2] y) {
            a = Gemm<transB=1>(x, w1, b1)
            h = Relu(a)
            y = Gemm<transB=1>(h, w2, b2)
        }""",
        w1=first,
        w2=second,
        b1=[1.0, 1, 1, 1],
        b2=[1.0, 1],
    )


FIRST = [[1.0, 1, 0], [0, 0, 0], [0, 1, 1], [1, 0, 0]]  # hidden unit 1 has no input
SECOND = [[1.0, 1, 0, 0], [0, 1, 0, 1]]  # hidden unit 2 has no output


def test_unit_without_input_and_unit_without_output(from_text):
    model = two_layers(from_text, FIRST, SECOND)
    assert units(model, "h") == ([X, O, X, X], [X, X, O, X])
    assert onnx_graph.dead_units(model) == 2


def test_trim_clears_both_sides_of_dead_units_once(from_text):
    model = two_layers(from_text, FIRST, SECOND)
    # Into unit 2: two connections; out of unit 1: two.
    effective = onnx_graph.effective_masks(model)
    assert onnx_graph.trim(model) == 4
    assert onnx_graph.masks(model)["w1"].tolist() == [[X, X, O], [O, O, O], [O, O, O], [X, O, O]]
    assert onnx_graph.masks(model)["w2"].tolist() == [[X, O, O, O], [O, O, O, X]]
    assert {name: mask.tolist() for name, mask in effective.items()} == {
        name: mask.tolist() for name, mask in onnx_graph.masks(model).items()
    }
    assert onnx_graph.trim(model) == 0


def test_trim_changes_no_array_that_others_hold(from_text):
    model = two_layers(from_text, FIRST, SECOND)
    copy = model.clone()
    onnx_graph.trim(copy)
    assert onnx_graph.masks(model)["w1"].sum() == 5


def test_death_spreads_along_a_chain(from_text):
    # x → a0 → b0 → y and x → a1 → b1, where b1 reaches nothing: a1 is dead as well.
    model = from_text(
        "g (float[N,1] x) => (float[N,1] y) { a = MatMul(x, u)  b = MatMul(a, v)  y = MatMul(b, w) }",
        u=[[1.0, 1]],
        v=[[1.0, 0], [0, 1]],
        w=[[1.0], [0]],
    )
    assert units(model, "a") == ([X, X], [X, O])
    assert onnx_graph.trim(model) == 2
    assert onnx_graph.masks(model)["u"].tolist() == [[X], [O]]


def test_a_sum_lives_through_either_operand(from_text):
    # Both branches leave a row empty, another one each: after the sum only unit 2 has no input.
    model = from_text(
        """g (float[N,1] x) => (float[N,1] y) {
            a = MatMul(x, u)
            b = MatMul(x, v)
            s = Add(a, b)
            y = MatMul(s, w)
        }""",
        u=[[1.0, 0, 0]],
        v=[[0.0, 1, 0]],
        w=[[1.0], [1], [1]],
    )
    assert units(model, "s") == ([X, X, O], [X, X, X])
    assert onnx_graph.dead_units(model) == 1


def test_flatten_turns_a_channel_into_a_block_of_columns(from_text):
    # Two channels of 1 × 2; the dense layer reads only the second one's last place.
    model = from_text(
        """g (float[N,1,1,2] x) => (float[N,1] y) {
            a = Conv(x, k)
            f = Flatten(a)
            y = Gemm<transB=1>(f, w)
        }""",
        k=np.ones((2, 1, 1, 1)),
        w=[[0.0, 0, 0, 1]],
    )
    assert units(model, "f") == ([X, X, X, X], [O, O, O, X])
    assert onnx_graph.liveness(model).backward["a"].shape == (1, 2, 1, 2)
    assert onnx_graph.trim(model) == 1
    assert onnx_graph.masks(model)["k"].ravel().tolist() == [O, X]


def test_groups_do_not_mix(from_text):
    # Group 0 is channels 0, 1 → 0; group 1 is channels 2, 3 → 1, and has lost channel 3.
    model = from_text(
        """g (float[N,1,3,3] x) => (float[N,1,3,3] y) {
            a = Conv(x, k)
            b = Conv<group=2>(a, d)
            y = Conv(b, p)
        }""",
        k=np.ones((4, 1, 1, 1)),
        d=np.float32([[1, 1], [1, 0]]).reshape(2, 2, 1, 1),
        p=np.float32([[0, 1]]).reshape(1, 2, 1, 1),
    )
    assert units(model, "a") == ([X, X, X, X], [O, O, X, O])
    assert onnx_graph.effective_masks(model)["d"][:, :, 0, 0].tolist() == [[O, O], [X, O]]


def test_hidden_units_live_through_the_recurrence(from_text):
    # x → h0 → h1 → h2 → y over the steps; h3 feeds itself only.
    recurrence = [[[0.0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]]
    model = from_text(
        """g (float[T,N,1] x) => (float[1,N,1] y) {
            all, last = RNN<hidden_size=4>(x, w, r)
            y = MatMul(last, v)
        }""",
        w=[[[1.0], [0], [0], [0]]],
        r=recurrence,
        v=[[0.0], [0], [1], [0]],
    )
    found = onnx_graph.liveness(model)
    node = model.graph[0]
    assert found.weighted.reached[node].tolist() == [[X, X, X, O]]
    assert found.weighted.needed[node].tolist() == [[X, X, X, O]]
    assert onnx_graph.trim(model) == 1
    assert onnx_graph.masks(model)["r"].tolist() == [[O, O, O, O], [X, O, O, O], [O, X, O, O], [O, O, O, O]]
    assert onnx_graph.dead_units(model) == 1


def test_gates_and_directions_of_an_lstm(from_text):
    # Two directions, one hidden unit, four gates: the second direction has no input.
    w = np.zeros((2, 4, 1), np.float32)
    w[0, 2] = 1
    model = from_text(
        """g (float[T,N,1] x) => (float[T,2,N,1] y) { y = LSTM<hidden_size=1, direction="bidirectional">(x, w, r) }""",
        w=w,
        r=np.ones((2, 4, 1)),
    )
    assert onnx_graph.liveness(model).forward["y"][0, :, 0, 0].tolist() == [X, O]
    assert onnx_graph.effective_masks(model)["r"].ravel().tolist() == [X] * 4 + [O] * 4


def test_shared_weight_keeps_what_any_user_needs(from_text):
    model = from_text(
        """g (float[N,2] x) => (float[N,1] y) {
            a = MatMul(x, w)
            b = MatMul(a, w)
            y = MatMul(b, v)
        }""",
        w=[[1.0, 1], [0, 1]],
        v=[[1.0], [0]],
    )
    # y needs b0, b0 needs a0, a0 needs x0: only w[0, 0] is used, twice.
    assert onnx_graph.effective_masks(model)["w"].tolist() == [[X, O], [O, O]]


def test_softmax_mixes_its_own_axis_only(from_text):
    text = """g (float[N,2] x) => (float[N,1] y) {{
        a = MatMul(x, u)
        s = Softmax<axis={axis}>(a)
        y = MatMul(s, w)
    }}"""
    arrays = {"u": [[1.0, 0, 1], [1, 0, 1]], "w": [[1.0], [0], [0]]}
    assert units(from_text(text.format(axis=1), **arrays), "a")[1] == [X]
    assert units(from_text(text.format(axis=0), **arrays), "a")[1] == [X, O, O]


def test_unknown_operator_mixes():
    model = ir.from_onnx_text(
        """<ir_version: 10, opset_import: ["" : 17, "my" : 1]>
        g (float[N,2] x) => (float[N,1] y) <float[N,2] a, float[2,2] u = {1, 0, 0, 0}, float[2,1] w = {1, 0}> {
            a = MatMul(x, u)
            b = my.Thing(a)
            y = MatMul(b, w)
        }"""
    )
    found = onnx_graph.liveness(model)
    assert found.forward["a"].tolist() == [[X, O]]
    assert found.forward["b"].ndim == 0
    assert found.backward["a"].tolist() == [[X]]


def test_values_read_inside_a_subgraph_count(from_text):
    model = from_text(
        """g (bool c, float[N,2] x) => (float[N,2] y) {
            a = MatMul(x, u)
            y = If(c) <then_branch = t () => (float[N,2] p) { p = Relu(a) }, else_branch = e () => (float[N,2] q) { q = Neg(a) }>
        }""",
        u=[[1.0, 0], [0, 1]],
    )
    assert onnx_graph.trim(model) == 0


# --- speed and size -----------------------------------------------------------------------------------------------------


def chain(layers: int, width: int, density: float) -> ir.Model:
    rng = np.random.default_rng(0)
    kind = ir.TensorType(ir.DataType.FLOAT)
    value = graph_input = ir.Value(name="x", shape=ir.Shape(["N", width]), type=kind)
    nodes, weights = [], []
    for number in range(layers):
        array = (rng.random((width, width)) < density).astype(np.float32)
        weight = ir.Value(
            name=f"w{number}", shape=ir.Shape(array.shape), type=kind, const_value=ir.Tensor(array, name=f"w{number}")
        )
        gemm = ir.Node("", "Gemm", [value, weight], [ir.AttrInt64("transB", 1)])
        relu = ir.Node("", "Relu", [gemm.outputs[0]])
        for node in (gemm, relu):
            node.outputs[0].shape, node.outputs[0].type = ir.Shape(["N", width]), kind
        nodes += [gemm, relu]
        weights.append(weight)
        value = relu.outputs[0]
    graph = ir.Graph([graph_input], [value], nodes=nodes, initializers=weights, opset_imports={"": 17})
    return ir.Model(graph, ir_version=10)


def test_long_chains_are_followed_to_the_end():
    model = chain(1750, 8, 0.6)
    found = onnx_graph.liveness(model)
    assert len(found.forward) == 3501


def test_real_files_are_alive_where_they_compute():
    if "NAS_DATA_DIR" not in os.environ:
        pytest.skip("NAS_DATA_DIR is not set")
    folder = Path(os.environ["NAS_DATA_DIR"]) / "onnx" / "evaluated"
    for name in ("resnet_2b.onnx", "cifar10_small.onnx", "cnn_max_mninst2.onnx", "mnist-set.onnx"):
        model = onnx_graph.load(folder / name)
        assert onnx_graph.trim(model) == 0, name
        assert all(mask.any() for mask in onnx_graph.effective_masks(model).values())
