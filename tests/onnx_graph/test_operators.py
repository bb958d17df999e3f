"""Every operator's rule against the true dependencies in onnxruntime, and shrunk graphs against whole ones."""

import numpy as np
import onnx_ir as ir
import pytest

import onnx_graph

BODIES = {
    "elementwise": "m = Mul(a, b)  e = Sigmoid(m)  t = Sub(e, b)",
    "norm": "t = LayerNormalization(a, s6)",
    "softmax of two": "p = Softmax<axis=1>(a)  q = Softmax<axis=0>(b)  t = Add(p, q)",
    "concat and split": "c = Concat<axis=1>(a, b)  h, i, j = Split<axis=1>(c, three)  t = Concat<axis=1>(i, h)",
    "concat of batches": "c = Concat<axis=0>(a, b)  t = Slice(c, zero, two, zero)",
    "slice": "p = Slice(a, one, five, one)  q = Slice(b, last, first, one, back)  t = Concat<axis=1>(p, q)",
    "gather": "t = Gather<axis=1>(a, picks)",
    "gather one": "p = Gather<axis=1>(a, index)  u = Unsqueeze(p, one)  t = Mul(u, b)",
    "pad": "t = Pad(a, pads)",
    "transpose": "p = Transpose<perm=[1,0]>(a)  q = Mul(p, two_f)  t = Transpose<perm=[1,0]>(q)",
    "reshape": "p = Reshape(a, split)  q = Transpose<perm=[0,2,1]>(p)  t = Reshape(q, flat)",
    "reshape and pick": "p = Reshape(a, split)  t = Gather<axis=1>(p, index)",
    "reduce": "p = ReduceMax<axes=[1], keepdims=0>(a)  u = Unsqueeze(p, one)  t = Mul(u, b)",
    "reduce kept": "r = Reshape(a, split)  p = ReduceMean<axes=[1], keepdims=0>(r)  t = Relu(p)",
    "reduce pairs": "r = Reshape(a, split)  t = ReduceSum<keepdims=0>(r, one)",
    "attention": "p = Transpose<perm=[1,0]>(b)  q = MatMul(a, p)  s = Softmax(q)  t = MatMul(s, b)",
    "cumulate": "t = CumSum(a, axis)",
    "top": "v, i = TopK<axis=1>(a, three_k)  t = Relu(v)",
    "where": "c = Greater(a, b)  t = Where(c, a, b)",
    "expand": "u = Unsqueeze(a, two_axis)  w = Expand(u, wide)  t = ReduceSum<keepdims=0>(w, two_axis)",
    "tile": "t = Tile(a, repeats)",
    "image": "r = Reshape(a, image)  p = MaxPool<kernel_shape=[2,1]>(r)  t = Flatten(p)",
    "image mean": "r = Reshape(a, image)  p = GlobalAveragePool(r)  t = Flatten(p)",
    "image conv": "r = Reshape(a, image)  p = Conv<group=3>(r, depth)  t = Flatten(p)",
    "image up": "r = Reshape(a, image)  p = ConvTranspose<group=3>(r, up)  t = Flatten(p)",
    "image norm": "r = Reshape(a, image)  p = InstanceNormalization(r, s3, s3)  t = Flatten(p)",
    "image lrn": "r = Reshape(a, image)  p = LRN<size=3>(r)  t = Flatten(p)",
    "prelu": "t = PRelu(a, s6)",
    "weight first": "p = Transpose<perm=[1,0]>(a)  q = MatMul(square, p)  t = Transpose<perm=[1,0]>(q)",
    "gemm sides": "p = Transpose<perm=[1,0]>(a)  t = Gemm<transA=1>(p, square, b)",
    "sequence": "p = Unsqueeze(a, zero)  all, end = GRU<hidden_size=4>(p, rnn_w, rnn_r)  q = Squeeze(end, zero)  t = Relu(q)",
}
CONSTANTS = {
    "s6": np.linspace(1, 2, 6),
    "s3": np.linspace(1, 2, 3),
    "two_f": np.float32(2.0),
    **{name: np.array([number]) for name, number in {"zero": 0, "one": 1, "two": 2, "five": 5, "two_axis": 2}.items()},
    **{name: np.array([number]) for name, number in {"last": -1, "first": -9, "back": -2, "three_k": 3}.items()},
    "axis": np.array(1),
    "index": np.array(1),
    "picks": np.array([4, 0, 4]),
    "pads": np.array([0, 1, 0, 2]),
    "three": np.array([4, 5, 3]),
    "split": np.array([2, 3, 2]),
    "flat": np.array([2, 6]),
    "image": np.array([2, 3, 2, 1]),
    "wide": np.array([1, 1, 3]),
    "repeats": np.array([1, 2]),
    "square": np.ones((6, 6)),
    "depth": np.ones((3, 1, 1, 1)),
    "up": np.ones((3, 2, 1, 1)),
    "rnn_w": np.ones((1, 12, 6)),
    "rnn_r": np.ones((1, 12, 4)),
}


