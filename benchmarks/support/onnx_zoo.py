"""Small ONNX models of many kinds, to be damaged: networks of the spaces, exports from PyTorch, operators written by hand."""

import io
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
from onnx import TensorProto, helper, numpy_helper

import search_spaces

EXTERNAL = "weights.bin"
"""Name of the file next to a model that holds its external data."""


def zoo(*, exports: bool = True) -> dict[str, onnx.ModelProto]:
    """The models by name; they are always the same.

    Args:
        exports: also export PyTorch modules, which takes half a minute.
    """
    found = {**dict(_from_spaces()), **dict(_by_hand()), **(dict(_exported()) if exports else {})}
    return dict(sorted(found.items()))


def write_external(folder: Path) -> None:
    """Write the external data that the model ``external`` reads."""
    (folder / EXTERNAL).write_bytes(np.arange(640, dtype="<f4").tobytes())


def _from_spaces() -> Iterator[tuple[str, onnx.ModelProto]]:
    """Two networks of each space, for eight by eight images or sequences of seven symbols."""
    for name, shape in (("mlp", (64,)), ("cnn", (1, 8, 8)), ("rnn", (12, 7))):
        signature = search_spaces.Signature(input_shape=shape, outputs=10)
        space = search_spaces.create(name, signature)
        rng = np.random.default_rng(0)
        for number in range(2):
            yield f"{name}{number}", ir.to_proto(space.build(space.sample(rng)))


