"""Small files that would need much memory: each is refused in one line, or read without that part."""

import itertools

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_ir.passes.common import InlinePass

import onnx_graph
from onnx_graph.files import inference_bounds as growth
from onnx_graph.operators.result_size import result_numbers, stored_bytes
from onnx_graph.rewriting.folding_budget import FoldingBudget
from onnx_graph.rewriting.inlining import write_out

HEAD = '<ir_version: 10, opset_import: ["" : 18, "my" : 1]>'


def parsed(text: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(f"{HEAD}\n{text}")


def chain(
    operator: str, length: int, *, dims: tuple[int, ...] = (2, 3), kind: int = TensorProto.FLOAT, **options: int
) -> onnx.ModelProto:
    """``v1 = operator(x, x)``, ``v2 = operator(v1, v1)`` and so on."""
    names = ["x", *(f"v{number}" for number in range(1, length)), "y"]
    nodes = [helper.make_node(operator, [a, a], [b], **options) for a, b in itertools.pairwise(names)]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, dims)],
        [helper.make_tensor_value_info("y", kind, None)],
    )
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 18)])


@pytest.mark.parametrize(
    "model",
    [
        chain(
            "Concat", 40, dims=(2,), kind=TensorProto.INT64, axis=0
        ),  # a list of 2^41 numbers that inference carries along
        chain("Gather", 40),  # 2^40 axes
        chain("GatherND", 40, kind=TensorProto.INT64),
        parsed("g (int64[2] x) => (float[A,B] y) { s = Concat<axis=0>(x, x)  y = ConstantOfShape(s) }"),
    ],
    ids=["Concat", "Gather", "GatherND", "few"],
)
def test_shapes_are_not_inferred_where_that_would_take_all_memory(model):
    few = len(model.graph.node) == 2
    assert growth.is_bounded(model) == few
    assert len(list(onnx_graph.from_proto(model).graph)) == len(model.graph.node)


def test_types_inside_types_are_not_inferred():
    model = chain("SequenceConstruct", 2000)
    assert not growth.is_bounded(model)


def test_a_list_that_a_file_says_is_endless_is_not_carried_along():
    model = parsed(
        "g (float[N,3] x) => (float[N,3] y) { s = Shape(x)  n = Gather(s, z)  r = Concat<axis=0>(n, m)  y = Reshape(x, r) }"
    )
    model.graph.initializer.extend(
        numpy_helper.from_array(np.array([value]), name) for name, value in (("z", 0), ("m", -1))
    )
    assert growth.is_bounded(model)
    model.graph.value_info.append(helper.make_tensor_value_info("s", TensorProto.INT64, [2**63 - 1]))
    assert not growth.is_bounded(model)
    assert onnx_graph.from_proto(model).graph.outputs[0].shape == ir.Shape(["N", 3])


def test_a_function_that_calls_itself_is_refused():
    model = parsed(
        """g (float[2] x) => (float[2] y) { y = my.f(x) }
        <domain: "my", opset_import: ["" : 18, "my" : 1]> f (a) => (b) { b = my.f(a) }"""
    )
    with pytest.raises(onnx_graph.InvalidModelError, match="function 'f' calls itself"):
        onnx_graph.from_proto(model)


def test_functions_that_stand_for_too_many_nodes_are_refused():
    bodies = "".join(
        f'<domain: "my", opset_import: ["" : 18, "my" : 1]> f{level} (a) => (c) {{ b = my.f{level + 1}(a)  c = my.f{level + 1}(b) }}\n'
        for level in range(60)
    )
    last = '<domain: "my", opset_import: ["" : 18]> f60 (a) => (b) { b = Relu(a) }'
    model = parsed(f"g (float[2] x) => (float[2] y) {{ y = my.f0(x) }}\n{bodies}{last}")
    with pytest.raises(onnx_graph.InvalidModelError, match="stand for more than 10\\^15 nodes"):
        onnx_graph.from_proto(model)


CALLS = """g (float[N,2] x) => (float[N,2] y) {{ {calls} }}
    <domain: "my", opset_import: ["" : 18]> leak <slope> (a, b) => (c) {{ d = MatMul(a, b)  c = LeakyRelu<alpha=@slope>(d) }}
    <domain: "my", opset_import: ["" : 18, "my" : 1]> twice (a, b) => (c) {{
        d = my.leak<slope=0.1>(a, b)  c = my.leak<slope=0.2>(d, b) }}"""


def test_written_out_functions_compute_the_same(answers):
    calls = "h = my.twice(x, w)  y = my.leak<slope=0.5>(h, w)"
    proto = parsed(CALLS.format(calls=calls))
    proto.graph.initializer.append(numpy_helper.from_array(np.float32([[1, -1], [2, 0.5]]), "w"))
    ours, theirs = ir.from_proto(proto), ir.from_proto(proto)
    write_out(ours)
    InlinePass()(theirs)
    assert [node.op_type for node in ours.graph] == ["MatMul", "LeakyRelu"] * 3
    assert not ours.functions
    x = np.float32([[1, -1], [3, 2]])
    np.testing.assert_array_equal(answers(ours, {"x": x})[0], answers(theirs, {"x": x})[0])


