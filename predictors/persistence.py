"""A fitted predictor on disk: a folder with ``predictor.json`` (what it is) and ``arrays.npz`` (its state), nothing pickled.

The feature names are saved with it: a predictor fitted on other features than this version computes is refused, not misread.
"""

import hashlib
import io
import json
import os
import secrets
import shutil
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib.metadata import PackageNotFoundError, version
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, overload

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

import onnx_graph
from predictors.encoder import encode, in_memory
from predictors.errors import InvalidPredictorError, InvalidTargetError, InvalidTaskError, UnknownPredictorError
from predictors.features import CLASSES, GRAPH_FEATURES, NODE_FEATURES
from predictors.names import nearest
from predictors.predictor import Prediction, Predictor
from predictors.registry import COSTS, saved_class
from predictors.structure_graph import StructureGraph
from predictors.task_description import TaskDescription

if TYPE_CHECKING:
    import onnx
    import onnx_ir as ir

    from predictors.explanation import Explanation

FORMAT = 1
MOST_BYTES = 512 << 20
"""Of all arrays of a saved predictor together, in memory."""
DESCRIPTION, ARRAYS = "predictor.json", "arrays.npz"
LATENCY, TARGETS = "latency", ("accuracy", "latency", "bytes")
INNER, RUN_MARK = "predictor", "config.toml"  # in the folder of a run

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
ModelLike: TypeAlias = "str | os.PathLike[str] | ir.Model | onnx.ModelProto | StructureGraph"
Task: TypeAlias = "str | TaskDescription | Mapping[str, object] | None"


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedPredictor:
    """A predictor that answers for models as well as for structure graphs.

    Attributes:
        predictor: the fitted predictor itself.
        training_graphs: how many networks it was fitted on; 0 where it does not say.
        provenance: what `save` was told about the origin.
        tasks: what it knows of tasks, by name; empty where it was fitted on networks of one task.
    """

    predictor: Predictor
    training_graphs: int
    provenance: Mapping[str, Json]
    tasks: Mapping[str, TaskDescription] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the predictor."""
        return self.predictor.name

    @overload
    def predict(
        self,
        models: "ModelLike | Iterable[ModelLike]",
        *,
        task: Task = None,
        targets: None = None,
        latency: None = None,
    ) -> Prediction: ...

    @overload
    def predict(
        self,
        models: "ModelLike | Iterable[ModelLike]",
        *,
        task: Task = None,
        targets: Sequence[str],
        latency: "FittedPredictor | os.PathLike[str] | str | None" = None,
    ) -> dict[str, Prediction]: ...

    def predict(
        self,
        models: "ModelLike | Iterable[ModelLike]",
        *,
        task: Task = None,
        targets: Sequence[str] | None = None,
        latency: "FittedPredictor | os.PathLike[str] | str | None" = None,
    ) -> Prediction | dict[str, Prediction]:
        """Predict one model or any number: paths of ONNX files, models in memory, or structure graphs; arrays ``(models,)``.

        Args:
            models: the networks.
            task: what they are for: a name in `tasks`, or a description. A predictor of several tasks needs it, except for
                structure graphs that have theirs; one of a single task takes none.
            targets: several things at once, by name: ``accuracy``, ``latency`` in milliseconds, ``bytes`` of the file without
                metadata (exact). The last two are those of the network in the form that it is exported in, its dead units removed.
            latency: for that target: what `nas predictor calibrate-latency` wrote on the machine that is asked about.

        Raises:
            onnx_graph.errors.GraphError: a model that cannot be read.
            ModelTypeError: something that is no model.
            InvalidTaskError: a task that is missing, unknown, or not wanted.
            InvalidTargetError: another target, latency without a calibration, or bytes of a structure graph.
        """
        if targets is not None:
            return self._targets(models, targets, task, latency)
        description = self.described(task)
        several = models if isinstance(models, Iterable) and not isinstance(models, str | bytes) else [models]
        graphs = [one if isinstance(one, StructureGraph) else encode(one) for one in several]
        if description is not None:
            graphs = [graph.on(description) for graph in graphs]
        elif self.tasks and any(graph.task is None for graph in graphs):
            raise InvalidTaskError(
                f"this predictor knows several tasks; say which: {', '.join(self.tasks)}, or a description"
            )
        return self.predictor.predict(graphs)

    def _targets(
        self,
        models: "ModelLike | Iterable[ModelLike]",
        targets: Sequence[str],
        task: Task,
        latency: "FittedPredictor | os.PathLike[str] | str | None",
    ) -> dict[str, Prediction]:
        several = list(models) if isinstance(models, Iterable) and not isinstance(models, str | bytes) else [models]
        unknown = [target for target in targets if target not in TARGETS]
        if unknown:
            raise InvalidTargetError(f"no target {unknown[0]!r}; there are {', '.join(TARGETS)}")
        if "accuracy" in targets and self.name in COSTS:
            raise InvalidTargetError(f"this predictor predicts {self.name}, not accuracy")
        found = {"accuracy": self.predict(several, task=task)} if "accuracy" in targets else {}
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
            calibration = latency if isinstance(latency, FittedPredictor) else load(os.fspath(latency))
            if calibration.name != LATENCY:
                raise InvalidTargetError(f"predictor {calibration.name!r} predicts no latency")
            found["latency"] = calibration.predict(exported)
        if "bytes" in targets:
            sizes = np.array([float(onnx_graph.size(one)) for one in exported])
            found["bytes"] = Prediction(sizes, np.zeros(len(sizes)), sizes, sizes)
        return found

    def explain(
        self,
        model: "ModelLike",
        *,
        task: Task = None,
        seed: int = 0,
    ) -> "Explanation":
        """Which layers and which features moved the prediction: see `predictors.explanation`."""
        from predictors.explanation import explain

        return explain(self, model, task=task, seed=seed)

    def described(self, task: Task) -> TaskDescription | None:
        """The description of a task; None for none. `InvalidTaskError` as for `predict`."""
        if task is None:
            return None
        if not self.tasks:
            raise InvalidTaskError("this predictor was fitted on networks of one task: it takes no other")
        if isinstance(task, str):
            if task not in self.tasks:
                raise InvalidTaskError(
                    f"this predictor knows no task {task!r}; it knows {', '.join(nearest(task, self.tasks))}; describe yours by "
                    f"{', '.join(field_.name for field_ in fields(TaskDescription))}"
                )
            return self.tasks[task]
        return task if isinstance(task, TaskDescription) else TaskDescription.from_json(task)


def save(
    predictor: Predictor | FittedPredictor,
    path: Path | str,
    *,
    provenance: Mapping[str, Json] | None = None,
    tasks: Mapping[str, TaskDescription] | None = None,
) -> None:
    """Write a fitted predictor as a folder, in place of a predictor that is there; anything else there is an error.

    Raises:
        NotFittedError: the predictor is not fitted.
        InvalidPredictorError: `path` is a file, or a folder that holds something other than a saved predictor.
    """
    if isinstance(predictor, FittedPredictor):
        provenance = predictor.provenance if provenance is None else provenance
        tasks = predictor.tasks if tasks is None else tasks
        predictor = predictor.predictor
    arrays = predictor.arrays()
    target = Path(path)
    require_free(target)
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    description = {
        "format": FORMAT,
        "name": predictor.name,
        "version": _package_version(),
        "training_graphs": int(arrays["training_graphs"]) if "training_graphs" in arrays else 0,
        "provenance": dict(provenance or {}),
        "tasks": {name: task.to_json() for name, task in (tasks or {}).items()},
        "arrays_sha256": hashlib.sha256(content.getvalue()).hexdigest(),
        **_features(),
    }
    _write(target, {DESCRIPTION: (json.dumps(description, indent=1) + "\n").encode(), ARRAYS: content.getvalue()})


def require_free(path: Path | str) -> None:
    """`InvalidPredictorError` if `save` may not write there: only a saved predictor or an empty folder is replaced."""
    target = Path(path)
    free = not target.exists() or (
        target.is_dir() and {entry.name for entry in target.iterdir()} <= {DESCRIPTION, ARRAYS}
    )
    if not free:
        raise InvalidPredictorError(f"{target} exists and is not a saved predictor: choose another folder")


def load(path: Path | str) -> FittedPredictor:
    """Read what `save` wrote.

    Args:
        path: the folder that was saved, or one that holds it as ``predictor/``, as the folder of a run does.

    Raises:
        InvalidPredictorError: not a saved predictor, a damaged one, or one of another format or other features.
    """
    folder = _home(Path(path))
    description = _description(folder)
    content = _read(folder, ARRAYS)
    if hashlib.sha256(content).hexdigest() != description.get("arrays_sha256"):
        raise InvalidPredictorError(f"{folder / ARRAYS} is damaged: its checksum is not the one in {DESCRIPTION}")
    try:
        kind = saved_class(str(description.get("name")))
        predictor = kind.from_arrays(_arrays(content))
    except UnknownPredictorError as error:
        raise InvalidPredictorError(f"{folder / DESCRIPTION}: {error}") from error
    except InvalidPredictorError as error:
        raise InvalidPredictorError(f"{folder / ARRAYS}: {error}") from error
    count, provenance = description.get("training_graphs"), description.get("provenance")
    return FittedPredictor(
        predictor=predictor,
        training_graphs=count if isinstance(count, int) else 0,
        provenance=provenance if isinstance(provenance, dict) else {},
        tasks=_tasks(folder, description.get("tasks", {})),
    )


def _tasks(folder: Path, told: Json) -> dict[str, TaskDescription]:
    try:
        if not isinstance(told, dict):
            raise InvalidTaskError("tasks must be named")
        return {name: TaskDescription.from_json(task) for name, task in told.items()}
    except InvalidTaskError as error:
        raise InvalidPredictorError(f"{folder / DESCRIPTION} is damaged: {error}") from error


def _home(folder: Path) -> Path:
    """The folder itself, or its ``predictor/``."""
    if (folder / DESCRIPTION).is_file():
        return folder
    if (folder / INNER).is_dir():
        return folder / INNER
    if (folder / RUN_MARK).is_file():
        raise InvalidPredictorError(
            f"{folder} is a run without a saved predictor: {INNER}/{DESCRIPTION} is missing, as its search used no "
            f"predictor, trained too few networks or is not finished"
        )
    return folder


def _description(folder: Path) -> dict[str, Json]:
    try:
        description = json.loads(_read(folder, DESCRIPTION).decode())
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise InvalidPredictorError(f"{folder / DESCRIPTION} is not JSON: {error}") from error
    if not isinstance(description, dict) or "format" not in description:
        raise InvalidPredictorError(f"{folder / DESCRIPTION} does not describe a saved predictor")
    if description["format"] != FORMAT:
        raise InvalidPredictorError(
            f"{folder} has format {description['format']!r}, this version reads {FORMAT}: fit it again"
        )
    for kind, names in _features().items():
        if description.get(kind) != names:
            raise InvalidPredictorError(
                f"{folder} was fitted on other {kind.replace('_', ' ')} than this version computes"
                f" ({_difference(description.get(kind), names)}): fit it again, or use version {description.get('version')}"
            )
    return description


def _features() -> dict[str, list[str]]:
    return {
        "node_features": list(NODE_FEATURES),
        "graph_features": list(GRAPH_FEATURES),
        "operator_classes": list(CLASSES),
    }


def _difference(saved: Json, names: list[str]) -> str:
    if not isinstance(saved, list):
        return "none are named"
    gone = [str(name) for name in saved if name not in names]
    new = [name for name in names if name not in saved]
    parts = [f"{label} {', '.join(found[:5])}" for label, found in (("gone:", gone), ("new:", new)) if found]
    return "; ".join(parts) or "in another order"


def _arrays(content: bytes) -> dict[str, NDArray[np.generic]]:
    """The arrays of an npz archive that claims no more memory than it may; a stranger's file gives an error, nothing else."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > MOST_BYTES:
                raise InvalidPredictorError(f"it would take more than {MOST_BYTES >> 20} MiB of memory")
            found = {}
            for member in members:
                with archive.open(member) as file:  # no more is read than was promised
                    found[member.filename.removesuffix(".npy")] = _array(file.read(member.file_size))
            return found
    except InvalidPredictorError:
        raise
    except (
        *(ValueError, OSError, EOFError, KeyError, TypeError, MemoryError),
        *(zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError),
    ) as error:
        raise InvalidPredictorError(f"not an archive of arrays: {error}") from error


