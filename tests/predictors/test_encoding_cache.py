"""The benchmarks' cache of structure graphs: it reads what it wrote, and encodes only missing or changed networks."""

from dataclasses import replace

import numpy as np
import onnx_ir as ir
import pytest

from predictors.paths.unit_graph import UnitGraph
from predictors.structure_graph import StructureGraph
from predictors.testing import synthetic_graphs


@pytest.fixture
def cache(benchmark, monkeypatch, tmp_path):
    module = benchmark("support.encoding_cache")
    monkeypatch.setattr(module, "CACHE", tmp_path / "cache")
    module.code_key.cache_clear()
    yield module
    module.code_key.cache_clear()


def assert_same(first: StructureGraph, second: StructureGraph) -> None:
    ours, theirs = first.arrays(), second.arrays()
    assert list(ours) == list(theirs)
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name], err_msg=name)
        assert array.dtype.kind == "U" or array.dtype == theirs[name].dtype, name


def varied() -> list[StructureGraph]:
    """Graphs with and without units, with unknown operators of several lengths, with units that are not joined or missing."""
    graphs, _ = synthetic_graphs(12)
    assert {graph.units is None for graph in graphs} == {True, False}
    bare = UnitGraph(np.array([0, -1], np.int32), np.ones((2, 4), np.float32), np.zeros((2, 0), np.int32))
    none = UnitGraph(np.zeros(0, np.int32), np.zeros((0, 4), np.float32), np.zeros((2, 0), np.int32))
    graphs[3] = replace(graphs[3], unknown=("a::B", "other::Warp"), units=bare)
    graphs[7] = replace(graphs[7], unknown=("a::VeryLongName",), units=none)
    return graphs


@pytest.mark.parametrize("rows", [slice(0, 12), slice(3, 4), slice(7, 8)])
def test_graphs_are_read_as_they_were_written(cache, tmp_path, rows):
    written = varied()[rows]
    cache.save(tmp_path / "shard.npz", written)
    for first, second in zip(cache.load(tmp_path / "shard.npz"), written, strict=True):
        assert_same(first, second)
    assert [path.name for path in tmp_path.iterdir()] == ["shard.npz"]


def test_graphs_without_units_are_read_and_alike_rows_are_written_once(cache, tmp_path):
    one = replace(synthetic_graphs(1)[0][0], units=None)
    cache.save(tmp_path / "shard.npz", [one] * 50)
    with np.load(tmp_path / "shard.npz") as file:
        assert len(file["features/rows"]) == len(one.operators)
    for graph in cache.load(tmp_path / "shard.npz"):
        assert_same(graph, one)


def network(built: list[int], size: int) -> ir.Model:
    built.append(size)
    x = ir.Value(name="x", shape=ir.Shape(["N", size]), type=ir.TensorType(ir.DataType.FLOAT))
    node = ir.Node("", "Relu", [x])
    node.outputs[0].shape, node.outputs[0].type = x.shape, x.type
    return ir.Model(ir.Graph([x], node.outputs, nodes=[node], opset_imports={"": 17}), ir_version=10)


def test_only_what_is_missing_is_encoded(cache, monkeypatch):
    monkeypatch.setattr(cache, "SHARD", 3)
    built: list[int] = []

    def encoded(sizes: list[int], number: int) -> int:
        """The number of networks that were built."""
        built.clear()
        networks = cache.Networks(
            name="relu", specs=[(size,) for size in sizes], build=lambda size: network(built, size), sources=()
        )
        assert len(cache.graphs(networks, number, told=lambda _: None)) == number
        return len(built)

    assert encoded([1, 2, 3, 4, 5, 6, 7], 2) == 3  # the whole shard
    assert encoded([1, 2, 3, 4, 5, 6, 7], 3) == 0
    assert encoded([1, 2, 3, 4, 5, 6, 7], 7) == 4
    assert encoded([1, 2, 3, 4, 5, 6, 7, 8], 8) == 2  # has grown
    assert encoded([1, 2, 3, 4, 9, 6, 7, 8], 8) == 3  # is another network


@pytest.mark.parametrize(
    ("file", "text", "same"),
    [
        (
            "builder.py",
            '"""Another docstring."""\n# a comment\nfrom tools  import  saw\nimport onnx_graph\n'
            "from predictors.features.encoder import encode\n",
            True,
        ),
        ("builder.py", "from tools import saw\nx = 1\n", False),
        ("predictors/features/encoder.py", "import onnx_graph\nx = 1\n", True),
        ("onnx_graph/file.py", "x = 2\n", True),
        ("tools/saw.py", "x = 2\n", False),
        ("tools/plane.py", "x = 2\n", True),
    ],
)
def test_the_key_is_that_of_the_code_that_is_reached(cache, monkeypatch, tmp_path, file, text, same):
    monkeypatch.setattr(cache, "FOLDERS", (tmp_path,))
    files = {
        "builder.py": "from tools import saw\nimport onnx_graph\nfrom predictors.features.encoder import encode\n",
        "predictors/features/encoder.py": "import onnx_graph, numpy\n",
        "onnx_graph/__init__.py": "",
        "onnx_graph/file.py": "x = 1\n",
        "tools/__init__.py": "",
        "tools/saw.py": "x = 1\n",
        "tools/plane.py": "x = 1\n",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    before = cache.code_key("builder")
    cache.code_key.cache_clear()
    (tmp_path / file).write_text(text)
    assert (cache.code_key("builder") == before) is same
    with pytest.raises(ModuleNotFoundError, match="no module 'absent'"):
        cache.code_key("absent")


def test_another_encoding_has_another_key(cache, monkeypatch):
    before = cache.code_key("search_spaces")
    cache.code_key.cache_clear()
    monkeypatch.setattr(cache, "ENCODING", cache.ENCODING + 1)
    assert cache.code_key("search_spaces") != before
