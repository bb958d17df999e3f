import onnx
import pytest
from onnx import helper

from onnx_graph.files.soundness import is_sorted


def graph(*nodes: tuple[list[str], list[str]]) -> onnx.GraphProto:
    return helper.make_graph([helper.make_node("Relu", *names) for names in nodes], "g", [], [])


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([(["x"], ["a"]), (["a", ""], ["b", ""]), (["a", "b"], ["c"])], True),
        ([(["a"], ["b"]), (["x"], ["a"])], False),
        ([(["a"], ["a"])], False),
        ([(["b"], ["a"]), (["a"], ["b"])], False),
        ([], True),
    ],
)
def test_sorted_is_every_node_after_those_that_it_reads_of(nodes, expected):
    assert is_sorted(graph(*nodes)) is expected


def test_what_reads_in_a_subgraph_is_not_taken_for_sorted():
    inner = graph(([], ["a"]))
    holder = helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)
    assert not is_sorted(helper.make_graph([holder], "g", [], []))
