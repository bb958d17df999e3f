"""What a call process can be asked: to predict, to check a search, to look ahead, to read an upload, to run a winner."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.service.processes.child import described

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

    from nas.engine.plan import SearchPlan
    from predictors import FittedPredictor

MOST_OUTPUTS = 1 << 22
"""Most numbers in the answer of an inference."""


def warm() -> None:
    """Import what every call needs, before anybody waits for it."""
    import optuna
    import torch  # noqa: F401

    import nas.verbs.outlook
    import nas.verbs.predict
    import nas.verbs.search  # noqa: F401

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    _predictor()


def predict(
    models: list[str],
    task: Any = None,
    method: str | None = None,
    nnz: int | None = None,
    weights: Any = None,
    explain: bool = False,
    dataset: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Predictions for files: rows and errors by path. `dataset` (file and target) takes the place of `task`."""
    from nas.verbs.predict import predict_files

    if dataset is not None:
        task = _description(dataset["file"], dataset.get("target"))
    found = predict_files(_predictor(), models, task, method=method, nnz=nnz, weights=weights, explain=explain)
    errors = {path: described(error) for path, error in found.errors.items()}
    return {"rows": [row.to_json() for row in found.rows], "errors": errors}


def check(config: Mapping[str, Any]) -> dict[str, Any]:
    """Check a search; raises all errors of its configuration. Returns its metric, and the remark on a model file's inputs."""
    from nas.study.config import SearchConfig
    from nas.verbs.search import checked

    plan, remark = checked(SearchConfig.from_mapping(config, source="the request"))
    return {"remark": remark, "metric": _metric(plan)}


