"""Shrinking: literal small cases, then random masked networks compared in onnxruntime."""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest

import onnx_graph


def shapes(model: ir.Model) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.const_value.shape) for name, value in model.graph.initializers.items()}


def test_dead_units_leave_the_matrices_and_the_bias(from_text):
    # Unit 2 reaches no output. Unit 1 has no input, but sends its bias: it must stay.
    model = from_text(
        """g (float[N,3] x) => (float[N,2] y) {
            a = Gemm<transB=1>(x, w1, b1)
            h = Relu(a)
            y = Gemm<transB=1>(h, w2, b2)
        }""",
        w1=[[1.0, 1, 0], [0, 0, 0], [0, 1, 1], [1, 0, 0]],
        w2=[[1.0, 1, 0, 0], [0, 1, 0, 1]],
        b1=[1.0, 2, 3, 4],
        b2=[1.0, 1],
    )
    small = onnx_graph.shrink(model)
    assert shapes(small) == {"w1": (3, 3), "w2": (2, 3), "b1": (3,), "b2": (2,)}
    assert small.graph.initializers["b1"].const_value.numpy().tolist() == [1, 2, 4]
    assert small.graph[0].outputs[0].shape == ir.Shape(["N", 3])
    # Trimmed, unit 1 sends nothing and goes too.
    onnx_graph.trim(model)
    assert shapes(onnx_graph.shrink(model)) == {"w1": (2, 3), "w2": (2, 2), "b1": (2,), "b2": (2,)}


def test_the_original_is_left_alone(from_text):
    model = from_text(
        "g (float[N,2] x) => (float[N,1] y) { a = MatMul(x, w)  y = MatMul(a, v) }",
        w=[[1.0, 1], [1, 1]],
        v=[[1.0], [0]],
    )
    onnx_graph.shrink(model)
    assert shapes(model) == {"w": (2, 2), "v": (2, 1)}
    assert model.graph[0].outputs[0].shape == ir.Shape(["N", 2])


def test_inputs_and_logits_stay_where_all_is_dead(from_text, answers):
    model = from_text(
        "g (float[N,3] x) => (float[N,2] y) { a = Gemm(x, w, b)  h = Relu(a)  y = Gemm(h, v, c) }",
        w=np.zeros((3, 4)),
        v=np.zeros((4, 2)),
        b=np.ones(4),
        c=[5.0, 6],
    )
    small = onnx_graph.shrink(model)
    assert shapes(small) == {"w": (3, 1), "b": (1,), "v": (1, 2), "c": (2,)}
    assert answers(small, {"x": np.ones((2, 3), np.float32)})[0].tolist() == [[5, 6], [5, 6]]


def test_a_unit_of_a_sum_goes_only_if_dead_after_the_sum(from_text):
    # s2 reaches no output, although both branches make it.
    model = from_text(
        """g (float[N,2] x) => (float[N,1] y) {
            a = MatMul(x, u)
            b = MatMul(x, v)
            s = Add(a, b)
            y = MatMul(s, w)
        }""",
        u=[[1.0, 0, 1], [0, 0, 1]],
        v=[[0.0, 1, 1], [0, 0, 1]],
        w=[[1.0], [1], [0]],
    )
    assert shapes(onnx_graph.shrink(model)) == {"u": (2, 2), "v": (2, 2), "w": (2, 1)}


def test_a_skip_from_the_input_keeps_all_units(from_text):
    model = from_text(
        "g (float[N,2] x) => (float[N,1] y) { a = MatMul(x, u)  s = Add(a, x)  y = MatMul(s, w) }",
        u=[[1.0, 1], [0, 1]],
        w=[[1.0], [0]],
    )
    assert shapes(onnx_graph.shrink(model)) == {"u": (2, 2), "w": (2, 1)}


