import gc
from concurrent.futures import ThreadPoolExecutor
from time import sleep

import onnx
import pytest

import onnx_graph
from onnx_graph.collector import at_rest


def test_the_collector_rests_inside_and_runs_again_after_it():
    assert gc.isenabled()
    with at_rest():
        assert not gc.isenabled()
        with at_rest():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


@pytest.mark.parametrize("read", ["load", "from_proto"])
def test_it_rests_while_a_model_is_read(monkeypatch, tmp_path, read):
    seen = []

    def fail(_: object) -> None:
        seen.append(gc.isenabled())
        raise onnx_graph.InvalidModelError("no")

    monkeypatch.setattr("onnx_graph.soundness.check", fail)
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx.ModelProto(ir_version=10).SerializeToString())
    with pytest.raises(onnx_graph.InvalidModelError):
        onnx_graph.load(path) if read == "load" else onnx_graph.from_proto(onnx.ModelProto())
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


def test_what_was_off_stays_off():
    gc.disable()
    try:
        with at_rest():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