def network(from_text, body: str) -> ir.Model:
    """``x (2, 3)`` → two layers ``a`` and ``b`` of six units → the body ``t`` → an output layer."""
    used = {
        name: value
        for name, value in CONSTANTS.items()
        if name in body.replace("(", " ").replace(")", " ").replace(",", " ").split()
    }
    text = f"g (float[2,3] x) => (float y) {{ a = Gemm<transB=1>(x, wa, ba)  b = Gemm<transB=1>(x, wb, bb)  {body}  y = MatMul(t, wy) }}"
    arrays = {"wa": np.ones((6, 3)), "wb": np.ones((6, 3)), "ba": np.ones(6), "bb": np.ones(6), **used}
    probe = from_text(text, wy=np.ones((1, 1)), **arrays)
    (width,) = {value.shape[-1] for node in probe.graph for value in node.outputs if value.name == "t"}
    return from_text(text, wy=np.ones((width, 3)), **arrays)


def exposed(model: ir.Model, names: list[str], noise: str) -> ir.Model:
    """The model with tensors as further outputs, and an input added to the tensor ``noise``."""
    result = model.clone()
    values = {value.name: value for node in result.graph for value in node.outputs}
    target = values[noise]
    extra = ir.Value(name="noise", shape=target.shape, type=target.type)
    result.graph.inputs.append(extra)
    node = ir.Node("", "Add", [target, extra], name="add_noise")
    for user, index in list(target.uses()):
        if user is not node:
            user.replace_input_with(index, node.outputs[0])
    result.graph.insert_after(target.producer(), node)
    node.outputs[0].name, node.outputs[0].type, node.outputs[0].shape = "noisy", target.type, target.shape
    result.graph.outputs.extend(values[name] for name in names)
    return result


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_no_living_unit_is_called_dead(from_text, sparse, answers, body):
    rng = np.random.default_rng(0)
    model = network(from_text, body)
    for density in (0.15, 0.3):
        masked = sparse(model, density, rng)
        found = onnx_graph.liveness(masked)
        names = [name for name in found.forward if name not in ("x", "y")]
        wide = exposed(masked, names, "a")
        still = np.zeros((2, 6), np.float32)
        first = answers(wide, {"x": rng.normal(size=(2, 3)).astype(np.float32), "noise": still})
        other_x = rng.normal(size=(2, 3)).astype(np.float32)
        second = answers(wide, {"x": other_x, "noise": still})
        for name, one, two in zip(names, first[1:], second[1:], strict=True):
            constant = np.broadcast_to(~found.forward[name], one.shape)
            np.testing.assert_array_equal(one[constant], two[constant], err_msg=f"{name} forward")
        dead = ~np.broadcast_to(found.backward.get("a", np.array(False)), (2, 6))
        noise = np.where(dead, rng.normal(size=(2, 6)), 0).astype(np.float32)
        third = answers(wide, {"x": other_x, "noise": noise})
        np.testing.assert_allclose(third[0], second[0], atol=1e-5, err_msg="a backward")


PRECISE = (
    "elementwise",
    "gather",
    "pad",
    "transpose",
    "reshape",
    "reduce kept",
    "image",
    "image conv",
    "slice",
    "concat and split",
)


@pytest.mark.parametrize("name", PRECISE)
def test_rules_tell_the_units_apart(from_text, name):
    """Only unit 4 of ``a`` has an input; this must still be visible after the rules above."""
    model = network(from_text, BODIES[name])
    lone = np.zeros((6, 3), np.float32)
    lone[4] = 1
    onnx_graph.set_weights(model, {"wa": lone, "wb": np.zeros((6, 3), np.float32)})
    forward = onnx_graph.liveness(model).forward["t"]
    assert forward.any()
    assert not forward.all()


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_shrunk_graphs_compute_the_same(from_text, sparse, answers, body):
    rng = np.random.default_rng(1)
    model = network(from_text, body)
    x = rng.normal(size=(2, 3)).astype(np.float32)
    for density in (0.08, 0.15, 0.3):
        for _ in range(4):
            masked = sparse(model, density, rng)
            if rng.random() < 0.5:
                onnx_graph.trim(masked)
            small = onnx_graph.shrink(masked)
            np.testing.assert_allclose(answers(small, {"x": x})[0], answers(masked, {"x": x})[0], atol=1e-5)
            assert onnx_graph.count(small).weights <= onnx_graph.count(masked).weights


SHRINKING = (
    "elementwise",
    "transpose",
    "reduce kept",
    "image",
    "image conv",
    "prelu",
    "gemm sides",
    "sequence",
    "where",
)


@pytest.mark.parametrize("name", SHRINKING)
def test_operators_that_let_units_go(from_text, sparse, name):
    masked = sparse(network(from_text, BODIES[name]), 0.1, np.random.default_rng(0))
    onnx_graph.trim(masked)
    assert onnx_graph.count(onnx_graph.shrink(masked)).weights < onnx_graph.count(masked).weights