def test_empty_branches_leave_the_sum(from_text):
    model = from_text(
        """g (float[N,2] x) => (float[N,2] y) {
            a = MatMul(x, u)
            r = Relu(a)
            b = MatMul(r, zero)
            s = Add(a, b)
            y = MatMul(s, u)
        }""",
        u=[[1.0, 1], [1, 1]],
        zero=np.zeros((2, 2)),
    )
    small = onnx_graph.shrink(model)
    assert [node.op_type for node in small.graph] == ["MatMul", "MatMul"]


def test_constant_branches_become_constants(from_text, answers):
    model = from_text(
        """g (float[N,2] x) => (float[N,2] y) {
            a = MatMul(x, u)
            b = Gemm(a, zero, bias)
            t = Tanh(b)
            s = Add(t, a)
            y = MatMul(s, u)
        }""",
        u=[[1.0, 1], [1, 1]],
        zero=np.zeros((2, 2)),
        bias=[1.0, -1],
    )
    small = onnx_graph.shrink(model)
    assert [node.op_type for node in small.graph] == ["MatMul", "Add", "MatMul"]
    x = {"x": np.float32([[1, 2], [3, 4]])}
    np.testing.assert_allclose(answers(small, x)[0], answers(model, x)[0], atol=1e-6)


def test_channels_go_with_their_block_of_columns(from_text):
    # Channel 0 of two is read by nobody: 4 of 8 columns go.
    model = from_text(
        """g (float[N,1,2,2] x) => (float[N,1] y) {
            a = Conv(x, k, b)
            n = BatchNormalization(a, s, t, m, v)
            f = Flatten(n)
            y = Gemm<transB=1>(f, w)
        }""",
        k=np.ones((2, 1, 1, 1)),
        w=[[0.0, 0, 0, 0, 1, 2, 3, 4]],
        **{name: [1.0, 2.0] for name in "bstmv"},
    )
    small = onnx_graph.shrink(model)
    assert shapes(small) == {"k": (1, 1, 1, 1), "w": (1, 4), **dict.fromkeys("bstmv", (1,))}
    assert small.graph.initializers["w"].const_value.numpy().tolist() == [[1, 2, 3, 4]]
    assert small.graph.initializers["v"].const_value.numpy().tolist() == [2]


def test_whole_groups_go(from_text):
    model = from_text(
        "g (float[N,1,3,3] x) => (float[N,1,3,3] y) { a = Conv(x, k)  b = Conv<group=4>(a, d)  y = Conv(b, p) }",
        k=np.ones((4, 1, 1, 1)),
        d=np.ones((4, 1, 1, 1)),
        p=np.float32([0, 1, 0, 1]).reshape(1, 4, 1, 1),
    )
    small = onnx_graph.shrink(model)
    assert shapes(small) == {"k": (2, 1, 1, 1), "d": (2, 1, 1, 1), "p": (1, 2, 1, 1)}
    assert small.graph[1].attributes["group"].value == 2


def test_segments_of_a_concatenation_go(from_text):
    model = from_text(
        "g (float[N,1] x) => (float[N,1] y) { a = MatMul(x, u)  b = MatMul(x, v)  c = Concat<axis=1>(a, b)  y = MatMul(c, w) }",
        u=[[1.0, 1, 1]],
        v=[[1.0, 1]],
        w=[[1.0], [0], [0], [0], [1]],
    )
    assert shapes(onnx_graph.shrink(model)) == {"u": (1, 1), "v": (1, 1), "w": (2, 1)}


