"""Many networks at once: in order, on one process or several, with the first error."""

import os

import numpy as np
import pytest

import onnx_graph
import search_spaces
from predictors import encode, encode_all
from predictors.errors import PredictorError
from predictors.library import batch
from search_spaces.signature import Signature


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    space = search_spaces.create("mlp", Signature(input_shape=(8,), outputs=3))
    rng = np.random.default_rng(0)
    models = [space.build(space.sample(rng)) for _ in range(5)]
    for number, model in enumerate(models):
        onnx_graph.save(model, folder / f"{number}.onnx")
    return folder, models


@pytest.mark.parametrize("workers", [1, 2])
def test_networks_of_all_kinds_are_encoded_in_order(files, workers, monkeypatch):
    folder, models = files
    monkeypatch.setattr(batch, "CHUNK", 1)
    mixed = [folder / "0.onnx", models[1], str(folder / "2.onnx"), encode(models[3]), folder / "4.onnx"]
    found = encode_all(mixed, workers=workers)
    for graph, model in zip(found, models, strict=True):
        np.testing.assert_array_equal(graph.summary, encode(model).summary)
        np.testing.assert_array_equal(graph.features, encode(model).features)
    assert found[3] is mixed[3]


@pytest.mark.parametrize("workers", [1, 2])
def test_the_first_that_cannot_be_read_is_named(files, tmp_path, workers):
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"no model")
    with pytest.raises(onnx_graph.InvalidModelError, match=r"bad\.onnx"):
        encode_all([files[0] / "0.onnx", bad, tmp_path / "missing.onnx"], workers=workers)


def _die(path):
    os._exit(1)


def test_a_dead_process_is_told(files, monkeypatch):
    folder, _ = files
    monkeypatch.setattr(batch, "_attempt", _die)
    with pytest.raises(PredictorError, match="a process that encodes died"):
        encode_all([folder / "0.onnx", folder / "1.onnx"], workers=2)


def test_no_worker_is_refused():
    with pytest.raises(ValueError, match="≥ 1"):
        encode_all([], workers=0)


def test_nothing_is_nothing():
    assert encode_all([], workers=2) == []
