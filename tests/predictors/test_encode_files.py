"""Real networks of many exporters: all are read, and quickly; exports of one network are the same."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest

import onnx_graph
from predictors.features.encoder import encode
from predictors.features.graph_features import GRAPH_FEATURES
from predictors.structure_graph import StructureGraph

DATA = os.environ.get("NAS_DATA_DIR")


@pytest.fixture(scope="module")
def folder() -> Path:
    if not DATA:
        pytest.skip("NAS_DATA_DIR is not set: no real ONNX files")
    return Path(DATA) / "onnx"


@pytest.fixture(scope="module")
def rows(folder) -> list[dict[str, str]]:
    with (folder / "onnx_index.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def encoded(folder, rows) -> dict[str, StructureGraph]:
    return {row["file"]: encode(folder / row["file"]) for row in rows if row["ort_loads"] == "1"}


def test_every_file_that_onnxruntime_loads_is_encoded(encoded):
    assert len(encoded) >= 90
    for name, graph in encoded.items():
        assert np.isfinite(graph.features).all(), name
        assert np.isfinite(graph.summary).all(), name
        assert graph.unknown == (), name
        assert graph.edges.size == 0 or (graph.edges[0] < graph.edges[1]).all(), name


def test_the_totals_are_those_of_the_index(rows, encoded):
    places = [GRAPH_FEATURES.index(name) for name in ("log_weights", "log_nnz", "log_params")]
    for row in rows:
        if row["file"].startswith("evaluated") and "noscale" not in row["file"]:
            weights, nnz, params = np.expm1(encoded[row["file"]].summary[places])
            # The index counts zeros, and constants that are no parameters.
            assert params + weights - nnz == pytest.approx(int(row["params"]), rel=0.05), row["file"]


def test_files_that_onnxruntime_rejects_are_encoded_or_invalid(folder, rows):
    for row in rows:
        if row["ort_loads"] == "0":
            try:
                graph = encode(folder / row["file"])
            except onnx_graph.InvalidModelError as error:
                assert row["file"].split("/")[-1] in str(error)  # noqa: PT017
            else:
                assert np.isfinite(graph.features).all()


def test_weightless_networks_have_their_published_sizes(encoded):
    sizes = {"vgg19": 143_652_544, "resnet50": 25_502_912, "squeezenet": 1_231_552}
    for name, expected in sizes.items():
        summary = encoded[f"light/light_{name}.onnx"].summary
        assert np.expm1(summary[GRAPH_FEATURES.index("log_weights")]) == pytest.approx(expected, rel=1e-4)


def test_exports_of_one_network_are_the_same(rows, encoded):
    """Some of them have a normalisation of the inputs or a softmax more, some write dense layers as convolutions."""
    families: dict[str, list[np.ndarray]] = {}
    for row in rows:
        if row["family"] and row["file"] in encoded:
            families.setdefault(row["family"], []).append(encoded[row["file"]].summary)
    assert sum(len(summaries) - 1 for summaries in families.values()) >= 8
    for name, (first, *others) in families.items():
        for other in others:
            np.testing.assert_array_equal(first, other, err_msg=name)
    assert len({summaries[0].tobytes() for summaries in families.values()}) == len(families)