def test_directions_keep_equally_many_hidden_units(from_text, answers):
    # Forward keeps hidden unit 0 of three, backward 1 and 2: two stay of each.
    rng = np.random.default_rng(0)
    model = from_text(
        """g (float[N,4,2] x) => (float[N,4,1] y) {
            t = Transpose<perm=[1,0,2]>(x)
            h = GRU<hidden_size=3, direction="bidirectional">(t, w, r, b)
            p = Transpose<perm=[2,0,1,3]>(h)
            f = Reshape(p, shape)
            y = MatMul(f, v)
        }""",
        w=rng.normal(size=(2, 9, 2)),
        r=np.tile(np.eye(3), (2, 3, 1)),
        b=rng.normal(size=(2, 18)),
        v=[[1.0], [0], [0], [0], [1], [1]],
        shape=np.array([0, 4, 6]),
    )
    small = onnx_graph.shrink(model)
    assert shapes(small) == {"w": (2, 6, 2), "r": (2, 6, 2), "b": (2, 12), "v": (4, 1), "shape": (3,)}
    x = {"x": rng.normal(size=(5, 4, 2)).astype(np.float32)}
    np.testing.assert_allclose(answers(small, x)[0], answers(model, x)[0], atol=1e-6)


def test_an_output_left_out_holds_no_unit_back(from_text):
    model = from_text(
        "g (float[T,N,1] x) => (float[T,1,N,1] y) { h, last = RNN<hidden_size=2>(x, w, r)  y = MatMul(h, v) }",
        w=[[[1.0], [1]]],
        r=np.zeros((1, 2, 2)),
        v=[[1.0], [0]],
    )
    model.graph[0].outputs[1].name = ""
    model.graph[0].outputs[1].shape = None
    assert shapes(onnx_graph.shrink(model)) == {"w": (1, 1, 1), "r": (1, 1, 1), "v": (1, 1)}


def test_shared_weights_stay_whole(from_text):
    model = from_text(
        "g (float[N,2] x) => (float[N,1] y) { a = MatMul(x, w)  b = MatMul(a, w)  y = MatMul(b, v) }",
        w=[[1.0, 1], [0, 1]],
        v=[[1.0], [0]],
    )
    assert shapes(onnx_graph.shrink(model)) == {"w": (2, 2), "v": (2, 1)}


# --- random networks ----------------------------------------------------------------------------------------------------


