import gc
from concurrent.futures import ThreadPoolExecutor
from time import sleep

import pytest

from onnx_graph.collector import at_rest
from predictors import encode
from predictors.errors import ModelTypeError


def test_the_collector_rests_inside_and_runs_again_after_it():
    assert gc.isenabled()
    with at_rest():
        assert not gc.isenabled()
        with at_rest():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_rests_while_a_network_is_encoded(monkeypatch):
    seen = []
    monkeypatch.setattr("predictors.encoder.in_memory", lambda _: seen.append(gc.isenabled()))
    with pytest.raises(AttributeError):
        encode("model.onnx")
    assert seen == [False]
    assert gc.isenabled()


def test_it_runs_again_when_the_last_thread_has_left():
    def stay(_: int) -> None:
        with at_rest():
            assert not gc.isenabled()
            sleep(0.001)
            assert not gc.isenabled()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(stay, range(200)))
    assert gc.isenabled()


def test_it_runs_again_after_a_model_that_cannot_be_encoded():
    with pytest.raises(ModelTypeError):
        encode(3)
    assert gc.isenabled()


def test_what_was_off_stays_off():
    gc.disable()
    try:
        with at_rest():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