def test_names_of_written_out_functions_are_new_without_counting_from_one_each_time():
    names = ["x", *(f"v{number}" for number in range(1, 400)), "y"]
    calls = "  ".join(f"{b} = my.leak<slope=0.5>({a}, w)" for a, b in itertools.pairwise(names))
    proto = parsed(CALLS.format(calls=calls))
    proto.graph.initializer.append(numpy_helper.from_array(np.eye(2, dtype=np.float32), "w"))
    model = ir.from_proto(proto)
    write_out(model)
    made = [value.name for node in model.graph for value in node.outputs]
    assert len(made) == len(set(made)) == 800


def test_sparse_tensors_far_larger_than_what_they_store_are_refused():
    model = parsed("g (float[N,50000] x) => (float[N,50000] y) { y = MatMul(x, w) }")
    value, place = numpy_helper.from_array(np.float32([1]), "w"), numpy_helper.from_array(np.array([0]), "at")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(value, place, [50000, 50000]))
    with pytest.raises(onnx_graph.InvalidModelError, match=r"sparse tensor .w.*too many"):
        onnx_graph.from_proto(model)


def test_what_a_file_says_of_a_result_is_not_believed_when_constants_are_folded():
    model = parsed("g (float[1,65536] x) => (float[1,65536] y) { w = MatMul(a, b)  y = MatMul(x, w) }")
    model.graph.initializer.append(numpy_helper.from_array(np.ones((2**16, 1), np.float32), "a"))
    model.graph.initializer.append(numpy_helper.from_array(np.ones((1, 2**16), np.float32), "b"))
    model.graph.value_info.append(
        helper.make_tensor_value_info("w", TensorProto.FLOAT, [2, 2])
    )  # 2^32 numbers in truth
    simple = onnx_graph.simplify(onnx_graph.from_proto(model))
    assert [node.op_type for node in simple.graph] == ["MatMul", "MatMul"]


def test_a_softmax_of_many_equal_numbers_is_left_alone():
    model = parsed(
        "g (float[1,8192] x) => (float[1,8192] y) { c = ConstantOfShape(s)  w = Softmax(c)  y = MatMul(x, w) }"
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array([8192, 8192]), "s"))
    simple = onnx_graph.simplify(onnx_graph.from_proto(model))
    assert [node.op_type for node in simple.graph] == ["Softmax", "MatMul"]


def test_an_input_of_very_many_numbers_is_read():
    model = onnx_graph.from_proto(parsed("g (float[1,1099511627776] x) => (float[1,1099511627776] y) { y = Relu(x) }"))
    assert onnx_graph.count(model).weights == 0
    assert len(list(onnx_graph.shrink(model).graph)) == 1


def test_too_many_axes_are_refused():
    model = parsed("g (float[2] x) => (float[2] y) { y = Relu(x) }")
    model.graph.input[0].type.tensor_type.shape.dim.extend([onnx.TensorShapeProto.Dimension(dim_value=1)] * 64)
    with pytest.raises(onnx_graph.InvalidModelError, match="value 'x' has 65 axes"):
        onnx_graph.from_proto(model)


@pytest.mark.parametrize("tag", [b"\x0a\x00", b"\x0a\x02\x2a\x00"], ids=["nodes", "nodes with an attribute"])
def test_a_large_file_of_empty_parts_is_not_parsed(tmp_path, monkeypatch, tag):
    monkeypatch.setattr("onnx_graph.files.wire.SMALL_FILE", 100_000)
    monkeypatch.setattr("onnx_graph.files.wire.MOST_PARTS", 50_000)
    body = tag * 60_000
    size = bytes([len(body) & 127 | 128, len(body) >> 7 & 127 | 128, len(body) >> 14])
    path = tmp_path / "empty.onnx"
    path.write_bytes(b"\x3a" + size + body)
    with pytest.raises(onnx_graph.InvalidModelError, match="more than 50,000 parts"):
        onnx_graph.load(path)


def test_a_large_file_of_weights_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("onnx_graph.files.wire.SMALL_FILE", 1000)
    monkeypatch.setattr("onnx_graph.files.wire.MOST_PARTS", 100)
    model = parsed("g (float[N,100] x) => (float[N,100] y) { y = MatMul(x, w) }")
    model.graph.initializer.append(numpy_helper.from_array(np.ones((100, 100), np.float32), "w"))
    path = tmp_path / "weights.onnx"
    path.write_bytes(model.SerializeToString())
    assert len(path.read_bytes()) > 40_000
    assert onnx_graph.count(onnx_graph.load(path)).weights == 10_000


def node(text: str) -> ir.Node:
    return next(iter(ir.from_proto(parsed(f"g (float[2] x) => (float[2] y) {{ {text} }}")).graph))


