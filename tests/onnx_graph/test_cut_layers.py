"""Cutting off the deepest layers of a sum: worked numbers, removed parts, graphs that cannot be cut."""

import numpy as np
import pytest

import onnx_graph
from onnx_graph.cutting.layer_cutting import CutError, cut_layers, summed_layers

SUM_OF_THREE = """g (float[N,1] x) => (float[N,1] y) {
    a = MatMul(x, w1)
    h1 = Relu(a)
    b = Gemm(h1, w2, b2)
    h2 = Relu(b)
    s2 = Add(h1, h2)
    c = Gemm(h2, w3)
    h3 = Relu(c)
    s3 = Add(s2, h3)
    y = Gemm(s3, w4, b4)
}"""


@pytest.fixture
def model(from_text):
    return from_text(SUM_OF_THREE, w1=[[2.0]], w2=[[3.0]], b2=[1.0], w3=[[5.0]], w4=[[10.0]], b4=[0.5])


@pytest.mark.parametrize(
    ("keep", "output"),
    [
        (3, 10 * (2 + 7 + 35) + 0.5),  # x = 1: h1 = 2, h2 = 3 · 2 + 1, h3 = 5 · 7
        (2, 10 * (2 + 7) + 0.5),
        (1, 10 * 2 + 0.5),
    ],
)
def test_the_head_reads_the_first_layers_only(model, answers, keep, output):
    assert summed_layers(model) == 3
    small = cut_layers(model, keep)
    assert answers(small, {"x": np.ones((1, 1), np.float32)})[0].tolist() == [[output]]
    assert summed_layers(small) == keep


def test_cut_layers_leave_no_weights_behind_and_the_original_alone(model):
    assert sorted(cut_layers(model, 1).graph.initializers) == ["b4", "w1", "w4"]
    assert sorted(model.graph.initializers) == ["b2", "b4", "w1", "w2", "w3", "w4"]


def test_a_bias_behind_the_head_is_passed(from_text, answers):
    model = from_text(
        "g (float[N,1] x) => (float[N,1] y) { a = MatMul(x, u)  s = Add(x, a)  z = MatMul(s, v)  y = Add(z, b) }",
        u=[[4.0]],
        v=[[2.0]],
        b=[1.0],
    )
    assert answers(cut_layers(model, 1), {"x": np.ones((1, 1), np.float32)})[0].tolist() == [[3.0]]


def test_a_layer_without_weights_changes_nothing_when_cut(model, answers):
    onnx_graph.set_weights(model, {"w3": np.zeros((1, 1), np.float32)})
    x = {"x": np.ones((1, 1), np.float32)}
    assert answers(cut_layers(model, 2), x)[0].tolist() == answers(onnx_graph.shrink(model), x)[0].tolist()


@pytest.mark.parametrize("keep", [0, 4])
def test_another_number_of_layers_is_refused(model, keep):
    with pytest.raises(CutError, match=f"keep is {keep}; .* keep 1 to 3"):
        cut_layers(model, keep)


def test_a_graph_that_ends_in_no_layer_is_refused(from_text):
    with pytest.raises(CutError, match="no Gemm or MatMul"):
        cut_layers(from_text("g (float[N,1] x) => (float[N,1] y) { y = Relu(x) }"), 1)
