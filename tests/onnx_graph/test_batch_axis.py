"""Graphs that were exported for one batch size, freed: worked by hand, and compared with the original in onnxruntime."""

import numpy as np
import onnx.parser
import onnx_ir as ir
import onnxruntime
import pytest

import onnx_graph


def graph(text: str) -> ir.Model:
    proto = onnx.parser.parse_model('<ir_version: 8, opset_import: ["" : 17]>\n' + text)
    return onnx_graph.simplify(onnx_graph.from_proto(proto))


def outputs(model: ir.Model, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(ir.to_proto(model).SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def shapes(model: ir.Model) -> dict[str, str]:
    return {value.name: str(value.shape) for node in model.graph for value in node.outputs}


def target(model: ir.Model, operator: str) -> list[int]:
    node = next(node for node in model.graph if node.op_type == operator)
    return node.inputs[1].const_value.numpy().tolist()


def check(model: ir.Model, free: ir.Model) -> None:
    """The original gives the same answers batch by batch; the freed model also for seven batches at once and for one example."""
    size, *rest = (int(dim) for dim in model.graph.inputs[0].shape)
    x = np.random.default_rng(0).standard_normal((7 * size, *rest)).astype(np.float32)
    expected = np.concatenate([outputs(model, x[start : start + size]) for start in range(0, len(x), size)])
    np.testing.assert_allclose(outputs(free, x), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(outputs(free, x[-1:]), expected[-1:], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_reshape_leaves_the_batch_open_and_states_the_rest(size):
    model = graph(f"""
        g (float[{size}, 2, 3] x) => (float[{size}, 6] y)
        <int64[2] t = {{{size}, 6}}> {{ y = Reshape(x, t) }}
    """)
    free = onnx_graph.free_batch(model)
    assert target(free, "Reshape") == [-1, 6]
    assert [str(dim) for dim in free.graph.inputs[0].shape] == ["N", "2", "3"]
    assert [str(dim) for dim in free.graph.outputs[0].shape] == ["N", "6"]
    assert target(model, "Reshape") == [size, 6], "the original is left alone"
    check(model, free)


@pytest.mark.parametrize("size", [1, 3])
def test_heads_joined_with_the_batch_and_parted_again(size):
    """Attention of two heads: (N, 4, 6) → (4, N·2, 3) → (N·2, 4, 3) → (N, 2, 4, 3); 3 stands for other axes, too."""
    model = graph(f"""
        g (float[{size}, 4, 6] x) => (float[{size}, 2, 4, 3] y)
        <int64[3] joined = {{4, {2 * size}, 3}}, int64[4] parted = {{{size}, 2, 4, 3}}> {{
            first = Transpose<perm = [1, 0, 2]>(x)
            heads = Reshape(first, joined)
            turned = Transpose<perm = [1, 0, 2]>(heads)
            y = Reshape(turned, parted)
        }}
    """)
    free = onnx_graph.free_batch(model)
    targets = [node.inputs[1].const_value.numpy().tolist() for node in free.graph if node.op_type == "Reshape"]
    assert targets == [[4, -1, 3], [-1, 2, 4, 3]]
    assert shapes(free)["y"] == "[N,2,4,3]"
    check(model, free)


def test_a_batch_that_lies_inside_a_joined_axis():
    """(4, N, 3) → (4·N, 3): the batch is the inner part of the joined axis, and comes back as it was."""
    model = graph("""
        g (float[2, 4, 3] x) => (float[2, 4, 3] y)
        <int64[2] flat = {8, 3}, int64[3] back = {4, 2, 3}> {
            first = Transpose<perm = [1, 0, 2]>(x)
            rows = Reshape(first, flat)
            active = Relu(rows)
            apart = Reshape(active, back)
            y = Transpose<perm = [1, 0, 2]>(apart)
        }
    """)
    check(model, onnx_graph.free_batch(model))


def test_initial_states_of_zeros_go_and_others_are_repeated():
    weights = ", ".join(f"{value:.1f}" for value in np.linspace(-1, 1, 6))
    body = """<float[1, 3, 1] w = {{0.5, -0.5, 1.0}}, float[1, 3, 1] r = {{0.3, 0.2, -0.4}}, float[1, 6] b = {{{weights}}},
        float[1, 2, 1] h = {{{state}}}> {{
            first = Transpose<perm = [1, 0, 2]>(x)
            all, last = GRU<hidden_size = 1>(first, w, r, b, , h)
            y = Squeeze(last)
        }}"""
    head = "g (float[2, 4, 1] x) => (float[2] y)\n"
    zeros = graph(head + body.format(weights=weights, state="0, 0"))
    free = onnx_graph.free_batch(zeros)
    assert len(next(node for node in free.graph if node.op_type == "GRU").inputs) == 4
    check(zeros, free)
    same = graph(head + body.format(weights=weights, state="0.7, 0.7"))
    free = onnx_graph.free_batch(same)
    assert "Expand" in [node.op_type for node in free.graph]
    check(same, free)
    other = graph(head + body.format(weights=weights, state="0.7, 0.6"))
    with pytest.raises(onnx_graph.FixedBatchError, match="differs from example to example"):
        onnx_graph.free_batch(other)


def test_a_constant_repeated_for_each_example_is_cut_to_one_row_or_expanded():
    model = graph("""
        g (float[2, 3] x) => (float[2, 4] y)
        <float[2, 3] bias = {1, 2, 3, 1, 2, 3}, float[2, 1] token = {5, 5}> {
            sum = Add(x, bias)
            y = Concat<axis = 1>(token, sum)
        }
    """)
    free = onnx_graph.free_batch(model)
    add = next(node for node in free.graph if node.op_type == "Add")
    assert add.inputs[1].const_value.numpy().tolist() == [[1, 2, 3]]
    check(model, free)


def test_expand_to_the_batch_size_takes_that_of_its_input():
    model = graph("""
        g (float[2, 1, 3] x) => (float[2, 4, 3] y)
        <int64[3] t = {2, 4, 3}> { y = Expand(x, t) }
    """)
    free = onnx_graph.free_batch(model)
    assert target(free, "Expand") == [1, 4, 3]
    check(model, free)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            "{ y = ReduceMean<axes = [0], keepdims = 1>(x) }",
            "'y' .ReduceMean. .* does not keep one axis for the examples",
        ),
        ("<int64[2] t = {1, 6}> { y = Reshape(x, t) }", "do not lie along the first axis of its output 'y'"),
        ("<int64[2] t = {4, 3}> { z = Concat<axis = 1>(x, x)  y = Reshape(z, t) }", "do not lie along the first axis"),
        ("<float[2, 3] c = {1, 2, 3, 4, 5, 6}> { y = Add(x, c) }", "differs from example to example"),
        ("{ t = Transpose(x)  y = MatMul(x, t) }", "does not keep one axis for the examples"),
        ("{ y = Concat<axis = 0>(x, x) }", "it lengthens the batch"),
        ("<int64[2] one = {1, 1}> { y, z = Split<axis = 0>(x, one) }", "cannot be told for another batch size"),
    ],
)
def test_what_needs_the_batch_size_is_refused_in_one_line(body, reason):
    model = graph(f"g (float[2, 3] x) => (float y) {body}")
    with pytest.raises(onnx_graph.FixedBatchError, match=reason) as caught:
        onnx_graph.free_batch(model)
    assert "fixed to a batch of 2" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_free_model_is_given_back_as_it_is():
    model = graph("g (float[N, 3] x) => (float[N, 3] y) { y = Relu(x) }")
    assert onnx_graph.fixed_batch(model) is None
    assert onnx_graph.free_batch(model) is model
    assert onnx_graph.fixed_batch(graph("g (float[4, 3] x) => (float[4, 3] y) { y = Relu(x) }")) == 4


def test_weights_keep_their_names_and_values():
    model = graph("""
        g (float[2, 1, 2] x) => (float[2, 2] y)
        <int64[2] t = {2, 2}, float[2, 2] w = {1, 0, 0, 2}> { rows = Reshape(x, t)  y = Gemm<transB = 1>(rows, w) }
    """)
    free = onnx_graph.free_batch(model)
    assert [weight.name for weight in onnx_graph.weights(free)] == ["w"]
    np.testing.assert_array_equal(free.graph.initializers["w"].const_value.numpy(), [[1, 0], [0, 2]])
