"""Counts: worked by hand."""

import numpy as np

import onnx_graph


def test_dense_layer(from_text):
    model = from_text(
        "g (float[N,3] x) => (float[N,2] y) { y = Gemm<transB=1>(x, w, b) }", w=[[1, 0, 2], [0, 0, 3]], b=[0.0, 0.0]
    )
    # 3 of 6 weights are left; 3 + 2 biases; one product a weight.
    assert onnx_graph.count(model) == onnx_graph.Counts(nnz=3, weights=6, params=5, macs=3)


def test_convolution_counts_positions(from_text):
    model = from_text(
        "g (float[N,1,6,6] x) => (float[N,2,4,4] y) { y = Conv(x, w, b) }", w=np.ones((2, 1, 3, 3)), b=np.zeros(2)
    )
    assert onnx_graph.count(model) == onnx_graph.Counts(nnz=18, weights=18, params=20, macs=18 * 16)


def test_convolution_of_unknown_image_counts_its_kernel_once(from_text):
    model = from_text("g (float[N,1,H,W] x) => (float[N,2,K,L] y) { y = Conv(x, w) }", w=np.ones((2, 1, 3, 3)))
    assert onnx_graph.count(model).macs == 18


def test_transposed_convolution_counts_input_positions(from_text):
    model = from_text("g (float[N,1,5,5] x) => (float[N,2,7,7] y) { y = ConvTranspose(x, w) }", w=np.ones((1, 2, 3, 3)))
    assert onnx_graph.count(model).macs == 18 * 25


def test_recurrent_layer_counts_steps(from_text):
    model = from_text(
        "g (float[7,N,5] x) => (float[7,1,N,3] y) { y = GRU<hidden_size=3>(x, w, r, b) }",
        w=np.ones((1, 9, 5)),
        r=np.ones((1, 9, 3)),
        b=np.ones((1, 18)),
    )
    assert onnx_graph.count(model) == onnx_graph.Counts(nnz=72, weights=72, params=90, macs=72 * 7)


def test_dense_layer_on_a_sequence_counts_steps(from_text):
    by_batch = from_text("g (float[N,7,5] x) => (float[N,7,3] y) { y = MatMul(x, w) }", w=np.ones((5, 3)))
    by_time = from_text("g (float[7,N,5] x) => (float[7,N,3] y) { y = MatMul(x, w) }", w=np.ones((5, 3)))
    fixed = from_text("g (float[1,7,5] x) => (float[1,7,3] y) { y = MatMul(x, w) }", w=np.ones((5, 3)))
    assert [onnx_graph.count(model).macs for model in (by_batch, by_time, fixed)] == [105, 105, 105]


def test_shared_weight_is_one_weight_but_two_products(from_text):
    model = from_text("g (float[N,2] x) => (float[N,2] y) { a = MatMul(x, w)  y = MatMul(a, w) }", w=[[1, 0], [1, 1]])
    assert onnx_graph.count(model) == onnx_graph.Counts(nnz=3, weights=4, params=3, macs=6)


def test_normalisation_parameters_count_as_parameters(from_text):
    model = from_text(
        "g (float[N,2,4,4] x) => (float[N,2,4,4] y) { y = BatchNormalization(x, s, b, m, v) }",
        s=np.ones(2),
        b=np.zeros(2),
        m=np.zeros(2),
        v=np.ones(2),
    )
    assert onnx_graph.count(model) == onnx_graph.Counts(nnz=0, weights=0, params=8, macs=0)
