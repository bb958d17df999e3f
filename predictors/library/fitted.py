"""A fitted predictor with the tasks that it knows: it answers for ONNX files and models, and for structure graphs."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeAlias, overload

import numpy as np

import onnx_graph
from predictors.calibration.support import Support
from predictors.errors import InvalidOriginError, InvalidTargetError, InvalidTaskError
from predictors.features.encoder import in_memory
from predictors.features.matrix import GRAPH_FEATURES
from predictors.library.batch import ModelLike, encode_all
from predictors.library.explanation import Explanation, explain
from predictors.library.persistence import SavedPredictor, read
from predictors.library.unlike import unlike
from predictors.origin import Family, Origin, Weights
from predictors.predictor import Prediction, answering
from predictors.reading.operators import INDEX
from predictors.registry import COST_PREDICTORS
from predictors.structure_graph import StructureGraph
from predictors.task_description import TaskDescription

_SEQUENTIAL = ("rnn", "gru", "lstm", "attention")
METHODS = "methods"
"""Name of the entry of the provenance that lists the methods of the fit's masks."""
LATENCY, TARGETS = "latency", ("accuracy", "latency", "bytes")

Task: TypeAlias = "str | TaskDescription | Mapping[str, object] | None"


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedPredictor(SavedPredictor):
    """A fitted predictor that answers for ONNX files and models as well as for structure graphs."""

    @overload
    def predict(
        self,
        models: "ModelLike | Iterable[ModelLike]",
        *,
        task: Task = None,
        targets: None = None,
        latency: None = None,
        workers: int = 1,
        method: str | None = None,
        weights: Weights | None = None,
        nnz: int | None = None,
    ) -> Prediction: ...

    @overload
    def predict(
        self,
        models: "ModelLike | Iterable[ModelLike]",
        *,
        task: Task = None,
        targets: Sequence[str],
        latency: "FittedPredictor | os.PathLike[str] | str | None" = None,
        workers: int = 1,
        method: str | None = None,
        weights: Weights | None = None,
        nnz: int | None = None,
    ) -> dict[str, Prediction]: ...

    def predict(
        self,
        models: "ModelLike | Iterable[ModelLike]",
        *,
        task: Task = None,
        targets: Sequence[str] | None = None,
        latency: "FittedPredictor | os.PathLike[str] | str | None" = None,
        workers: int = 1,
        method: str | None = None,
        weights: Weights | None = None,
        nnz: int | None = None,
    ) -> Prediction | dict[str, Prediction]:
        """Predict one model or any number: paths of ONNX files, models in memory, or structure graphs; arrays ``(models,)``.

        Args:
            models: the networks.
            task: the task of the networks: a name in `tasks`, or a description. A predictor of several tasks needs it, except for
                structure graphs that hold theirs. A predictor of a single task does not need it, and accepts none if it was fitted
                without a task.
            targets: what to predict, by name: ``accuracy``, ``latency`` in milliseconds, ``bytes`` of the file without metadata
                (exact). Latency and bytes are those of the exported form of the network, with its dead units removed.
            latency: for the target latency: the folder that `nas predictor calibrate-latency` wrote on the machine in question.
            workers: processes that encode files, see `predictors.library.batch.encode_all`.
            method: name of the method that found the masks, if it is known; ``static`` for masks that were drawn.
            weights: accuracy with the weights that the method left (``own``), or with ``fresh`` ones; None covers both.
            nnz: predict what `method` would reach on these dense networks if it kept so many weights.

        Raises:
            onnx_graph.errors.GraphError: the first model that cannot be read, with its path. `predictors.encode_each` gives a graph or an
                error for every file; predict the graphs then.
            ModelTypeError: something that is not a model.
            InvalidTaskError: a task that is missing, unknown, or not wanted.
            InvalidOriginError: `method`, `weights` or `nnz` cannot be, or the predictor was fitted without them.
            InvalidTargetError: an unknown target, latency without a calibration, or latency or bytes of a structure graph.
        """
        origin = self.origin(method=method, weights=weights, nnz=nnz)
        if targets is not None:
            return self._targets(models, targets, task, latency, workers, origin)
        description = self.described(task)
        graphs = encode_all(_several(models), workers=workers)
        if description is not None:
            graphs = [graph if task is None and graph.task is not None else graph.on(description) for graph in graphs]
        elif self.tasks and any(graph.task is None for graph in graphs):
            raise InvalidTaskError(
                f"this predictor knows several tasks; say which: {', '.join(self.tasks)}, or a description"
            )
        prediction = self.predictor.predict(graphs) if origin is None else self._of_origin(graphs, origin)
        return prediction if self.name in COST_PREDICTORS else prediction.possible()

    def origin(
        self,
        *,
        method: str | None = None,
        weights: Weights | None = None,
        nnz: int | None = None,
        family: Family | None = None,
    ) -> Origin | None:
        """What was said about masks and weights; None if nothing was, and the predictor does not need it. Errors as for `predict`.

        `family` is only needed for a method that is not in `predictors.origin.FAMILIES`.
        """
        if method is None and weights is None and nnz is None:
            return Origin() if self.knows_origins else None
        if not self.knows_origins:
            raise InvalidOriginError(
                "this predictor was fitted on networks with drawn masks and fresh weights only: it takes no method, weights or nnz"
            )
        return Origin(method=method, weights=weights, nnz=nnz, family=family)

    @property
    def knows_origins(self) -> bool:
        """Whether the predictor was fitted on masks of methods, with their own and with fresh weights."""
        return bool(self.provenance.get(METHODS))

    @property
    def weights_known(self) -> tuple[Weights, ...]:
        """The weights whose accuracy the predictor tells, where nobody says which: fresh ones, own ones, or both."""
        asked = getattr(self.predictor, "questions", ("fresh", "own"))
        known: tuple[Weights, ...] = tuple(one for one in ("fresh", "own") if one in asked)  # type: ignore[misc]
        return known or ("fresh",)

    def _of_origin(self, graphs: Sequence[StructureGraph], origin: Origin) -> Prediction:
        """Predictions for masks of that origin; where nobody said which weights, an interval that covers all that it knows."""
        graphs = [graph if graph.origin is not None else graph.of_origin(origin) for graph in graphs]
        if all(graph.origin is not None and (graph.origin.weights or graph.origin.nnz) for graph in graphs):
            return self.predictor.predict(graphs)
        said = [
            self.predictor.predict([graph.of_origin(_with(graph.origin, kind)) for graph in graphs])
            for kind in self.weights_known
        ]
        return said[0].joined(said[1]) if len(said) > 1 else said[0]

    def _targets(
        self,
        models: "ModelLike | Iterable[ModelLike]",
        targets: Sequence[str],
        task: Task,
        latency: "FittedPredictor | os.PathLike[str] | str | None",
        workers: int,
        origin: Origin | None,
    ) -> dict[str, Prediction]:
        several = _several(models)
        unknown = [target for target in targets if target not in TARGETS]
        if unknown:
            raise InvalidTargetError(f"no target {unknown[0]!r}; there are {', '.join(TARGETS)}")
        if "accuracy" in targets:
            self.require_accuracy()
        told = {} if origin is None else {"method": origin.method, "weights": origin.weights, "nnz": origin.nnz}
        found = {"accuracy": self.predict(several, task=task, workers=workers, **told)} if "accuracy" in targets else {}  # type: ignore[arg-type]
        if "latency" not in targets and "bytes" not in targets:
            return found
        if any(isinstance(one, StructureGraph) for one in several):
            raise InvalidTargetError(
                "latency and bytes are those of a model without its dead units; give the model itself"
            )
        exported = [onnx_graph.shrink(onnx_graph.simplify(in_memory(one))) for one in several]
        if "latency" in targets:
            if latency is None:
                raise InvalidTargetError(
                    "latency is a machine's: give the folder that `nas predictor calibrate-latency` wrote on it"
                )
            calibration = latency if isinstance(latency, FittedPredictor) else _fitted(read(os.fspath(latency)))
            if calibration.name != LATENCY:
                raise InvalidTargetError(f"predictor {calibration.name!r} predicts no latency")
            found["latency"] = calibration.predict(exported)
        if "bytes" in targets:
            sizes = np.array([float(onnx_graph.size(one)) for one in exported])
            found["bytes"] = Prediction(sizes, np.zeros(len(sizes)), sizes, sizes)
        return found

    def require_accuracy(self) -> None:
        """Raise `InvalidTargetError` if this predictor predicts something other than accuracy."""
        if self.name in COST_PREDICTORS:
            raise InvalidTargetError(f"this predictor predicts {self.name}, not accuracy")

    def tasks_for(self, graph: StructureGraph) -> list[str]:
        """Names of the known tasks that fit a network's inputs and outputs; one name for each task."""
        names: dict[TaskDescription, str] = {}
        for name, task in self.tasks.items():
            if _misfit(graph, task.inputs, task.classes) is None:
                names.setdefault(task, name)
        return list(names.values())

    def misfit(self, graph: StructureGraph, task: Task = None) -> str | None:
        """Reason, in words, why a network's inputs or outputs do not fit a task; None if they fit or are not known.

        Without a task, the predictor's own task is checked, if its sizes are known: a run writes them into the provenance.
        An axis of unknown length counts as 1.
        """
        description = self.described(task)
        if description is not None:
            return _misfit(graph, description.inputs, description.classes)
        inputs, outputs = self.provenance.get("inputs"), self.provenance.get("outputs")
        if not isinstance(inputs, int) or not isinstance(outputs, int) or min(inputs, outputs) < 1:
            return None
        return _misfit(graph, inputs, outputs)

    def unlike(self, graph: StructureGraph) -> str:
        """How a network differs from those of the fit, in words; empty if it does not, or if the predictor does not know."""
        support = getattr(answering(self.predictor, graph), "support", None)
        return unlike(support, graph) if isinstance(support, Support) else ""

    def explain(
        self,
        model: "ModelLike",
        *,
        task: Task = None,
        seed: int = 0,
        origin: Origin | None = None,
    ) -> Explanation:
        """The effects of layers and features on the prediction: see `predictors.library.explanation`."""
        return explain(self.predictor, model, task=self.described(task), seed=seed, origin=origin)

    def described(self, task: Task) -> TaskDescription | None:
        """The description of a task; for None, the task of a predictor that knows only one. `InvalidTaskError` as for `predict`."""
        if task is None:
            known = set(self.tasks.values())
            return known.pop() if len(known) == 1 else None
        if not self.tasks:
            raise InvalidTaskError("this predictor was fitted on networks of one task: it takes no other")
        if isinstance(task, str):
            if task not in self.tasks:
                raise InvalidTaskError(
                    f"this predictor knows no task {task!r}; it knows {', '.join(onnx_graph.nearest(task, self.tasks))}; describe yours by "
                    f"{', '.join(field_.name for field_ in fields(TaskDescription))}"
                )
            return self.tasks[task]
        return task if isinstance(task, TaskDescription) else TaskDescription.from_json(task)