def _exported() -> Iterator[tuple[str, onnx.ModelProto]]:
    """Networks written by torch.onnx.export, with both of its exporters."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    image, row, steps = torch.zeros(1, 1, 8, 8), torch.zeros(1, 64), torch.zeros(1, 8, 8)
    perceptron = nn.Sequential(nn.Linear(64, 12), nn.GELU(), nn.LayerNorm(12), nn.Dropout(), nn.Linear(12, 10))
    convolutions = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.SiLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 4, 3, groups=2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 10),
    )
    attention = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    for name, export, module, example in (
        ("torchscript_mlp", _torchscript, perceptron, row),
        ("torchscript_conv", _torchscript, convolutions, image),
        ("torchscript_gru", _torchscript, _LastStep(nn.GRU(8, 6, batch_first=True), 6), steps),
        ("torchscript_lstm", _torchscript, _LastStep(nn.LSTM(8, 6, batch_first=True, bidirectional=True), 12), steps),
        ("dynamo_conv", _dynamo, convolutions, image),
        ("dynamo_attention", _dynamo, attention, steps),
    ):
        yield name, export(module.eval(), example)


def _LastStep(recurrent: "torch.nn.Module", size: int) -> "torch.nn.Module":  # noqa: F821, N802
    """A recurrent layer whose last step a linear layer reads."""
    from torch import Tensor, nn

    class LastStep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.recurrent, self.answer = recurrent, nn.Linear(size, 10)

        def forward(self, x: Tensor) -> Tensor:
            steps, _ = self.recurrent(x)
            return self.answer(steps[:, -1])

    return LastStep()


def _torchscript(module: "torch.nn.Module", example: "torch.Tensor") -> onnx.ModelProto:  # noqa: F821
    import torch

    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, (example,), content, dynamo=False, opset_version=17, input_names=["x"], dynamic_axes={"x": {0: "N"}}
        )
    return onnx.load_model_from_string(content.getvalue())


def _dynamo(module: "torch.nn.Module", example: "torch.Tensor") -> onnx.ModelProto:  # noqa: F821
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(module, (example,), dynamo=True, optimize=False, verbose=False)
    return ir.to_proto(program.model)


def _by_hand() -> Iterator[tuple[str, onnx.ModelProto]]:
    for name, text in _TEXTS.items():
        yield name, _model(text)
    yield "sparse", _sparse()
    yield "external", _external()
    yield "types", _types()
    yield "recurrent", _recurrent()


def _model(text: str, **arrays: object) -> onnx.ModelProto:
    """A model from ONNX text; its initializers come from `_ARRAYS` and from the arguments."""
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 18, "my" : 1]>\n{text}')
    used = {name for node in _all_nodes(model) for name in node.input}
    for name, array in {**_arrays(), **arrays}.items():
        if name in used:
            model.graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
    return model


def _all_nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    pending = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    while pending:
        node = pending.pop()
        yield node
        for attribute in node.attribute:
            pending.extend(attribute.g.node)


def _arrays() -> Mapping[str, np.ndarray]:
    """The initializers that the texts below name; half of each weight is zero."""
    rng = np.random.default_rng(1)

    def weight(*shape: int) -> np.ndarray:
        return (rng.normal(size=shape) * (rng.random(shape) < 0.5)).astype(np.float32)

    whole = {
        "zero": [0], "one": [1], "two": [2], "three": [3], "minus": [-1], "images": [-1, 1, 8, 8], "rows": [-1, 64],
        "twice": [1, 1, 2, 2], "pads": [0, 0, 1, 1, 0, 0, 1, 1], "halves": [32, 32], "big": [64, 64], "sixteen": [16],
        "indices": [[0, 2], [1, 1]], "ten": [10], "rows_shape": [1, 10], "ones2": [1, 1], "start": [1, 64], "wide": [64, 200],
    }  # fmt: skip
    return {
        "w": weight(64, 10), "w2": weight(10, 10), "mask": (weight(64, 10) != 0).astype(np.float32), "b": weight(10),
        "k": weight(4, 1, 3, 3), "k2": weight(4, 2, 3, 3), "kt": weight(4, 2, 2, 2), "kb": weight(4), "gamma": weight(4) + 2,
        "v": np.abs(weight(4)) + 1, "wt": weight(10, 64), "w4": weight(4, 10), "table": weight(16, 64), "f": np.float32(0.5),
        "e": np.float32(1e-5), "half": np.float32(0.5), "root": np.float32(2**0.5), "unit": np.float32(1.0), "power": np.float32(2),
        "scales": np.float32([1, 1, 2, 2]), "scale": np.float32(0.1), "point": np.int8(0), "q": (weight(64, 10) * 9).astype(np.int8),
        "limit": np.array(3), "go": np.array(True), "index": np.array(1), "row": weight(64), "shift": weight(64),
        "cond": np.arange(10) < 5, "pair": np.float32([0, 1]), "zero0": np.array(0), "ten0": np.array(10), "one0": np.array(1),
        **{name: np.array(value, dtype=np.int64) for name, value in whole.items()},
    }  # fmt: skip


_TEXTS = {
    "perceptron": """g (float[N,64] x) => (float[N,10] y) {
        h = Gemm(x, w, b)  r = Relu(h)  m = MatMul(r, w2)  a = Add(m, b)  c = Clip(a, e, unit)  y = Softmax<axis=-1>(c) }""",
    "masked": """g (float[N,64] x) => (float[N,10] y) {
        m = Mul(w, mask)  t = Transpose<perm=[1,0]>(m)  u = Transpose(t)  i = Identity(x)  h = MatMul(i, u)
        d, kept = Dropout(h)  y = LeakyRelu<alpha=0.2>(d) }""",
    "shapes": """g (float[N,1,8,8] x) => (float[N,10] y) {
        s = Shape(x)  n = Gather(s, zero)  t = Concat<axis=0>(n, minus)  r = Reshape(x, t)
        c = Constant<value_ints=[64,10]>()  z = ConstantOfShape<value = float[1] {0.5}>(c)  p = Add(z, w)  y = MatMul(r, p) }""",
    "images": """g (float[N,1,8,8] x) => (float[N,10] y) {
        a = Conv<kernel_shape=[3,3], pads=[1,1,1,1]>(x, k, kb)  b1 = BatchNormalization<epsilon=0.001>(a, gamma, kb, kb, v)
        r = Relu(b1)  p = MaxPool<kernel_shape=[2,2], strides=[2,2]>(r)  c = Conv<group=2, auto_pad="SAME_UPPER">(p, k2)
        t = Add(c, p)  l = AveragePool<kernel_shape=[2,2], ceil_mode=1, count_include_pad=1>(t)  g1 = GlobalAveragePool(l)
        f1 = Flatten(g1)  y = MatMul(f1, w4) }""",
    "upwards": """g (float[N,1,8,8] x) => (float[N,2,16,16] y) {
        a = Conv<kernel_shape=[3,3], pads=[2,2,2,2], dilations=[2,2]>(x, k)  n = InstanceNormalization(a, gamma, kb)
        l = LRN<size=3>(n)  p = Pad<mode="reflect">(l, pads)  c = Slice(p, three, ten, two)
        d = DepthToSpace<blocksize=2>(a)  u = SpaceToDepth<blocksize=2>(d)
        z = Resize<mode="linear">(u, , scales)  m = ConvTranspose<strides=[2,2]>(u, kt)  y = Identity(m) }""",
    "pieces": """g (float[N,64] x) => (float[N,10] y) {
        p, q1 = Split<axis=1>(x, halves)  c = Concat<axis=1>(q1, p)  s = Slice(c, zero, big, one)
        g1 = Gather<axis=1>(c, one)  e1 = Expand(g1, rows_shape)  u = Unsqueeze(s, one)  q2 = Squeeze(u, one)
        t = Tile(q2, ones2)  v1, i1 = TopK<axis=1>(t, ten)  f1 = Cast<to=1>(i1)  a = Add(v1, f1)
        n = Neg(a)  w3 = Where(cond, a, n)  y = Sub(w3, b) }""",
    "sums": """g (float[N,64] x) => (float[N,10] y) {
        m = ReduceMean<keepdims=1>(x, one)  d = Sub(x, m)  p = Pow(d, power)  v1 = ReduceMean(p, one)  a = Add(v1, e)
        r = Sqrt(a)  n = Div(d, r)  sc = Mul(n, row)  sh = Add(sc, shift)  h = MatMul(sh, w)  q1 = Div(h, root)  er = Erf(q1)
        o = Add(er, unit)  hh = Mul(h, o)  ge = Mul(hh, half)  sg = Sigmoid(ge)  si = Mul(ge, sg)  cs = CumSum(si, index)
        mx = Max(cs, ge)  y = LogSoftmax<axis=1>(mx) }""",
    "calls": """g (float[N,64] x) => (float[N,10] y) { h = my.layer<slope=0.3>(x, w)  y = my.twice(h, w2) }
        <domain: "my", opset_import: ["" : 18]> layer <slope> (a, b) => (c) { d = MatMul(a, b)  c = LeakyRelu<alpha=@slope>(d) }
        <domain: "my", opset_import: ["" : 18, "my" : 1]> twice (a, b) => (c) {
            d = my.layer<slope=0.1>(a, b)  c = my.layer<slope=0.2>(d, b) }""",
    "branches": """g (float[N,64] x) => (float[N,10] y) {
        h = MatMul(x, w)
        o = If(go) <then_branch = a () => (float[N,10] t) { t = Relu(h) }, else_branch = c () => (float[N,10] u) { u = Neg(h) }>
        y = Loop(limit, go, o) <body = d (int64 i, bool c0, float[N,10] v0) => (bool c1, float[N,10] v1)
            { c1 = Identity(c0)  v1 = MatMul(v0, w2) }> }""",
    "scan": """g (float[8,N,64] x) => (float[N,64] y, float[8,N,64] z) {
        st = ConstantOfShape(start)
        y, z = Scan(st, x) <num_scan_inputs=1, body = d (float[N,64] s0, float[N,64] x0) => (float[N,64] s1, float[N,64] o)
            { s1 = Add(s0, x0)  o = Tanh(s1) }> }""",
    "words": """g (int64[N,6] x) => (float[N,10] y) {
        e1 = Gather(table, x)  p = ReduceSum<keepdims=0>(e1, one)  l = LayerNormalization(p, row, shift)
        h = Einsum<equation="ij,jk->ik">(l, w)  o = OneHot(x, sixteen, pair)  r = ReduceMax<keepdims=0>(o)  a = Mul(h, r)
        y = HardSwish(a) }""",
    "quantised": """g (float[N,64] x) => (float[N,10] y) {
        a = QuantizeLinear(x, scale, point)  d = DequantizeLinear(a, scale, point)  v1 = DequantizeLinear(q, scale, point)
        h = MatMul(d, v1)  i, sc, zp = DynamicQuantizeLinear(h)  y = DequantizeLinear(i, sc, zp) }""",
    "sequences": """g (float[N,64] x) => (float[N,10] y) {
        s = SequenceConstruct(x, x)  e1 = SequenceAt(s, index)  c = ConcatFromSequence<axis=1>(s)  sp = SplitToSequence<axis=1>(x, halves)
        l = SequenceLength(sp)  o = Optional(e1)  g1 = OptionalGetElement(o)  y = MatMul(g1, w) }""",
    "foreign": """g (float[N,64] x) => (float[N,10] y) { h = my.Strange<level=3, names=["a","b"]>(x, w)  y = MatMul(h, w) }""",
    "many": """g (float[N,64] x, float[N,64] z) => (float[N,10] y, float[N,10] t) {
        r = Range(zero0, ten0, one0)  rf = Cast<to=1>(r)  a = Mul(x, z)  h = Gemm<transB=1, alpha=0.5>(a, wt)  s = Add(h, rf)
        n = NonZero(h)  i = ArgMax<axis=1>(s)  tr = Trilu(h)  y = Sum(s, tr, h)  t = Mean(h, s) }""",
    "large": """g (float[1,64] x) => (float[1,200] y) {
        w0 = ConstantOfShape<value = float[1] {1.0}>(wide)  h = MatMul(x, w0)  z0 = ConstantOfShape(wide)
        g1 = MatMul(x, z0)  y = Add(h, g1) }""",
}


def _sparse() -> onnx.ModelProto:
    """A sparse weight and a sparse constant."""
    model = _model("g (float[N,64] x) => (float[N,10] y) { h = MatMul(x, thin)  y = Add(h, c) }")
    values = numpy_helper.from_array(np.arange(1, 6, dtype=np.float32), "thin")
    places = numpy_helper.from_array(np.array([0, 5, 77, 300, 639]), "thin_at")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [64, 10]))
    pairs = numpy_helper.from_array(np.array([[0, 1], [0, 7]]), "c_at")
    few = helper.make_sparse_tensor(numpy_helper.from_array(np.float32([1, 2]), "few"), pairs, [1, 10])
    model.graph.node.insert(0, helper.make_node("Constant", [], ["c"], sparse_value=few))
    return model


def _external() -> onnx.ModelProto:
    """A weight whose bytes are in another file."""
    model = _model("g (float[N,64] x) => (float[N,10] y) { y = MatMul(x, out) }")
    tensor = TensorProto(name="out", data_type=TensorProto.FLOAT, dims=[64, 10], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", EXTERNAL), ("offset", "0"), ("length", "2560")):
        tensor.external_data.add(key=key, value=value)
    model.graph.initializer.append(tensor)
    return model


def _types() -> onnx.ModelProto:
    """Initializers of all types, in the typed fields of the format."""
    model = _model("g (float[N,64] x) => (float[N,10] y) { y = MatMul(x, w) }")
    model.opset_import[0].version = 20  # StringConcat
    for kind in range(1, 24):
        if kind != TensorProto.STRING:
            model.graph.initializer.append(helper.make_tensor(f"t{kind}", kind, [4], [1, 0, 1, 0]))
    model.graph.initializer.append(helper.make_tensor("text", TensorProto.STRING, [2], [b"a", b"b"]))
    model.graph.node.append(helper.make_node("Cast", ["t16"], ["half_precision"], to=1))
    model.graph.node.append(helper.make_node("StringConcat", ["text", "text"], ["words"]))
    return model


def _recurrent() -> onnx.ModelProto:
    """All recurrent operators, with their options."""
    rng = np.random.default_rng(2)
    inputs = {"x": (8, 1, 8)}
    nodes, tensors, size = [], [], 6
    for operator, gates, options in (
        ("GRU", 3, {"linear_before_reset": 1}),
        ("LSTM", 4, {"activations": ["Sigmoid", "Tanh", "Tanh"] * 2, "clip": 3.0}),
        ("RNN", 1, {"activations": ["Relu"] * 2}),
    ):
        for part, shape in (("W", (2, gates * size, 8)), ("R", (2, gates * size, size)), ("B", (2, 2 * gates * size))):
            array = (rng.normal(size=shape) * (rng.random(shape) < 0.5)).astype(np.float32)
            tensors.append(numpy_helper.from_array(array, f"{operator}{part}"))
        weights = [f"{operator}{part}" for part in "WRB"]
        nodes.append(
            helper.make_node(
                operator,
                ["x", *weights],
                [f"{operator}y", f"{operator}h"],
                hidden_size=size,
                direction="bidirectional",
                **options,
            )
        )
    nodes.append(helper.make_node("Concat", ["GRUh", "LSTMh", "RNNh"], ["all"], axis=2))
    nodes.append(helper.make_node("ReduceSum", ["all"], ["y"], keepdims=0))
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        tensors,
    )
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 17)])
