"""A library call changes nothing around it: collector, threads, logging, warnings, environment, streams, random generators."""

import gc
import locale
import logging
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import onnx_ir as ir
import pytest
import threadpoolctl
import torch

import nas
import onnx_graph
import predictors
from nas.study.config import SearchConfig
from nas.tasks import TASKS, load_task
from nas.training import (
    TrainingOptions,
    apply_result,
    evaluate,
    masked_model,
    train,
    train_population,
)
from nas.verbs.search import resume, search
from predictors.models.gnn.gnn import GNNOptions, GNNPredictor
from predictors.testing import synthetic_graphs
from search_spaces import Signature
from search_spaces.registry import create

ONE_EPOCH = TrainingOptions(epochs=1)


def state() -> dict[str, Any]:
    """State that belongs to the process or to the calling thread, not to a library."""
    with ThreadPoolExecutor(1) as pool:
        threads_of_a_new_thread = pool.submit(torch.get_num_threads).result()
    return {
        "collector": (gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()),
        "threads": {one["filepath"]: one["num_threads"] for one in threadpoolctl.threadpool_info()},
        "threads of torch": (torch.get_num_threads(), torch.get_num_interop_threads(), threads_of_a_new_thread),
        "settings of torch": (
            torch.is_grad_enabled(),
            torch.is_inference_mode_enabled(),
            torch.get_default_dtype(),
            torch.get_float32_matmul_precision(),
            torch.are_deterministic_algorithms_enabled(),
        ),
        "logging": (logging.root.level, list(logging.root.handlers), logging.root.manager.disable),
        "loggers": {name: one.level for name, one in _loggers().items()},
        "warnings": (list(warnings.filters), warnings.showwarning),
        "environment": dict(os.environ),
        "streams": (sys.stdin, sys.stdout, sys.stderr),
        "hooks": (sys.excepthook, threading.excepthook, sys.gettrace(), signal.getsignal(signal.SIGINT)),
        "limits": (
            sys.getrecursionlimit(),
            sys.getswitchinterval(),
            os.getcwd(),
            list(sys.path),
            locale.setlocale(locale.LC_ALL),
        ),
        "numpy errors": np.geterr(),
        "figures": (mpl.get_backend(), dict(mpl.rcParams)),
        "generators": (torch.get_rng_state().numpy().tobytes(), str(np.random.get_state()), random.getstate()),
    }


def _loggers() -> dict[str, logging.Logger]:
    return {name: one for name, one in logging.root.manager.loggerDict.items() if isinstance(one, logging.Logger)}


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """The differences by name; only for libraries and loggers that existed before."""
    found = {}
    for name, value in before.items():
        now = after[name]
        if name in ("threads", "loggers"):
            now = {key: now[key] for key in value}
        if now != value:
            found[name] = (value, now)
    return found


