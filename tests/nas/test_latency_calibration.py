"""Latency measured here and predicted, through the command line."""

import json

import numpy as np
import pytest

import onnx_graph
import search_spaces
from nas.cli.main import main
from nas.measure import latency_calibration
from predictors import encode
from predictors.errors import InvalidTargetError
from predictors.library.fitted import FittedPredictor
from predictors.library.persistence import save
from predictors.models.ensemble import EnsemblePredictor
from predictors.models.quick import QuickPredictor
from search_spaces.signature import Signature


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A calibration, an accuracy predictor and a network."""
    path = tmp_path_factory.mktemp("latency")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            latency_calibration, "latency", lambda model, repeats: 0.01 + 1e-6 * onnx_graph.count(model).weights
        )
        latency_calibration.calibrate(path / "here", latency_calibration.FEWEST)
    space = search_spaces.create("mlp", Signature(input_shape=(64,), outputs=10))
    rng = np.random.default_rng(0)
    models = [space.build(space.sample(rng)) for _ in range(12)]
    save(QuickPredictor().fit([encode(one) for one in models], np.linspace(0.4, 0.9, 12)), path / "accuracy")
    onnx_graph.save(models[0], path / "model.onnx")
    return path


def test_the_command_tells_milliseconds_and_bytes(folder, capsys):
    names = ["--predictor", str(folder / "accuracy"), "--latency", str(folder / "here"), "--format", "json"]
    assert main(["predict", str(folder / "model.onnx"), *names]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["latency"] == pytest.approx(0.01, rel=0.3)
    assert row["bytes"] == onnx_graph.size(onnx_graph.shrink(onnx_graph.load(folder / "model.onnx")))


def test_what_cannot_be_told_is_refused(folder, capsys):
    predictor = FittedPredictor(predictor=EnsemblePredictor(), training_graphs=0, provenance={})
    graph = encode(folder / "model.onnx")
    with pytest.raises(InvalidTargetError, match="no target 'speed'"):
        predictor.predict(graph, targets=["speed"])
    with pytest.raises(InvalidTargetError, match="calibrate-latency"):
        predictor.predict(folder / "model.onnx", targets=["latency"])
    with pytest.raises(InvalidTargetError, match="the model itself"):
        predictor.predict([graph], targets=["bytes"])
    with pytest.raises(InvalidTargetError, match="predicts no latency"):
        predictor.predict(folder / "model.onnx", targets=["latency"], latency=folder / "accuracy")
    assert main(["predictor", "calibrate-latency", "--out", str(folder / "x"), "--networks", "3"]) == 2
    assert "at least" in capsys.readouterr().err


def test_what_is_drawn_follows_from_the_seed():
    first, again = ([onnx_graph.count(model) for model in latency_calibration._drawn(8, seed=3)] for _ in range(2))
    assert first == again
