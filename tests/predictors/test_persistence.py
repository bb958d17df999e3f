import hashlib
import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

import predictors
from predictors import TaskDescription
from predictors.errors import InvalidPredictorError, InvalidTaskError, ModelTypeError, NotFittedError
from predictors.features.encoder import ENCODING
from predictors.library import persistence
from predictors.models.gnn.gnn import GNNOptions, GNNPredictor
from predictors.testing import synthetic_graphs


@pytest.fixture(scope="module")
def linear():
    return predictors.create("linear").fit(*synthetic_graphs(20))


@pytest.fixture
def saved(linear, tmp_path):
    predictors.save(linear, tmp_path / "linear", provenance={"task": "digits"})
    return tmp_path / "linear"


@pytest.mark.parametrize("name", ["constant", "density", "linear", "forest", "boosted", "gp", "quick", "gnn"])
def test_predictions_are_the_same_after_saving(name, tmp_path):
    graphs, accuracies = synthetic_graphs(20)
    predictor = GNNPredictor(GNNOptions(members=2, steps=10, epochs=1)) if name == "gnn" else predictors.create(name)
    predictor.fit(graphs, accuracies, seed=2)
    predictors.save(predictor, tmp_path / "deep" / name)
    loaded = predictors.load(tmp_path / "deep" / name)
    np.testing.assert_array_equal(loaded.predict(graphs).mean, predictor.predict(graphs).mean)
    np.testing.assert_array_equal(loaded.predict(graphs).std, predictor.predict(graphs).std)
    assert (loaded.name, loaded.training_graphs) == (name, 20)
    assert sorted(path.name for path in (tmp_path / "deep").rglob("*")) == sorted(
        [name, "arrays.npz", "predictor.json"]
    )


DIGITS = TaskDescription(samples=1000, classes=10, inputs=64, one_nn=0.98, linear_probe=0.94)


def test_a_predictor_of_several_tasks_asks_which(tmp_path):
    graphs, accuracies = synthetic_graphs(20)
    other = TaskDescription(samples=9000, classes=7, inputs=7, one_nn=0.4, linear_probe=0.3)
    told = [graph.on(DIGITS if place % 2 else other) for place, graph in enumerate(graphs)]
    lower = np.where(np.arange(20) % 2, accuracies, accuracies / 2)
    predictors.save(
        predictors.create("linear").fit(told, lower), tmp_path / "p", tasks={"digits": DIGITS, "other": other}
    )
    loaded = predictors.load(tmp_path / "p")
    assert loaded.tasks == {"digits": DIGITS, "other": other}
    by_name, by_numbers = loaded.predict(graphs, task="digits"), loaded.predict(graphs, task=DIGITS.to_json())
    np.testing.assert_array_equal(by_name.mean, by_numbers.mean)
    assert by_name.mean.mean() > loaded.predict(graphs, task=other).mean.mean()
    np.testing.assert_array_equal(loaded.predict(told).mean[1::2], by_name.mean[1::2])
    with pytest.raises(InvalidTaskError, match="say which: digits, other"):
        loaded.predict(graphs)
    with pytest.raises(InvalidTaskError, match="no task 'digit'; it knows digits"):
        loaded.predict(graphs, task="digit")
    predictors.save(loaded, tmp_path / "again")
    assert predictors.load(tmp_path / "again").tasks == loaded.tasks


def test_a_predictor_of_one_task_takes_no_other(saved):
    with pytest.raises(InvalidTaskError, match="one task"):
        predictors.load(saved).predict(synthetic_graphs(1)[0], task="digits")


def test_a_loaded_predictor_answers_for_one_and_for_several(saved):
    graphs, _ = synthetic_graphs(3)
    loaded = predictors.load(saved)
    assert loaded.predict(graphs[0]).mean.shape == (1,)
    assert loaded.predict(graphs).std.shape == (3,)
    assert loaded.predict([]).mean.shape == (0,)


MODEL = """
    <ir_version: 10, opset_import: ["": 17]>
    net (float[N, 2] x) => (float[N, 2] y)
    <float[2, 2] W = {WEIGHTS}>
    { y = MatMul(x, W) }
"""


def test_a_loaded_predictor_reads_onnx_files_and_models(saved, tmp_path):
    import onnx

    import onnx_graph

    loaded = predictors.load(saved)
    for name, weights in (("full", "{1, 2, 3, 4}"), ("sparse", "{1, 0, 0, 4}")):
        onnx.save(onnx.parser.parse_model(MODEL.replace("{WEIGHTS}", weights)), tmp_path / f"{name}.onnx")
    full, sparse = tmp_path / "full.onnx", tmp_path / "sparse.onnx"
    one = loaded.predict(str(full))
    assert one.mean.shape == one.std.shape == (1,)
    several = loaded.predict([full, sparse, onnx_graph.load(sparse), predictors.encode(full)])
    np.testing.assert_allclose(several.mean[[0, 1]], several.mean[[3, 2]])
    np.testing.assert_allclose(several.mean[0], one.mean[0])
    with pytest.raises(onnx_graph.InvalidModelError):
        loaded.predict(saved / "predictor.json")