class Things:
    """The models and tasks of the calls."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.task = load_task("digits", subset=120)
        space = create("mlp", self.task.signature)
        rng = np.random.default_rng(0)
        self.candidate = space.sample(rng)
        self.models: list[ir.Model] = [space.build(space.sample(rng)) for _ in range(2)]
        images = create("cnn", Signature(input_shape=(1, 8, 8), outputs=10))
        self.convolutional: ir.Model = images.build(images.sample(rng))
        self.file = folder / "model.onnx"
        onnx_graph.save(self.models[0], self.file)
        self.graphs, self.accuracies = synthetic_graphs(24)
        self.gnn = GNNPredictor(GNNOptions(members=2, hidden=8, steps=3, epochs=1))
        self.default = predictors.load("default")

    def fitted(self, name: str) -> Callable[[], object]:
        return lambda: predictors.create(name).fit(self.graphs, self.accuracies).predict(self.graphs)


@pytest.fixture(scope="module")
def things(tmp_path_factory: pytest.TempPathFactory) -> Things:
    made = Things(tmp_path_factory.mktemp("things"))
    # What other libraries set when they are imported is their own affair: it happens before the calls.
    import onnxruntime  # noqa: F401
    import onnxscript.optimizer  # noqa: F401
    import optuna  # noqa: F401
    import sklearn.ensemble  # noqa: F401
    import torch_geometric.data  # noqa: F401

    return made


def _refused(model: ir.Model) -> None:
    with pytest.raises(onnx_graph.CutError):
        onnx_graph.cut_layers(model, 1)


CALLS: dict[str, Callable[[Things], Callable[[], object]]] = {
    "onnx_graph.load": lambda t: lambda: onnx_graph.load(t.file),
    "onnx_graph.save": lambda t: lambda: onnx_graph.save(t.models[0], t.folder / "other.onnx"),
    "onnx_graph.from_proto": lambda t: lambda: onnx_graph.from_proto(ir.to_proto(t.models[0])),
    "onnx_graph.size": lambda t: lambda: onnx_graph.size(t.models[0]),
    "onnx_graph.count": lambda t: lambda: onnx_graph.count(t.convolutional),
    "onnx_graph.weights": lambda t: lambda: onnx_graph.weights(t.convolutional),
    "onnx_graph.masks": lambda t: lambda: onnx_graph.masks(t.convolutional),
    "onnx_graph.set_weights": lambda t: lambda: onnx_graph.set_weights(t.models[0].clone(), {}),
    "onnx_graph.simplify": lambda t: lambda: onnx_graph.simplify(t.convolutional),
    "onnx_graph.liveness": lambda t: lambda: onnx_graph.liveness(t.convolutional),
    "onnx_graph.effective_masks": lambda t: lambda: onnx_graph.effective_masks(t.convolutional),
    "onnx_graph.dead_units": lambda t: lambda: onnx_graph.dead_units(t.convolutional),
    "onnx_graph.trim": lambda t: lambda: onnx_graph.trim(t.convolutional.clone()),
    "onnx_graph.shrink": lambda t: lambda: onnx_graph.shrink(t.convolutional),
    "onnx_graph.cut_layers, refused": lambda t: lambda: _refused(t.models[0]),
    "search_spaces.create": lambda t: lambda: create("rnn", Signature(input_shape=(5, 3), outputs=2)),
    "SearchSpace.build": lambda t: lambda: create("mlp", t.task.signature).build(t.candidate),
    "predictors.encode": lambda t: lambda: [predictors.encode(t.file), predictors.encode(t.convolutional)],
    "predictors.encode_all": lambda t: lambda: predictors.encode_all([*t.models, t.file]),
    "predictors.load": lambda t: lambda: predictors.load("default"),
    "FittedPredictor.predict": lambda t: lambda: t.default.predict([t.file, *t.models], task="digits"),
    "FittedPredictor.explain": lambda t: lambda: t.default.explain(t.file, task="digits"),
    "GNNPredictor.fit": lambda t: lambda: t.gnn.fit(t.graphs, t.accuracies),
    "predictors.save": lambda t: lambda: predictors.save(t.default, t.folder / "predictor"),
    "StructureGraph.to_hetero_data": lambda t: t.graphs[0].to_hetero_data,
    "tasks.load_task": lambda t: lambda: load_task("digits"),
    "tasks.TASKS": lambda t: TASKS.listed,
    "training.train": lambda t: lambda: apply_result(t.models[0], train(t.models[0], t.task, ONE_EPOCH)),
    "training.train, images": lambda t: (
        lambda: train(t.convolutional, load_task("digits", subset=60), ONE_EPOCH, method="snip")
    ),
    "training.train_population": lambda t: lambda: train_population(t.models * 8, t.task, ONE_EPOCH, seeds=range(16)),
    "training.evaluate": lambda t: lambda: evaluate(t.models[0], t.task, t.task.validation),
    "training.masked_model": lambda t: lambda: masked_model(t.models[0], "snip", density=0.1, task=t.task),
}
CALLS |= {
    f"{name}.fit": lambda t, name=name: t.fitted(name)  # type: ignore[misc]
    for name in ("constant", "density", "linear", "forest", "boosted", "gp", "quick")
}


def _check(call: Callable[[], object]) -> None:
    before = state()
    call()
    assert changes(before, state()) == {}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_leaves_the_process_as_it_was(name, things):
    _check(CALLS[name](things))


@pytest.mark.filterwarnings("ignore")
def test_turning_a_module_into_a_graph_leaves_the_process_as_it_was(things):
    """torch's exporter takes seconds for any module."""
    module = torch.nn.utils.skip_init(torch.nn.Linear, 4, 3)
    nas.from_torch(module, torch.ones(2, 4))  # its first call in a process configures loggers of its own
    _check(lambda: nas.from_torch(module, torch.ones(2, 4)))


def test_a_search_leaves_the_process_as_it_was(things):
    """The same check for a whole search with its report, which takes seconds."""
    out = things.folder / "run"
    config = SearchConfig(
        task="digits",
        subset=120,
        constraint=("nnz<=400",),
        strategy="evolution",
        trainings=4,
        round=2,
        screen=4,
        epochs=1,
        repeats=1,
        predictor="none",
    )
    _check(lambda: search(config, out))
    _check(lambda: resume(out, trainings=5))


@pytest.mark.parametrize(
    "name", ["onnx_graph.load", "predictors.encode", "FittedPredictor.predict", "GNNPredictor.fit", "gp.fit"]
)
def test_nothing_is_changed_for_a_while_either(name, things, monkeypatch):
    """Other threads of a program would see a setting that is changed and restored within the call."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a setting of the process was changed")

    monkeypatch.setattr(gc, "disable", refuse)
    monkeypatch.setattr(gc, "freeze", refuse)
    monkeypatch.setattr(gc, "set_threshold", refuse)
    monkeypatch.setattr(logging, "disable", refuse)
    monkeypatch.setattr(logging.Logger, "setLevel", refuse)
    monkeypatch.setattr(torch, "set_num_threads", refuse)
    monkeypatch.setattr(torch, "manual_seed", refuse)
    monkeypatch.setattr(np.random, "seed", refuse)
    monkeypatch.setattr(random, "seed", refuse)
    for controller in (threadpoolctl.OpenBLASController, threadpoolctl.MKLController, threadpoolctl.BLISController):
        monkeypatch.setattr(controller, "set_num_threads", refuse)
    CALLS[name](things)()


def test_a_state_that_changed_is_noticed():
    before = state()
    np.random.random()
    gc.disable()
    os.environ["NAS_TEST_STATE"] = "1"
    try:
        assert set(changes(before, state())) == {"generators", "collector", "environment"}
    finally:
        gc.enable()
        del os.environ["NAS_TEST_STATE"]
