"""Real networks: the same outputs as onnxruntime, and the accuracy that their index states."""

import csv
import gzip
import json
import os
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

import onnx_graph
from nas.importer import import_model
from nas.importer.stacking import vmap
from nas.importer.torch_network import Network
from onnx_graph.errors import UnsupportedOperatorError

DATA = Path(os.environ.get("NAS_DATA_DIR", "/nonexistent"))
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="NAS_DATA_DIR is not set to a folder")

# Files that onnxruntime runs and the importer refuses.
REFUSED = {
    "unlabelled/patch-1.onnx": "Slice",  # cuts at positions that it computes from pixels
    "micro/dropout_training_mode_true.onnx": "Dropout",  # random at inference
}


def _index() -> list[dict[str, str]]:
    path = DATA / "onnx" / "onnx_index.csv"
    return list(csv.DictReader(path.read_text().splitlines())) if path.is_file() else []


EVALUATED = [row for row in _index() if row["file"].startswith("evaluated/")]
OTHERS = [row for row in _index() if row["file"].startswith(("unlabelled/", "micro/")) and row["ort_loads"] == "1"]


def _session(file: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(DATA / "onnx" / file), options, providers=["CPUExecutionProvider"])


@cache
def _mnist() -> tuple[np.ndarray, np.ndarray]:
    with gzip.open(DATA / "images/mnist/t10k-images-idx3-ubyte.gz") as images:
        x = np.frombuffer(images.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    with gzip.open(DATA / "images/mnist/t10k-labels-idx1-ubyte.gz") as labels:
        return x.astype(np.float32), np.frombuffer(labels.read(), np.uint8, offset=8)


@cache
def _cifar() -> tuple[np.ndarray, np.ndarray]:
    with np.load(DATA / "images/cifar10_subset.npz") as file:
        return file["x_test"].astype(np.float32), file["y_test"]


# Mean and standard deviation of each preprocessing in the index; None: leave 0..255.
PREPROCESSING = {
    "raw 0..255": None,
    "x/255": (0.0, 1.0),
    "cifar mean/std(0.2470..)": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "(x/255-mean(.485,.456,.406))/.225": ((0.485, 0.456, 0.406), 0.225),
    "mean(.4914..)/std(0.2023..)": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
}


def _examples(row: dict[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """Images as the network takes them, one example each with the leading axis of a batch of one, and labels."""
    x, y = _mnist() if row["dataset"] == "mnist" else _cifar()
    if (statistics := PREPROCESSING[row["preprocess"]]) is not None:
        x = (x / 255 - np.asarray(statistics[0], np.float32)) / np.asarray(statistics[1], np.float32)
    x = {"CHW": lambda: x.transpose(0, 3, 1, 2), "column-major": lambda: x.swapaxes(1, 2)}.get(
        row["layout"], lambda: x
    )()
    shape = [size if isinstance(size, int) else 1 for size in json.loads(row["input_shape"])]
    return np.ascontiguousarray(x.reshape(-1, *shape), np.float32), y


def _outputs(network: Network, x: np.ndarray) -> np.ndarray:
    """Every example by itself, many at once: most of these files state a batch of one."""
    with torch.no_grad():
        run = vmap(lambda x: network(network.parameters, network.buffers, x)[0])
        return torch.cat([run(part) for part in torch.from_numpy(x).split(500)]).numpy()


@pytest.mark.parametrize("row", EVALUATED, ids=lambda row: row["file"])
def test_evaluated_network_equals_onnxruntime(row: dict[str, str]) -> None:
    x, _ = _examples(row)
    picked = x[np.random.default_rng(0).choice(len(x), 24, replace=False)]
    session = _session(row["file"])
    name = session.get_inputs()[0].name
    expected = np.stack([session.run(None, {name: example})[0] for example in picked])
    found = _outputs(import_model(onnx_graph.load(DATA / "onnx" / row["file"])), picked)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * max(1.0, float(np.abs(expected).max())))


@pytest.mark.parametrize("row", [row for row in EVALUATED if row["dataset"] == "mnist"], ids=lambda row: row["file"])
def test_accuracy_on_mnist_is_that_of_the_index(row: dict[str, str]) -> None:
    x, y = _examples(row)
    found = _outputs(import_model(onnx_graph.load(DATA / "onnx" / row["file"])), x)
    correct = int((found.reshape(len(x), -1).argmax(1) == y).sum())
    # Equal to the last of 10,000 images, but for one that float rounding may decide.
    assert abs(correct - round(float(row["test_acc"]) * len(y))) <= 1


# Of the 10,000 test images 1,000 are at hand, so that the reference is onnxruntime on those.
@pytest.mark.parametrize("row", [row for row in EVALUATED if row["dataset"] == "cifar10"], ids=lambda row: row["file"])
def test_accuracy_on_cifar_is_that_of_onnxruntime(row: dict[str, str]) -> None:
    x, y = _examples(row)
    session = _session(row["file"])
    name = session.get_inputs()[0].name
    expected = [session.run(None, {name: example})[0].argmax() for example in x]
    found = _outputs(import_model(onnx_graph.load(DATA / "onnx" / row["file"])), x).reshape(len(x), -1).argmax(1)
    assert (found == y).sum() == (np.array(expected) == y).sum()
    # Near the accuracy on the whole set: three standard errors of a share in 1,000.
    assert abs((found == y).mean() - float(row["test_acc"])) < 0.05


@pytest.mark.parametrize("row", OTHERS, ids=lambda row: row["file"])
def test_other_network_equals_onnxruntime_or_is_refused(row: dict[str, str]) -> None:
    session = _session(row["file"])
    (first, *further), model = session.get_inputs(), onnx_graph.load(DATA / "onnx" / row["file"])
    if further:
        with pytest.raises(onnx_graph.InvalidModelError, match="needs one input"):
            import_model(model)
        return
    if row["file"] in REFUSED:
        with pytest.raises(UnsupportedOperatorError) as caught:
            import_model(model)
        assert caught.value.operator == REFUSED[row["file"]]
        return
    dtype = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64}.get(
        first.type, np.int32
    )
    shape = [size if isinstance(size, int) else 1 for size in first.shape]
    x = (np.random.default_rng(0).uniform(-2, 2, shape)).astype(dtype)
    network = import_model(model)
    found, _ = network(network.parameters, network.buffers, torch.from_numpy(x))
    expected = session.run(None, {first.name: x})[0]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-4 * max(1.0, float(np.abs(expected).max())))
