"""The imported network as a pure function: what is trainable, transforms, statistics, shapes, errors."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch

from nas.importer import import_model
from nas.importer.roles import roles
from nas.importer.stacking import vmap
from onnx_graph.errors import InvalidModelError, UnsupportedOperatorError
from onnx_graph.weight import set_weights

HEADER = '<ir_version: 8, opset_import: ["": 17]>'
MLP = f"""{HEADER}
mlp (float[N, 3] x) => (float[N, 2] y)
<float[2, 3] w1 = {{1, 0, -1, 2, 1, 0}}, float[2] b1 = {{0.5, -1}}, float[2, 2] w2 = {{1, 2, 3, 4}}, float[2] b2 = {{0, 1}}>
{{
    h = Gemm<transB = 1>(x, w1, b1)
    r = Relu(h)
    p = MatMul(r, w2)
    y = Add(p, b2)
}}"""
GRU = f"""{HEADER}
gru (float[N, 4, 3] x) => (float[N, 5] y)
<float[1, 15, 3] w, float[1, 15, 5] r, float[1, 30] b, int64[1] axis = {{0}}>
{{
    t = Transpose<perm = [1, 0, 2]>(x)
    s, h = GRU<hidden_size = 5, linear_before_reset = 1>(t, w, r, b)
    y = Squeeze(h, axis)
}}"""
CNN = f"""{HEADER}
cnn (float[N, 1, 4, 4] x) => (float[N, 6] y)
<float[2, 1, 3, 3] w, float[2] scale = {{1, 2}}, float[2] shift = {{0, 1}}, float[2] mean = {{0, 1}}, float[2] var = {{1, 4}},
 float[8, 6] v>
{{
    c = Conv<pads = [1, 1, 1, 1]>(x, w)
    n = BatchNormalization<momentum = 0.9>(c, scale, shift, mean, var)
    r = Relu(n)
    p = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(r)
    f = Flatten(p)
    y = MatMul(f, v)
}}"""


def _load(text: str, **arrays: np.ndarray) -> ir.Model:
    """A model from text; float initializers without a value are drawn."""
    model = onnx.parser.parse_model(text)
    rng = np.random.default_rng(0)
    for tensor in model.graph.initializer:
        if tensor.name in arrays or not (tensor.float_data or tensor.int64_data or tensor.raw_data):
            array = arrays.get(tensor.name, rng.standard_normal(tuple(tensor.dims)).astype(np.float32) * 0.5)
            tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    # The parser lists initializers without a value as value infos; they get random values here.
    for value in model.graph.value_info:
        if not any(tensor.name == value.name for tensor in model.graph.initializer):
            shape = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
            array = rng.standard_normal(shape).astype(np.float32) * 0.5
            model.graph.initializer.append(onnx.numpy_helper.from_array(array, value.name))
    return ir.from_proto(model)


def _draw(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


def test_network_computes_what_the_graph_says() -> None:
    network = import_model(_load(MLP))
    y, _ = network(network.parameters, network.buffers, torch.tensor([[1.0, 2.0, 3.0], [4.0, 1.0, 1.0]]))
    # h = [[1-3+.5, 2+2-1], [4-1+.5, 8+1-1]] = [[-1.5, 3], [3.5, 8]]; relu; · [[1, 2], [3, 4]] + [0, 1]
    assert y.tolist() == [[9.0, 13.0], [27.5, 40.0]]


def test_masks_are_the_non_zeros_in_stored_orientation() -> None:
    network = import_model(_load(MLP))
    assert {name: mask.tolist() for name, mask in network.masks.items()} == {
        "w1": [[True, False, True], [True, True, False]],
        "w2": [[True, True], [True, True]],
    }
    assert list(network.parameters) == ["b1", "b2", "w1", "w2"]
    assert network.buffers == {}


def test_parameters_are_own_memory() -> None:
    model = _load(MLP)
    network = import_model(model)
    network.parameters["w1"].zero_()
    assert model.graph.initializers["w1"].const_value.numpy()[0, 0] == 1


def test_trained_parameters_go_back_into_the_graph() -> None:
    model = _load(MLP)
    network = import_model(model)
    doubled = {name: value * 2 for name, value in network.parameters.items()}
    x = _draw(4, 3)
    expected, _ = network(doubled, {}, x)
    set_weights(model, {name: value.numpy() for name, value in doubled.items()})
    again = import_model(model)
    torch.testing.assert_close(again(again.parameters, {}, x)[0], expected)


ROLES = [
    # what precedes the first weight is preprocessing
    (
        "<float[3] a = {1, 2, 3}, float[3] d = {4, 5, 6}, float[3, 2] w> { s = Sub(x, a) n = Div(s, d) y = MatMul(n, w) }",
        {"w"},
    ),
    ("<float[3] a = {1, 2, 3}, float[3, 2] w> { s = Add(x, a) y = MatMul(s, w) }", {"w"}),
    # a bias behind a product, whatever its size
    ("<float[3, 1] w, float[1] b = {1}> { p = MatMul(x, w) y = Add(b, p) }", {"w", "b"}),
    # a decomposed scale and shift; its scalars stay
    (
        "<float[3, 2] w, float e = {0.1}, float[2] g = {1, 2}, float[2] b = {3, 4}>"
        " { p = MatMul(x, w) q = Mul(p, e) r = Mul(q, g) t = Relu(r) y = Add(t, b) }",
        {"w", "g", "b"},
    ),
    ("<float[3, 2] w, float e = {2}> { p = MatMul(x, w) y = Pow(p, e) }", {"w"}),
    # divisors and subtrahends, and what masks out, are no parameters
    ("<float[3, 2] w, float[2] m = {0, -1e9}> { p = Relu(x) q = MatMul(p, w) r = Tanh(q) y = Add(r, m) }", {"w"}),
    ("<float[3, 2] w, float[2] m = {1, 2}> { q = MatMul(x, w) y = Sub(q, m) }", {"w"}),
    ("<float[2, 3] s = {1, 2, 3, 4, 5, 6}, float[3] b = {1, 2, 3}> { y = LayerNormalization(x, b, b) }", {"b"}),
    ("<float[3] s = {1, 2, 3}> { y = PRelu(x, s) }", {"s"}),
    ("<float[7, 2] t> { i = Cast<to = 7>(x) y = Gather(t, i) }", {"t"}),
    # a table that is cut by constants is a constant
    ("<float[3, 2] w, float[3, 2] v> { t = Identity(w) y = MatMul(x, t) }", {"w"}),
]


@pytest.mark.parametrize(("body", "expected"), ROLES)
def test_what_is_trainable(body: str, expected: set[str]) -> None:
    model = _load(f"{HEADER} g (float[N, 3] x) => (float y) {body}")
    assert roles(model).parameters == expected
    assert set(import_model(model).parameters) == expected


def test_batch_norm_statistics_are_buffers() -> None:
    found = roles(_load(CNN))
    assert (found.buffers, found.weights) == ({"mean", "var"}, {"w", "v"})
    assert found.parameters == {"w", "v", "scale", "shift"}


def test_batch_normalization_in_training_uses_and_tracks_the_batch() -> None:
    text = f"""{HEADER} g (float[N, 1] x) => (float[N, 1] y)
    <float[1] s = {{2}}, float[1] b = {{1}}, float[1] m = {{10}}, float[1] v = {{100}}>
    {{ y = BatchNormalization<momentum = 0.75, epsilon = 0.0>(x, s, b, m, v) }}"""
    network = import_model(_load(text))
    x = torch.tensor([[1.0], [3.0], [5.0], [7.0]])
    y, after = network(network.parameters, network.buffers, x, training=True)
    # mean 4, variance 5: (x - 4) / sqrt 5 * 2 + 1
    torch.testing.assert_close(y, (x - 4) / 5**0.5 * 2 + 1)
    # old · momentum + batch · (1 - momentum)
    assert (after["m"].item(), after["v"].item()) == (8.5, 76.25)
    assert (network.buffers["m"].item(), network.buffers["v"].item()) == (10, 100)
    y, after = network(network.parameters, network.buffers, x)
    torch.testing.assert_close(y, (x - 10) / 10 * 2 + 1)
    assert after == network.buffers


@pytest.mark.parametrize(("text", "shape"), [(MLP, (3,)), (GRU, (4, 3)), (CNN, (1, 4, 4))])
@pytest.mark.parametrize("shared", [True, False])
def test_stacked_networks_equal_single_ones(text: str, shape: tuple[int, ...], shared: bool) -> None:
    network = import_model(_load(text))
    singles = [{k: v + _draw(*v.shape, seed=s) / 5 for k, v in network.parameters.items()} for s in range(3)]
    buffers = [{k: v + s for k, v in network.buffers.items()} for s in range(3)]
    xs = [_draw(6, *shape, seed=9 + (0 if shared else s)) for s in range(3)]
    stack = lambda dicts: {name: torch.stack([d[name] for d in dicts]) for name in dicts[0]}  # noqa: E731
    parameters = {name: value.requires_grad_() for name, value in stack(singles).items()}

    def run(p, b, x):
        return network(p, b, x, training=True)

    y, after = vmap(run, in_dims=(0, 0, None if shared else 0))(
        parameters, stack(buffers), xs[0] if shared else torch.stack(xs)
    )
    gradients = torch.autograd.grad(y.square().sum(), list(parameters.values()))
    for i, (single, own, x) in enumerate(zip(singles, buffers, xs, strict=True)):
        leaves = {name: value.requires_grad_() for name, value in single.items()}
        expected, changed = run(leaves, own, x)
        torch.testing.assert_close(y[i], expected, rtol=1e-4, atol=1e-5)
        for gradient, alone in zip(
            gradients, torch.autograd.grad(expected.square().sum(), list(leaves.values())), strict=True
        ):
            torch.testing.assert_close(gradient[i], alone, rtol=1e-3, atol=1e-4)
        for name, value in changed.items():
            torch.testing.assert_close(after[name][i], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("text", "shape"), [(MLP, (3,)), (GRU, (4, 3)), (CNN, (1, 4, 4))])
def test_functional_gradient_equals_autograd(text: str, shape: tuple[int, ...]) -> None:
    network = import_model(_load(text))
    x = _draw(5, *shape)

    def loss(parameters):
        return network(parameters, network.buffers, x, training=True)[0].square().mean()

    leaves = {name: value.clone().requires_grad_() for name, value in network.parameters.items()}
    expected = torch.autograd.grad(loss(leaves), list(leaves.values()))
    found = torch.func.grad(loss)(network.parameters)
    for gradient, name in zip(expected, leaves, strict=True):
        assert gradient.abs().sum() > 0
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-6)


def test_call_changes_none_of_its_arguments() -> None:
    network = import_model(_load(CNN))
    x = _draw(5, 1, 4, 4)
    before = {name: value.clone() for name, value in {**network.parameters, **network.buffers, "x": x}.items()}
    network(network.parameters, network.buffers, x, training=True)
    for name, value in {**network.parameters, **network.buffers, "x": x}.items():
        assert torch.equal(value, before[name])


DYNAMIC = f"""{HEADER}
g (float[N, 2, 6] x) => (float y)
<float[3, 3] w = {{1, 0, 2, 0, 1, 0, 3, 0, 1}}, int64 zero = {{0}}, int64[1] axis = {{0}}, int64[2] rest = {{4, 3}}, int64[1] half = {{2}}>
{{
    s = Shape(x)
    n = Gather(s, zero)
    u = Unsqueeze(n, axis)
    t = Concat<axis = 0>(u, rest)
    r = Reshape(x, t)
    y0 = MatMul(r, w)
    s2 = Shape(y0)
    ones = ConstantOfShape<value = float[1] {{1}}>(s2)
    y = Add(y0, ones)
}}"""


def test_shapes_follow_the_batch_inside_transforms_too() -> None:
    network = import_model(_load(DYNAMIC))
    w = network.parameters["w"]
    # The first call of each batch size happens inside a transform; the plan it makes serves later calls outside.
    for size in (3, 1, 7):
        x = _draw(size, 2, 6, seed=size)
        gradient = torch.func.grad(lambda p, x=x: network(p, {}, x)[0].sum())(network.parameters)
        expected = x.reshape(size, 4, 3) @ w + 1
        torch.testing.assert_close(network(network.parameters, {}, x)[0], expected)
        torch.testing.assert_close(gradient["w"], x.reshape(-1, 3).sum(0).unsqueeze(1).expand(3, 3))
    x = _draw(2, 5, 2, 6)
    stacked = torch.func.vmap(lambda p, x: network(p, {}, x)[0])({"w": torch.stack([w, -w])}, x)
    torch.testing.assert_close(stacked[0], x[0].reshape(5, 4, 3) @ w + 1)
    torch.testing.assert_close(stacked[1], 1 - x[1].reshape(5, 4, 3) @ w)
    torch.testing.assert_close(network({"w": w}, {}, x[0])[0], stacked[0])


def test_constants_are_folded_at_import() -> None:
    text = f"""{HEADER} g (float[N, 3] x) => (float y)
    <float[2, 3] a = {{1, 2, 3, 4, 5, 6}}, float[3] c = {{1, 2, 3}}>
    {{ t = Transpose(a) q = Mul(c, c) d = Sub(x, q) y = MatMul(d, t) }}"""
    network = import_model(_load(text))
    (plan,) = network.program._plans.values()
    assert [step[-1] for step in plan.inference] == ["d (Sub)", "y (MatMul)"]
    y, _ = network({}, {}, torch.tensor([[1.0, 4.0, 10.0]]))
    assert y.tolist() == [[3.0, 6.0]]


def test_convolution_of_constants_runs_as_a_kernel() -> None:
    text = f"""{HEADER} g (float[N, 1, 1, 1] x) => (float y)
    <float[1, 1, 2, 2] a = {{1, 2, 3, 4}}, float[1, 1, 2, 2] k = {{1, 0, 0, 1}}>
    {{ c = Conv(a, k) y = Mul(x, c) }}"""
    network = import_model(_load(text))
    y, _ = network(network.parameters, {}, torch.tensor([[[[2.0]]]]))
    assert y.tolist() == [[[[10.0]]]]


HUGE = [
    "s = Constant<value = int64[3] {100000, 100000, 10}>() c = ConstantOfShape(s) y = Add(x, c)",
    "a = Constant<value = int64 {0}>() b = Constant<value = int64 {1000000000}>() d = Constant<value = int64 {1}>()"
    " r = Range(a, b, d) f = Cast<to = 1>(r) y = Add(x, f)",
    "s = Constant<value = int64[2] {100000, 100000}>() e = Constant<value = float {1}>() c = Expand(e, s) y = Add(x, c)",
    "s = Constant<value = int64[1] {1000000000}>() e = Constant<value = float[1] {1}>() c = Tile(e, s) y = Add(x, c)",
]


@pytest.mark.parametrize("body", HUGE)
def test_constant_larger_than_memory_is_refused(body: str) -> None:
    with pytest.raises(UnsupportedOperatorError, match="a constant that is too large"):
        import_model(_load(f"{HEADER} g (float[N, 3] x) => (float y) {{ {body} }}"))


def test_only_the_first_output_is_computed() -> None:
    text = f"""{HEADER} g (float[N, 3] x) => (float y, float z)
    {{ y = Relu(x) z = NonZero(x) }}"""
    network = import_model(_load(text))
    assert network({}, {}, torch.tensor([[1.0, -1.0, 2.0]]))[0].tolist() == [[1.0, 0.0, 2.0]]


def test_functions_of_the_model_are_inlined() -> None:
    text = """<ir_version: 8, opset_import: ["": 17, "own": 1]>
    g (float[N, 3] x) => (float[N, 3] y) { y = own.twice(x) }
    <opset_import: ["": 17], domain: "own"> twice (a) => (b) { b = Add(a, a) }"""
    network = import_model(_load(text))
    assert network({}, {}, torch.tensor([[1.0, 2.0, 3.0]]))[0].tolist() == [[2.0, 4.0, 6.0]]


REFUSED = [
    ("n = NonZero(x) y = Cast<to = 1>(n)", "n", "NonZero", ""),
    ("y = RandomNormalLike(x)", "y", "RandomNormalLike", "random"),
    ("y = com.acme.Fancy(x)", "y", "com.acme::Fancy", ""),
    ("i = Cast<to = 7>(x) y = Reshape(x, i)", "y", "Reshape", "depends on the data"),
    ('y = DepthToSpace<blocksize = 2, mode = "ABC">(x)', "y", "DepthToSpace", "'ABC'"),
    ("y = Cast<to = 8>(x)", "y", "Cast", "type 8"),
    (
        "t = Constant<value = bool {1}>() r = Constant<value = float {0.5}>() y = Dropout(x, r, t)",
        "y",
        "Dropout",
        "random",
    ),
    ("m, k = MaxPool<kernel_shape = [1]>(x) y = Cast<to = 1>(k)", "m", "MaxPool", "first output"),
    (
        "w = Constant<value = float[1, 1, 3] {1, 2, 3}>() r = Constant<value = float[1, 1, 1] {1}>()"
        ' y = RNN<hidden_size = 1, activations = ["Affine"]>(x, w, r)',
        "y",
        "RNN",
        "'affine'",
    ),
]


@pytest.mark.parametrize(("body", "node", "operator", "reason"), REFUSED)
def test_unsupported_operator_is_refused_at_import(body: str, node: str, operator: str, reason: str) -> None:
    model = _load(
        f'<ir_version: 8, opset_import: ["": 17, "com.acme": 1]> g (float[N, 2, 3] x) => (float y) {{ {body} }}'
    )
    with pytest.raises(UnsupportedOperatorError) as caught:
        import_model(model)
    assert (caught.value.node, caught.value.operator) == (node, operator)
    assert reason in str(caught.value)


def test_old_operator_set_is_refused() -> None:
    model = _load('<ir_version: 3, opset_import: ["": 6]> g (float[N, 3] x) => (float y) { y = Relu(x) }')
    with pytest.raises(UnsupportedOperatorError, match="opset 6 is older than 7"):
        import_model(model)


def test_two_inputs_are_refused() -> None:
    model = _load(f"{HEADER} g (float[N] x, float[N] z) => (float y) {{ y = Add(x, z) }}")
    with pytest.raises(InvalidModelError, match="inputs x, z"):
        import_model(model)


def test_error_in_a_run_names_the_node() -> None:
    network = import_model(_load(MLP))
    with pytest.raises(RuntimeError) as caught:
        network(network.parameters, {}, torch.zeros(2, 5))
    assert caught.value.__notes__ == ["in node h (Gemm)"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(("text", "shape"), [(MLP, (3,)), (GRU, (4, 3)), (CNN, (1, 4, 4)), (DYNAMIC, (2, 6))])
def test_cuda_equals_cpu(text: str, shape: tuple[int, ...]) -> None:
    cpu, cuda = (import_model(_load(text), device=device) for device in ("cpu", "cuda"))
    x = _draw(5, *shape)
    expected, _ = cpu(cpu.parameters, cpu.buffers, x)
    found, _ = cuda(cuda.parameters, cuda.buffers, x.cuda())
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-3, atol=1e-4)
    gradient = torch.func.grad(lambda p: cuda(p, cuda.buffers, x[:4].cuda())[0].sum())(cuda.parameters)
    assert all(torch.isfinite(value).all() for value in gradient.values())
    torch.testing.assert_close(
        cuda(cuda.parameters, cuda.buffers, x[:4].cuda())[0].cpu(), expected[:4], rtol=1e-3, atol=1e-4
    )