def _array(content: bytes) -> NDArray[np.generic]:
    """One npy file whose header agrees with its length."""
    file = io.BytesIO(content)
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[npy.read_magic(file)]
    shape, columns_first, kind = read(file)
    size = prod(shape) * kind.itemsize
    if kind.hasobject or size != len(content) - file.tell():
        raise InvalidPredictorError("an array is not as long as it says")
    flat = np.frombuffer(content, kind, offset=file.tell())
    return flat.reshape(shape, order="F" if columns_first else "C")


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise InvalidPredictorError(
            f"{folder} is not a saved predictor: {name} cannot be read ({error.strerror}); expected {DESCRIPTION} and {ARRAYS}"
        ) from error


def _write(target: Path, files: Mapping[str, bytes]) -> None:
    """A complete folder under a temporary name first, then renamed; an old one is moved aside before and removed after."""
    target.parent.mkdir(parents=True, exist_ok=True)
    mark = f".{os.getpid()}-{secrets.token_hex(4)}"
    fresh, old = target.with_name(f".{target.name}{mark}.new"), target.with_name(f".{target.name}{mark}.old")
    fresh.mkdir()
    try:
        for name, content in files.items():
            (fresh / name).write_bytes(content)
        if target.exists():
            target.rename(old)
        fresh.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        if old.exists() and not target.exists():
            old.rename(target)
        shutil.rmtree(fresh, ignore_errors=True)


def _package_version() -> str:
    try:
        return version("nas-sparse")
    except PackageNotFoundError:
        return "unknown"