def ahead(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a search would do, see `nas.verbs.outlook`. A few batches are trained, to measure their time."""
    from nas.study.config import SearchConfig
    from nas.verbs.outlook import outlook
    from nas.verbs.search import checked

    plan, remark = checked(SearchConfig.from_mapping(config, source="the request"))
    return outlook(plan).to_json() | {"remark": remark, "metric": _metric(plan)}


def read_model(file: str) -> dict[str, Any]:
    """Facts about an ONNX file: inputs, outputs, non-zero weights."""
    import onnx_graph

    model = onnx_graph.load(Path(file))
    count = onnx_graph.count(onnx_graph.simplify(model))
    return {
        "inputs": [_value(value) for value in model.graph.inputs if not value.is_initializer()],
        "outputs": [_value(value) for value in model.graph.outputs],
        "weights": count.weights,
        "nnz": count.nnz,
        "params": count.params,
        "macs": count.macs,
    }


def read_dataset(file: str, target: str | None = None) -> dict[str, Any]:
    """Facts about a data set: sizes of the splits, shape of an input, number of outputs, metric."""
    from nas.tasks.registry import load_task

    task = load_task(file, target=target)
    return {
        "train": len(task.train),
        "validation": len(task.validation),
        "test": len(task.test),
        "input_shape": list(task.signature.input_shape),
        "outputs": task.signature.outputs,
        "metric": task.metric,
    }


def names(kind: str) -> list[dict[str, str]]:
    """The names of a kind of `nas list`. Own files are not among them: a request cannot name a file."""
    from nas.verbs.plugins import listed

    rows, _ = listed(kind)
    return [row for row in rows if row["origin"] != "your file"]


def network(file: str) -> dict[str, Any]:
    """The layers of a winner with their non-zeros, and its drawing; the drawing is None if there are too many layers."""
    import onnx_graph
    from nas.measure.inspection import inspect
    from nas.reports.drawing.network import drawing

    model = onnx_graph.simplify(onnx_graph.load(Path(file)))
    count = onnx_graph.count(model)
    layers = [
        {
            "weight": layer["weight"],
            "operator": layer["operator"],
            "shape": layer["shape"],
            "nnz": layer["non-zeros"],
            "density": layer["density"],
            "inputs": layer["fan-in mean"],
            "most_inputs": layer["fan-in max"],
        }
        for layer in inspect(file)["layers"]
    ]
    totals = {"weights": count.weights, "nnz": count.nnz, "params": count.params, "macs": count.macs}
    drawn = drawing(model)
    return totals | {"layers": layers, "drawing": None if drawn is None else str(drawn)}


def session_facts(file: str) -> dict[str, Any]:
    """Inputs and outputs of a winner, as the Open Inference Protocol names them."""
    session = _session(file)
    return {
        "inputs": [_tensor(value) for value in session.get_inputs()],
        "outputs": [_tensor(value) for value in session.get_outputs()],
    }


def infer(file: str, inputs: list[dict[str, Any]], outputs: list[str] | None = None) -> dict[str, Any]:
    """Run a winner with onnxruntime on the tensors of an inference request."""
    import numpy as np

    from nas.errors import UsageError

    session = _session(file)
    known = {value.name: _tensor(value) for value in session.get_inputs()}
    feed = {}
    for tensor in inputs:
        if tensor["name"] not in known:
            raise UsageError(f"there is no input {tensor['name']!r}; the model has {', '.join(known)}")
        if tensor["datatype"] != known[tensor["name"]]["datatype"]:
            expected = known[tensor["name"]]["datatype"]
            raise UsageError(f"input {tensor['name']!r} must be {expected}, got {tensor['datatype']}")
        try:
            feed[tensor["name"]] = np.asarray(tensor["data"], np.float32).reshape(tensor["shape"])
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise UsageError(f"input {tensor['name']!r}: the data do not have the shape {tensor['shape']}") from error
    names = [value.name for value in session.get_outputs()]
    missing = [name for name in known if name not in feed]
    unknown = [name for name in outputs or [] if name not in names]
    if missing or unknown:
        raise UsageError(f"input {missing[0]!r} is missing" if missing else f"there is no output {unknown[0]!r}")
    wanted = outputs or names
    try:
        found = session.run(wanted, feed)
    except Exception as error:  # onnxruntime has no public error classes
        raise UsageError(f"the model cannot answer these inputs: {str(error)[:300]}") from error
    if sum(one.size for one in found) > MOST_OUTPUTS:
        raise UsageError(f"the answer has more than {MOST_OUTPUTS:,} numbers; ask for fewer examples at once")
    return {
        "outputs": [
            {
                "name": name,
                "shape": list(one.shape),
                "datatype": "FP32",
                "data": [value if abs(value) < float("inf") else None for value in one.astype(float).ravel().tolist()],
            }
            for name, one in zip(wanted, found, strict=True)
        ]
    }


CALLS: Mapping[str, Callable[..., Any]] = {
    "predict": predict,
    "check": check,
    "ahead": ahead,
    "read_model": read_model,
    "read_dataset": read_dataset,
    "names": names,
    "network": network,
    "session_facts": session_facts,
    "infer": infer,
}


def _metric(plan: "SearchPlan") -> dict[str, str]:
    """The metric of a search as the API shows it."""
    return {"name": plan.metric.name, "goal": plan.metric.direction, "unit": plan.metric.unit}


@lru_cache(maxsize=1)
def _predictor() -> "FittedPredictor":
    import predictors

    return predictors.load("default")


@lru_cache(maxsize=16)
def _description(file: str, target: str | None) -> dict[str, Any]:
    """The description of a data set, which predictors of several tasks ask for."""
    from nas.tasks.description import describe
    from nas.tasks.registry import load_task

    return dict(describe(load_task(file, target=target)).to_json())


@lru_cache(maxsize=16)
def _session(file: str) -> "InferenceSession":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def _tensor(value: Any) -> dict[str, Any]:
    datatype = "FP32" if value.type == "tensor(float)" else value.type.upper()
    return {"name": value.name, "datatype": datatype, "shape": [_size(size) for size in value.shape]}


def _value(value: Any) -> dict[str, Any]:
    shape = None if value.shape is None else [_size(size) for size in value.shape]
    return {"name": str(value.name), "shape": shape}


def _size(size: Any) -> int:
    """A size of an axis; -1 if it is free."""
    return size if isinstance(size, int) else -1
