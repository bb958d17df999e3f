"""The collector rests while a network is encoded, and runs again after it."""

import gc

import pytest

from predictors import encode
from predictors.errors import ModelTypeError


def test_it_rests_while_a_network_is_encoded(monkeypatch):
    seen = []
    monkeypatch.setattr("predictors.features.encoder.in_memory", lambda _: seen.append(gc.isenabled()))
    with pytest.raises(AttributeError):
        encode("model.onnx")
    assert seen == [False]
    assert gc.isenabled()


def test_it_runs_again_after_a_model_that_cannot_be_encoded():
    with pytest.raises(ModelTypeError):
        encode(3)
    assert gc.isenabled()
