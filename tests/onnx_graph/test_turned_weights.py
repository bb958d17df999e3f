"""A weight that two nodes read, one of them transposed: live units, effective masks, shrinking."""

import numpy as np
import pytest

import onnx_graph

X, O = True, False  # noqa: E741

# z = x + wᵀ·relu(w·x): square, so that a mask taken the wrong way round would go unnoticed.
BLOCK = """g (float[N,3] x) => (float[N,3] y) {
    p = MatMul(x, into)
    a = Gemm<transB=1>(p, w)
    h = Relu(a)
    s = Gemm<alpha=-0.5>(h, w)
    y = MatMul(s, out)
}"""
EYE = np.eye(3)


def block(from_text, w, into=EYE, out=EYE):
    return from_text(BLOCK, w=w, into=into, out=out)


def test_units_flow_through_the_turned_weight(from_text):
    # w: h0 reads p1, h1 reads p2, h2 reads nothing. Turned: s1 reads h0, s2 reads h1, s0 nothing.
    found = onnx_graph.liveness(block(from_text, [[0.0, 1, 0], [0, 0, 1], [0, 0, 0]]))
    assert found.forward["h"].ravel().tolist() == [X, X, O]
    assert found.forward["s"].ravel().tolist() == [O, X, X]
    assert found.backward["h"].ravel().tolist() == [X, X, O]
    assert found.backward["p"].ravel().tolist() == [O, X, X]


def test_a_connection_stays_if_either_use_needs_it(from_text):
    # Only p0 is fed and only s1 is read. h0 reads p0 and p1: w[0, 0] is needed upright, w[0, 1] turned (h0 → s1).
    # h1 reads p1 and p2, none of them fed: neither of its connections lies on a path.
    feed, read = np.diag([1.0, 0, 0]), np.diag([0.0, 1, 0])
    model = block(from_text, [[1.0, 1, 0], [0, 1, 1], [0, 0, 0]], feed, read)
    assert onnx_graph.effective_masks(model)["w"].tolist() == [[X, X, O], [O, O, O], [O, O, O]]
    assert onnx_graph.trim(model) == 2


@pytest.mark.parametrize("shape", [(3, 3), (5, 3)])
@pytest.mark.parametrize("seed", range(6))
def test_trimmed_and_shrunk_networks_compute_the_same(from_text, answers, shape, seed):
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=size) * (rng.random(size) < 0.4) for size in (shape, (3, 3), (3, 3))]
    model = block(from_text, *arrays)
    x = {"x": rng.normal(size=(7, 3)).astype(np.float32)}
    expected = answers(model, x)[0]
    # Without biases, units off the live paths send nothing.
    trimmed = model.clone()
    onnx_graph.trim(trimmed)
    for other in (trimmed, onnx_graph.shrink(model), onnx_graph.shrink(trimmed)):
        assert np.allclose(answers(other, x)[0], expected, atol=1e-6)


def test_the_factor_of_a_gemm_survives_shrinking(from_text, answers):
    model = from_text(
        "g (float[N,2] x) => (float[N,1] y) { h = Gemm<transB=1, alpha=4.0>(x, u, b)  y = Gemm<alpha=0.5>(h, v) }",
        u=[[1.0, 0], [1, 1], [0, 1]],
        b=[1.0, 2, 3],
        v=[[1.0], [0], [1]],
    )
    small = onnx_graph.shrink(model)
    assert small.graph.initializers["u"].shape.numpy() == (2, 2)
    # x = (1, 2): h0 = 4 · 1 + 1, h2 = 4 · 2 + 3, y = .5 · 16.
    assert answers(small, {"x": np.array([[1, 2]], np.float32)})[0].tolist() == [[8.0]]
