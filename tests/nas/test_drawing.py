"""Drawings of networks: which blocks there are, where they go, and the pictures of masks."""

import itertools
import zlib

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import pytest

import onnx_graph
from nas.reports.drawing import mask_picture
from nas.reports.drawing.blocks import Diagram
from nas.reports.drawing.layout import BLOCK_WIDTH, Layout
from nas.reports.drawing.network import MOST_BLOCKS, drawing


def model_of(text, **weights):
    """An ONNX model from text, with the weights."""
    proto = onnx.parser.parse_model('<ir_version: 8, opset_import: ["": 17]> ' + text)
    proto.graph.initializer.extend(
        onnx.numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in weights.items()
    )
    return onnx_graph.simplify(ir.from_proto(proto))


def told(diagram):
    return [
        (" ".join(block.operators), block.units, block.nonzeros, block.weights, block.note) for block in diagram.blocks
    ]


SKIP = """g (float[N, 1, 2, 2] x) => (float[N, 2] y) {
  shifted = Sub(x, offset)
  flat = Flatten(shifted)
  a = MatMul(flat, first)
  b = Add(a, bias)
  h = Relu(b)
  c = MatMul(h, second)
  d = MatMul(flat, skip)
  y = Add(c, d)
}"""


@pytest.fixture
def skip():
    first = [[1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 1]]
    ones = np.ones((3, 2))
    return model_of(SKIP, offset=np.float32(0.5), bias=np.ones(3), first=first, second=ones, skip=np.eye(4)[:, :2])


def test_biases_and_shapes_are_not_drawn_and_an_activation_belongs_to_its_layer(skip):
    diagram = Diagram.of(skip)
    assert told(diagram) == [
        ("x", 0, 0, 0, "1 × 2 × 2, normalised"),
        ("MatMul Relu", 3, 6, 12, ""),
        ("MatMul", 2, 6, 6, ""),
        ("MatMul", 2, 2, 8, ""),
        ("Add", 0, 0, 0, ""),
        ("y", 0, 0, 0, "2"),
    ]
    assert list(diagram.links) == [(0, 1), (1, 2), (0, 3), (2, 4), (3, 4), (4, 5)]
    assert diagram.rows() == [0, 1, 2, 1, 3, 4]


def test_an_activation_whose_input_others_read_is_a_step_of_its_own():
    diagram = Diagram.of(
        model_of("g (float[N, 2] x) => (float[N, 2] y) { a = MatMul(x, w)\n b = Relu(a)\n y = Mul(a, b) }", w=np.eye(2))
    )
    assert [block.operators for block in diagram.blocks] == [["x"], ["MatMul"], ["Relu"], ["Mul"], ["y"]]
    assert list(diagram.links) == [(0, 1), (1, 2), (1, 3), (2, 3), (3, 4)]


def test_a_sum_of_sums_is_one_block():
    diagram = Diagram.of(
        model_of(
            "g (float[N, 2] x) => (float[N, 2] y) { a = MatMul(x, u)\n b = MatMul(x, v)\n c = Add(a, b)\n y = Add(c, x) }",
            u=np.eye(2),
            v=np.ones((2, 2)),
        )
    )
    assert [block.operators for block in diagram.blocks] == [["x"], ["MatMul"], ["MatMul"], ["Add"], ["y"]]
    assert set(diagram.links) == {(0, 1), (0, 2), (1, 3), (2, 3), (0, 3), (3, 4)}


def test_blocks_of_a_row_do_not_overlap_and_links_go_down(skip):
    diagram = Diagram.of(skip)
    layout = Layout.of(diagram)
    for row in set(layout.rows):
        middles = sorted(m for m, own in zip(layout.middles, layout.rows, strict=True) if own == row)
        assert all(right - left > BLOCK_WIDTH for left, right in itertools.pairwise(middles))
    assert all(BLOCK_WIDTH / 2 <= middle <= layout.width - BLOCK_WIDTH / 2 for middle in layout.middles)
    for path in layout.paths:
        rows = [row for row, _ in path]
        assert rows == list(range(rows[0], rows[-1] + 1))


def test_a_long_link_goes_round_the_blocks_between(skip):
    diagram = Diagram.of(skip)
    layout = Layout.of(diagram)
    (bend,) = [path[1] for path, link in zip(layout.paths, diagram.links, strict=True) if link == (3, 4)]
    between = layout.middles[2]  # the block in the row that the link passes
    assert bend[0] == layout.rows[2]
    assert abs(bend[1] - between) > BLOCK_WIDTH / 2


def test_the_drawing_tells_units_and_non_zeros(skip):
    drawn = drawing(skip)
    assert "MatMul → Relu" in drawn
    assert "3 units · 6 of 12" in drawn
    assert drawn.count('class="link"') == 6


def test_a_network_of_very_many_layers_is_not_drawn():
    steps = "\n".join(f"a{i + 1} = MatMul(a{i}, w)" for i in range(MOST_BLOCKS))
    text = f"g (float[N, 2] a0) => (float[N, 2] a{MOST_BLOCKS}) {{ {steps} }}"
    assert drawing(model_of(text, w=np.eye(2))) is None


def test_a_small_mask_is_drawn_weight_by_weight():
    mask = np.array([[True, False, True]])
    content = mask_picture.png(mask_picture.densities(mask))
    start = content.index(b"IDAT") + 4
    length = int.from_bytes(content[start - 8 : start - 4], "big")
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert zlib.decompress(content[start : start + length]) == bytes([0, 255, 0, 255])  # the filter 0, then the row


def test_a_large_mask_is_drawn_as_densities():
    mask = np.zeros((1000, 640), bool)
    mask[:, :320] = True
    shares = mask_picture.densities(mask)
    assert shares.shape == (mask_picture.MOST_ROWS, mask_picture.MOST_COLUMNS)
    assert shares[:, :160].min() == 1
    assert shares[:, 160:].max() == 0
    assert shares.mean() == pytest.approx(mask.mean())