class Writer:
    """Text and arrays of a network, written layer by layer."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng, self.lines, self.arrays, self.count = rng, [], {}, 0

    def array(self, *shape: int) -> str:
        self.arrays[f"p{len(self.arrays)}"] = np.ones(shape)
        return f"p{len(self.arrays) - 1}"

    def constant(self, values: list[int]) -> str:
        self.arrays[f"p{len(self.arrays)}"] = np.array(values, np.int64)
        return f"p{len(self.arrays) - 1}"

    def add(self, expression: str) -> str:
        self.count += 1
        self.lines.append(f"v{self.count} = {expression}")
        return f"v{self.count}"

    def dense(self, x: str, into: int, out: int) -> str:
        kind = self.rng.integers(3)
        if kind == 0:
            return self.add(f"Gemm<transB=1>({x}, {self.array(out, into)}, {self.array(out)})")
        if kind == 1:
            return self.add(f"Gemm({x}, {self.array(into, out)}, {self.array(out)})")
        product = self.add(f"MatMul({x}, {self.array(into, out)})")
        return self.add(f"Add({product}, {self.array(out)})")

    def activation(self, x: str) -> str:
        return self.add(
            self.rng.choice(["Relu({x})", "Tanh({x})", "Sigmoid({x})", "LeakyRelu<alpha=0.1>({x})"]).format(x=x)
        )


def mlp(rng: np.random.Generator) -> tuple[Writer, str, tuple[int, ...]]:
    net, widths = Writer(rng), [6, *rng.integers(4, 10, size=rng.integers(2, 5)), 3]
    values = ["x"]
    for number, width in enumerate(widths[1:], 1):
        total = net.dense(values[-1], widths[number - 1], width)
        for earlier in range(number - 1):
            if rng.random() < 0.5:  # a skip connection over at least one layer
                total = net.add(f"Add({total}, {net.dense(values[earlier], widths[earlier], width)})")
        values.append(net.activation(total) if number < len(widths) - 1 else total)
    return net, "float[N,6]", (6,)


def cnn(rng: np.random.Generator) -> tuple[Writer, str, tuple[int, ...]]:
    net, channels = Writer(rng), int(rng.integers(4, 8))

    def conv(x: str, into: int, out: int, size: int, groups: int = 1) -> str:
        pad = size // 2
        attributes = f"pads=[{pad},{pad},{pad},{pad}], group={groups}"
        y = net.add(f"Conv<{attributes}>({x}, {net.array(out, into // groups, size, size)}, {net.array(out)})")
        if rng.random() < 0.5:
            y = net.add(f"BatchNormalization({y}, {', '.join(net.array(out) for _ in range(4))})")
        return y

    x = net.activation(conv("x", 2, channels, 3))
    for _ in range(rng.integers(1, 4)):
        block = rng.integers(4)
        if block == 0:
            x = net.add(f"Add({x}, {net.activation(conv(x, channels, channels, 3))})")
        elif block == 1:
            x = net.activation(conv(conv(x, channels, channels, 3, channels), channels, channels, 1))
        elif block == 2:
            x = net.add(f"Concat<axis=1>({x}, {conv(x, channels, 3, 1)})")
            channels += 3
        else:
            gate = net.add(f"Sigmoid({conv(net.add(f'GlobalAveragePool({x})'), channels, channels, 1)})")
            x = net.add(f"Mul({x}, {gate})")
    if rng.random() < 0.5:
        x, size = net.add(f"GlobalAveragePool({x})"), 1
    else:
        x, size = net.add(f"{rng.choice(['MaxPool', 'AveragePool'])}<kernel_shape=[2,2], strides=[2,2]>({x})"), 2
    flat = channels * size * size
    x = net.add(
        rng.choice(
            [f"Flatten({x})", f"Reshape({x}, {net.constant([0, flat])})", f"Reshape({x}, {net.constant([0, -1])})"]
        )
    )
    net.dense(net.activation(net.dense(x, flat, 6)), 6, 3)
    return net, "float[N,2,4,4]", (2, 4, 4)


def rnn(rng: np.random.Generator) -> tuple[Writer, str, tuple[int, ...]]:
    net, width = Writer(rng), 3
    x = net.add("Transpose<perm=[1,0,2]>(x)")
    directions = 1
    for _ in range(rng.integers(1, 3)):
        operator = rng.choice(["RNN", "GRU", "LSTM"])
        gates, hidden = {"RNN": 1, "GRU": 3, "LSTM": 4}[operator], int(rng.integers(3, 8))
        directions = int(rng.integers(1, 3))
        way = ["forward", "bidirectional"][directions - 1] if directions == 2 or rng.random() < 0.7 else "reverse"
        extra = ", linear_before_reset=1" if operator == "GRU" and rng.random() < 0.5 else ""
        weights = f"{net.array(directions, gates * hidden, width)}, {net.array(directions, gates * hidden, hidden)}"
        bias = f", {net.array(directions, 2 * gates * hidden)}" if rng.random() < 0.8 else ""
        net.count += 2
        steps, last = f"v{net.count - 1}", f"v{net.count}"
        net.lines.append(
            f'{steps}, {last} = {operator}<hidden_size={hidden}, direction="{way}"{extra}>({x}, {weights}{bias})'
        )
        width = directions * hidden
        if directions == 1:
            x = net.add(f"Squeeze({steps}, {net.constant([1])})")
        else:
            x = net.add(f"Reshape({net.add(f'Transpose<perm=[0,2,1,3]>({steps})')}, {net.constant([0, 0, -1])})")
    ending = rng.integers(3)
    if ending == 0:  # the last step
        x = net.add(
            f"Squeeze({net.add(f'Slice({x}, {net.constant([-1])}, {net.constant([9])})')}, {net.constant([0])})"
        )
    elif ending == 1:  # the last state
        x = net.add(f"Reshape({net.add(f'Transpose<perm=[1,0,2]>({last})')}, {net.constant([-1, width])})")
    elif directions == 2:  # both last states, taken apart
        parts = [net.add(f"Gather<axis=0>({last}, {net.constant(number)})") for number in (0, 1)]
        x = net.add(f"Concat<axis=1>({', '.join(parts)})")
    else:
        x = net.add(f"ReduceMean<axes=[0], keepdims=0>({x})")
    net.dense(x, width, 2)
    return net, "float[N,4,3]", (4, 3)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("family", [mlp, cnn, rnn])
def test_random_networks_compute_the_same(from_text, sparse, answers, family: Callable, seed: int):
    rng = np.random.default_rng(seed)
    net, kind, shape = family(rng)
    text = f"g ({kind} x) => (float[N,K] y) {{ {'  '.join(net.lines)}  y = Identity(v{net.count}) }}"
    model = sparse(from_text(text, **net.arrays), rng.choice([0.03, 0.1, 0.25]), rng)
    if rng.random() < 0.5:
        onnx_graph.trim(model)
    small = onnx_graph.shrink(model)
    x = {"x": rng.normal(size=(3, *shape)).astype(np.float32)}
    np.testing.assert_allclose(answers(small, x)[0], answers(model, x)[0], atol=1e-5, rtol=1e-5)
    assert onnx_graph.size(small) <= onnx_graph.size(onnx_graph.simplify(model))
    again = onnx_graph.shrink(small)
    assert shapes(again) == shapes(small)
    assert len(again.graph) == len(small.graph)


@pytest.mark.parametrize("family", [mlp, cnn, rnn])
def test_most_sparse_networks_become_smaller(from_text, sparse, family: Callable):
    smaller = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        net, kind, _ = family(rng)
        text = f"g ({kind} x) => (float[N,K] y) {{ {'  '.join(net.lines)}  y = Identity(v{net.count}) }}"
        model = sparse(from_text(text, **net.arrays), 0.1, rng)
        onnx_graph.trim(model)
        smaller += onnx_graph.count(onnx_graph.shrink(model)).weights < 0.8 * onnx_graph.count(model).weights
    assert smaller >= 9


LAST_STEP = """g (float[N,5,3] x) => (float[N,2] y) {
    t = Transpose<perm=[1,0,2]>(x)
    a, state = GRU<hidden_size=4, linear_before_reset=1>(t, w, r, b)
    s = Squeeze(a, one)
    u = Transpose<perm=[1,0,2]>(s)
    v = Slice(u, zero, ends, zero, step)
    last = Gather<axis=1>(v, minus)
    y = Gemm<transB=1>(last, f)
}"""


@pytest.mark.parametrize("step", [1, 2])
def test_hidden_units_go_through_a_slice_of_the_examples(from_text, answers, step):
    rng = np.random.default_rng(0)
    w, r, b, f = (rng.normal(size=shape) for shape in ((1, 3, 4, 3), (1, 3, 4, 4), (1, 24), (2, 4)))
    dead = [1, 3]
    w[:, :, dead] = r[:, :, dead] = r[..., dead] = f[:, dead] = 0
    model = from_text(
        LAST_STEP,
        **{"w": w.reshape(1, 12, 3), "r": r.reshape(1, 12, 4), "b": b, "f": f},
        **{"one": np.array([1]), "zero": np.array([0]), "ends": np.array([2**63 - 1]), "step": np.array([step])},
        minus=np.array(-1),
    )
    assert onnx_graph.liveness(model).live("u").sum(axis=(0, 1)).tolist() == [1, 0, 1, 0]  # of the last step
    small = onnx_graph.shrink(model)
    assert ("Slice" in [node.op_type for node in small.graph]) == (step > 1)
    assert {name: shapes(small)[name] for name in "wrbf"} == {"w": (1, 6, 3), "r": (1, 6, 2), "b": (1, 12), "f": (2, 2)}
    x = rng.normal(size=(3, 5, 3)).astype(np.float32)
    np.testing.assert_allclose(answers(small, {"x": x})[0], answers(model, {"x": x})[0], rtol=1e-5)