def _several(models: "ModelLike | Iterable[ModelLike]") -> "list[ModelLike]":
    return list(models) if isinstance(models, Iterable) and not isinstance(models, str | bytes) else [models]  # type: ignore[list-item]


def _misfit(graph: StructureGraph, inputs: int, classes: int) -> str | None:
    """Reason why inputs and outputs of a network do not fit a task, for sequences at every step; None if they fit."""
    taken, given = (
        round(float(np.expm1(graph.summary[GRAPH_FEATURES.index(name)]))) for name in ("log_inputs", "log_outputs")
    )
    steps, left = divmod(taken, inputs)
    several = steps > 1 and bool(np.isin(graph.operators, [INDEX[kind] for kind in _SEQUENTIAL]).any())
    if left or not (steps == 1 or several):
        return f"it takes {taken:,} inputs, the task has {inputs:,}"
    if given not in (classes, steps * classes) and (given, classes) != (1, 2):  # one output can distinguish two classes
        return f"it gives {given:,} outputs, the task has {classes:,} classes"
    return None


def _with(origin: Origin | None, weights: Weights) -> Origin:
    """The origin, with these weights if it does not say which and is no plan."""
    known = Origin() if origin is None else origin
    return known if known.weights or known.nnz else replace(known, weights=weights)


def _fitted(saved: SavedPredictor) -> FittedPredictor:
    return FittedPredictor(**vars(saved))
