"""The package itself: names, and what importing costs."""

import subprocess
import sys

import pytest

import onnx_graph


def test_every_public_name_is_there():
    for name in onnx_graph.__all__:
        assert getattr(onnx_graph, name).__name__ == name


def test_functions_win_over_the_files_of_their_name():
    from onnx_graph.counts import Counts
    from onnx_graph.cutting.shrinking import shrink

    assert onnx_graph.shrink is shrink
    assert onnx_graph.count.__annotations__["return"] is Counts


def test_importing_the_package_imports_no_library():
    code = "import onnx_graph, sys; sys.exit(bool({'numpy', 'onnx', 'onnx_ir', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = onnx_graph.nothing


def test_unsupported_operator_error_names_node_and_operator():
    error = onnx_graph.UnsupportedOperatorError("node7", "my.domain::Thing", "no such thing")
    assert str(error) == "node 'node7': operator my.domain::Thing is not supported: no such thing"
    assert isinstance(error, onnx_graph.GraphError)