def test_the_description_says_what_it_is(saved):
    description = json.loads((saved / "predictor.json").read_text())
    assert description["format"] == persistence.FORMAT
    assert description["encoding"] == ENCODING
    assert description["name"] == "linear"
    assert description["training_graphs"] == 20
    assert description["provenance"] == {"task": "digits"}
    assert predictors.load(saved).provenance == {"task": "digits"}


def test_saving_a_loaded_predictor_keeps_its_provenance(saved, tmp_path):
    predictors.save(predictors.load(saved), tmp_path / "again")
    assert predictors.load(tmp_path / "again").provenance == {"task": "digits"}


def test_saving_replaces_a_predictor_and_nothing_else(saved, tmp_path):
    graphs, accuracies = synthetic_graphs(20)
    predictors.save(predictors.create("constant").fit(graphs, accuracies), saved)
    assert predictors.load(saved).name == "constant"
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "thesis.txt").write_text("mine")
    for place in ("notes", "notes/thesis.txt"):
        with pytest.raises(InvalidPredictorError, match="is not a saved predictor: choose another folder"):
            predictors.save(predictors.load(saved), tmp_path / place)
    assert (tmp_path / "notes" / "thesis.txt").read_text() == "mine"


def test_saving_an_unfitted_predictor_writes_nothing(tmp_path):
    with pytest.raises(NotFittedError):
        predictors.save(predictors.create("forest"), tmp_path / "forest")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_predictor(saved, monkeypatch):
    def full(self, content):
        raise OSError(28, "No space left on device")

    before = (saved / "arrays.npz").read_bytes()
    predictor = predictors.load(saved)
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        predictors.save(predictor, saved)
    assert (saved / "arrays.npz").read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == ["linear"]


def _rewrite(folder, **changes):
    description = json.loads((folder / "predictor.json").read_text())
    (folder / "predictor.json").write_text(json.dumps({**description, **changes}))


def test_a_folder_that_is_no_predictor(tmp_path):
    for place in (tmp_path, tmp_path / "missing"):
        with pytest.raises(InvalidPredictorError, match=r"is not a saved predictor: predictor.json cannot be read"):
            predictors.load(place)
    (tmp_path / "predictor.json").write_text("{truncated")
    with pytest.raises(InvalidPredictorError, match="is not JSON"):
        predictors.load(tmp_path)
    (tmp_path / "predictor.json").write_text("[1]")
    with pytest.raises(InvalidPredictorError, match="does not describe a saved predictor"):
        predictors.load(tmp_path)


def test_another_format_or_name_is_refused(saved):
    _rewrite(saved, format=1)
    with pytest.raises(InvalidPredictorError, match=f"has format 1, this version reads {persistence.FORMAT}"):
        predictors.load(saved)
    _rewrite(saved, format=persistence.FORMAT, encoding=1)
    with pytest.raises(InvalidPredictorError, match=f"encoding 1 of networks, this version has {ENCODING}"):
        predictors.load(saved)
    _rewrite(saved, encoding=ENCODING, name="oracle")
    with pytest.raises(InvalidPredictorError, match="unknown predictor 'oracle'"):
        predictors.load(saved)


def test_other_features_are_refused_by_name(saved):
    names = json.loads((saved / "predictor.json").read_text())["node_features"]
    _rewrite(saved, node_features=["old_one", *names[1:]])
    with pytest.raises(InvalidPredictorError, match=f"other node features .*gone: old_one; new: {names[0]}"):
        predictors.load(saved)
    _rewrite(saved, node_features=[*names[1:], names[0]])
    with pytest.raises(InvalidPredictorError, match="in another order"):
        predictors.load(saved)


def test_changed_or_truncated_arrays_are_refused(saved):
    content = (saved / "arrays.npz").read_bytes()
    for damaged in (content[:-30], content[:50] + b"x" + content[51:], b""):
        (saved / "arrays.npz").write_bytes(damaged)
        with pytest.raises(InvalidPredictorError, match=r"arrays.npz is damaged"):
            predictors.load(saved)
    (saved / "arrays.npz").unlink()
    with pytest.raises(InvalidPredictorError, match=r"arrays.npz cannot be read"):
        predictors.load(saved)