@pytest.mark.parametrize(
    ("text", "inputs", "numbers"),
    [
        ("y = Add(x, x)", [np.zeros((3, 1)), np.zeros((1, 4))], 12),
        ("y = Expand(x, x)", [np.zeros((1, 3)), np.array([5, 1])], 15),
        ("y = Tile(x, x)", [np.zeros((2, 3)), np.array([2, 10])], 120),
        ("y = MatMul(x, x)", [np.zeros((5, 2)), np.zeros((2, 7))], 35),
        ("y = ConstantOfShape(x)", [np.array([2**20, 2**20])], 2**40),
        ("y = Range(x, x, x)", [np.array(0), np.array(10), np.array(3)], 4),
        ("y = Pad(x, x)", [np.zeros((1, 3)), np.array([0, 1, 0, 1])], 15),  # at most; the result has 5
        ("y = OneHot(x, x, x)", [np.zeros(4), np.array(6), np.zeros(2)], 24),
        ("y = Add(x, x)", [np.zeros(3), np.zeros(4)], None),  # nothing broadcasts
        ("y = Resize(x)", [np.zeros(3)], None),  # no rule
    ],
)
def test_size_of_a_result_before_it_is_computed(text, inputs, numbers):
    found = result_numbers(node(text), inputs)
    assert found == numbers if numbers is None or ("Pad" not in text and "MatMul" not in text) else found >= numbers


def test_a_repeated_number_takes_no_memory():
    assert stored_bytes([np.broadcast_to(np.float32(1), (1000, 1000))]) == 4
    assert stored_bytes([np.zeros((10, 10), np.float32), None]) == 400


def test_a_budget_is_used_up_by_results_larger_than_their_inputs():
    budget, expand = FoldingBudget(), node("y = Expand(x, x)")
    inputs = [np.zeros((1, 1), np.float32), np.array([1024, 1024])]  # 8 MiB: an index is the widest number of the two
    assert [budget.takes(expand, inputs) for _ in range(9)] == [True] * 8 + [False]
    assert budget.takes(node("y = Relu(x)"), [np.zeros((1024, 1024), np.float32)])


def test_running_out_of_memory_is_a_typed_error(monkeypatch):
    def fail(_):
        raise MemoryError

    model = onnx_graph.from_proto(parsed("g (float[2] x) => (float[2] y) { y = Relu(x) }"))
    monkeypatch.setattr("onnx_graph.counts.weight_uses", fail)
    with pytest.raises(
        onnx_graph.UnreadableModelError, match="cannot be counted: there is not enough memory"
    ) as caught:
        onnx_graph.count(model)
    assert isinstance(caught.value.__cause__, MemoryError)


def test_an_unforeseen_error_names_the_node_and_keeps_its_cause(monkeypatch):
    model = onnx_graph.from_proto(
        parsed("g (float[N,2] x) => (float[N,2] y) <float[2,2] w = {1,0,0,1}> { h = MatMul(x, w)  y = Relu(h) }")
    )

    def fail(node, *_):
        raise IndexError("tuple index out of range")

    monkeypatch.setattr("onnx_graph.units.live_units.relation_of", fail)
    with pytest.raises(
        onnx_graph.UnreadableModelError, match=r"IndexError: tuple index out of range \(at node 'h', operator MatMul\)"
    ) as caught:
        onnx_graph.liveness(model)
    assert isinstance(caught.value.__cause__, IndexError)


def test_a_wrong_call_is_no_property_of_the_model():
    with pytest.raises(TypeError, match="unexpected keyword"):
        onnx_graph.count(None, nothing=1)


@pytest.mark.parametrize(
    "body",
    [
        "y = Slice(x, z, e, o, s)",
        "y = Tile(x, t)",
        "y = Pad(x, p)",
        "y = Gather<axis=1>(x, e)",
        "y = LRN<size=3>(x)",
        "y = Trilu(x)",
    ],
)
def test_places_of_a_very_long_axis_are_not_told_apart(body):
    model = parsed(f"g (float[1,1099511627776] x) => (float[A,B] y) {{ {body} }}")
    arrays = {"z": [0], "e": [9], "o": [1], "s": [2], "t": [1, 2], "p": [0, 1, 0, 1]}
    used = [name for name in model.graph.node[0].input if name in arrays]
    model.graph.initializer.extend(numpy_helper.from_array(np.array(arrays[name]), name) for name in used)
    loaded = onnx_graph.from_proto(model)
    assert onnx_graph.dead_units(loaded) == 0
    assert [one.op_type for one in onnx_graph.shrink(loaded).graph] == [model.graph.node[0].op_type]


def test_units_of_joined_tensors_that_double_are_told_apart_only_while_they_fit_into_memory():
    model = chain("Concat", 40, dims=(1, 2), axis=1)
    model.graph.node[0].op_type = "Relu"
    del model.graph.node[0].input[1], model.graph.node[0].attribute[:]
    weight = numpy_helper.from_array(
        np.float32([[1, 0], [0, 0]]), "w"
    )  # the second unit is dead: units must be told apart
    model.graph.initializer.append(weight)
    model.graph.node.insert(1, helper.make_node("MatMul", ["v1", "w"], ["h"]))
    model.graph.node[2].input[:] = ["h", "h"]
    forward = onnx_graph.liveness(onnx_graph.from_proto(model)).forward
    assert [forward[f"v{number}"].shape for number in (2, 10)] == [(1, 4), (1, 1024)]
    assert forward["y"].shape == (1, 1)  # of 2^40
