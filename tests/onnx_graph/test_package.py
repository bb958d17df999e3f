"""The package itself: functions with nearly the names of their files, and the text of its errors."""

import onnx_graph


def test_functions_win_over_the_files_of_their_name():
    from onnx_graph.counts import Counts
    from onnx_graph.cutting.shrinking import shrink

    assert onnx_graph.shrink is shrink
    assert onnx_graph.count.__annotations__["return"] is Counts


def test_unsupported_operator_error_names_node_and_operator():
    error = onnx_graph.UnsupportedOperatorError("node7", "my.domain::Thing", "no such thing")
    assert str(error) == "node 'node7': operator my.domain::Thing is not supported: no such thing"
    assert isinstance(error, onnx_graph.GraphError)