def test_arrays_that_hold_objects_are_not_unpickled(saved):
    import hashlib

    np.savez(saved / "arrays.npz", intercept=np.array([{"any": "object"}], dtype=object), allow_pickle=True)
    _rewrite(saved, arrays_sha256=hashlib.sha256((saved / "arrays.npz").read_bytes()).hexdigest())
    with pytest.raises(InvalidPredictorError, match="not have the length that its header states"):
        predictors.load(saved)


def test_protobufs_and_generators_are_predicted(saved, tmp_path):
    import onnx

    loaded = predictors.load(saved)
    proto = onnx.parser.parse_model(MODEL.replace("{WEIGHTS}", "{1, 0, 3, 4}"))
    onnx.save(proto, tmp_path / "m.onnx")
    expected = loaded.predict(tmp_path / "m.onnx").mean[0]
    np.testing.assert_allclose(loaded.predict(proto).mean, [expected])
    several = loaded.predict(one for one in (proto, tmp_path / "m.onnx"))
    np.testing.assert_allclose(several.mean, [expected] * 2)


@pytest.mark.parametrize(("models", "kind"), [(3, "int"), ([3.0], "float"), (None, "NoneType"), (b"m.onnx", "bytes")])
def test_what_is_no_model_is_said_to_be_none(saved, models, kind):
    message = f"path of an ONNX file, an onnx_ir.Model, an onnx.ModelProto or a StructureGraph, got {kind}"
    with pytest.raises(ModelTypeError, match=message) as caught:
        predictors.load(saved).predict(models)
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, predictors.PredictorError)


def test_a_run_is_loaded_by_the_predictor_in_it(saved, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.toml").write_text("")
    with pytest.raises(
        InvalidPredictorError, match=r"run is a run without a saved predictor: predictor/predictor\.json is"
    ):
        predictors.load(run)
    predictors.save(predictors.load(saved), run / "predictor")
    assert predictors.load(run).name == "linear"
    (run / "predictor" / "arrays.npz").unlink()
    with pytest.raises(
        InvalidPredictorError, match=r"run/predictor is not a saved predictor: arrays\.npz cannot be read"
    ):
        predictors.load(run)


def _npz(**members: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return content.getvalue()


def _npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, array, allow_pickle=True)
    return content.getvalue()


def _claims(shape: tuple[int, ...]) -> bytes:
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return content.getvalue() + b"12345678"


HOSTILE = {
    "npy": _npy(np.zeros(3)),
    "objects": _npz(weights=_npy(np.array([{"a": 1}], dtype=object))),
    "long": _npz(weights=_claims((10**12,))),
    "short": _npz(weights=_npy(np.zeros(9))[:-8]),
    "text": _npz(weights=b"no array"),
    "nothing": b"",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_strangers_arrays_give_an_error_and_nothing_else(saved, kind):
    _replace_arrays(saved, HOSTILE[kind])
    with pytest.raises(InvalidPredictorError):
        predictors.load(saved)


def test_a_description_of_a_thousand_levels_and_files_that_are_none_are_refused(saved):
    description = saved / "predictor.json"
    whole = description.read_text()
    for value in ("[" * 100_000, '{"format":' + "[" * 900 + "]" * 900 + "}"):
        description.write_text(value)
        with pytest.raises(InvalidPredictorError, match=r"predictor\.json|has format"):
            predictors.load(saved)
    description.unlink()
    os.mkfifo(description)
    with pytest.raises(InvalidPredictorError, match=r"predictor\.json"):
        predictors.load(saved)
    description.unlink()
    description.write_text(whole)
    (saved / "arrays.npz").unlink()
    (saved / "arrays.npz").symlink_to("/dev/zero")
    with pytest.raises(InvalidPredictorError, match=r"arrays\.npz is not a regular file"):
        predictors.load(saved)


def test_arrays_that_inflate_without_end_are_refused(saved, monkeypatch):
    monkeypatch.setattr("predictors.library.persistence.MOST_BYTES", 1000)
    with pytest.raises(InvalidPredictorError, match="memory"):
        predictors.load(saved)


def _replace_arrays(folder: Path, content: bytes) -> None:
    """With a checksum that agrees."""
    (folder / "arrays.npz").write_bytes(content)
    description = json.loads((folder / "predictor.json").read_text())
    description["arrays_sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "predictor.json").write_text(json.dumps(description))


def test_deep_nonsense_in_the_description_is_refused(saved):
    (saved / "predictor.json").write_text("[" * 100_000)
    with pytest.raises(InvalidPredictorError, match="not JSON"):
        predictors.load(saved)
