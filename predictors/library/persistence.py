"""A fitted predictor on disk: a folder with ``predictor.json`` (what it is) and ``arrays.npz`` (its state), nothing pickled.

The feature names are saved with it: a predictor fitted on other features than this version computes is refused, not misread.
"""

import hashlib
import io
import json
import shutil
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from math import prod
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from onnx_graph import remove_stale, temporary_path
from predictors.errors import InvalidPredictorError, InvalidTaskError, UnknownPredictorError
from predictors.features.encoder import ENCODING, READABLE
from predictors.features.matrix import CLASSES, GRAPH_FEATURES, NODE_FEATURES
from predictors.predictor import Predictor, WarmStarted
from predictors.registry import saved_class
from predictors.state import digest
from predictors.task_description import TaskDescription

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

FORMAT = 3
MOST_BYTES = 512 << 20
"""Largest number of bytes in memory for all arrays of a saved predictor together."""
DESCRIPTION, ARRAYS = "predictor.json", "arrays.npz"
MOST_ON_DISK = {DESCRIPTION: 16 << 20, ARRAYS: 512 << 20}
"""Largest number of bytes of each file."""
DEFAULT = "default"
"""Name of the predictor that comes with this package, fitted on the project's corpus."""
INNER, RUN_MARK = "predictor", "config.toml"  # in the folder of a run


@dataclass(frozen=True, kw_only=True, eq=False)
class SavedPredictor:
    """The content of a folder that holds a saved predictor.

    Attributes:
        predictor: the fitted predictor itself.
        training_graphs: number of networks that it was fitted on; 0 if not stated.
        provenance: origin of the predictor, as given to `save`.
        tasks: descriptions of the tasks that it knows, by name; empty if it was fitted without one.
    """

    predictor: Predictor
    training_graphs: int
    provenance: Mapping[str, Json]
    tasks: Mapping[str, TaskDescription] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the predictor."""
        return self.predictor.name


def save(
    predictor: Predictor | SavedPredictor,
    path: Path | str,
    *,
    provenance: Mapping[str, Json] | None = None,
    tasks: Mapping[str, TaskDescription] | None = None,
) -> None:
    """Write a fitted predictor as a folder. It replaces a predictor in that folder; other content there is an error.

    Raises:
        NotFittedError: the predictor is not fitted.
        InvalidPredictorError: `path` is a file, a folder that holds something other than a saved predictor, or ``default``; or the
            predictor starts from a predictor other than the shipped one, which could not be found again.
    """
    if isinstance(predictor, SavedPredictor):
        provenance = predictor.provenance if provenance is None else provenance
        tasks = predictor.tasks if tasks is None else tasks
        predictor = predictor.predictor
    if path == DEFAULT:
        raise InvalidPredictorError(f"{DEFAULT!r} is the shipped predictor's name: choose another, or ./{DEFAULT}")
    _require_known_source(predictor)
    arrays = predictor.arrays()
    target = Path(path)
    require_free(target)
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    description = {
        "format": FORMAT,
        "encoding": ENCODING,
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


def read(path: Path | str) -> SavedPredictor:
    """Read what `save` wrote.

    Args:
        path: the folder that was saved, or one that holds it as ``predictor/``, as the folder of a run does; the text
            ``default`` is the predictor that comes with this package (a folder of that name is ``./default``).

    Raises:
        InvalidPredictorError: not a saved predictor, a damaged one, or one of another format or other features.
    """
    try:
        return deepcopy(_shipped()) if path == DEFAULT else _load(_home(Path(path)))
    except RecursionError as error:  # objects inside objects, a thousand deep
        raise InvalidPredictorError(f"{path} is not a saved predictor: {DESCRIPTION} is nested too deep") from error


def _load(folder: Path) -> SavedPredictor:
    description = _description(folder)
    content = _read(folder, ARRAYS)
    if hashlib.sha256(content).hexdigest() != description.get("arrays_sha256"):
        raise InvalidPredictorError(f"{folder / ARRAYS} is damaged: its checksum is not the one in {DESCRIPTION}")
    try:
        kind = saved_class(str(description.get("name")))
        predictor = kind.from_arrays(_arrays(content))
        if isinstance(predictor, WarmStarted) and predictor.source_digest is not None:
            predictor.attach_source(shipped_predictor())
    except UnknownPredictorError as error:
        raise InvalidPredictorError(f"{folder / DESCRIPTION}: {error}") from error
    except InvalidPredictorError as error:
        raise InvalidPredictorError(f"{folder / ARRAYS}: {error}") from error
    count, provenance = description.get("training_graphs"), description.get("provenance")
    return SavedPredictor(
        predictor=predictor,
        training_graphs=count if isinstance(count, int) else 0,
        provenance=provenance if isinstance(provenance, dict) else {},
        tasks=_tasks(folder, description.get("tasks", {})),
    )


@cache
def _shipped() -> SavedPredictor:
    """What comes with this package, read once. Only copies leave this file, since a predictor can be fitted again."""
    return _load(Path(__file__).parents[1] / DEFAULT)


@cache
def shipped_predictor() -> Predictor:
    """The predictor that comes with this package, read once."""
    return read(DEFAULT).predictor


def _require_known_source(predictor: Predictor) -> None:
    mark = predictor.source_digest if isinstance(predictor, WarmStarted) else None
    if mark is not None and mark != digest(shipped_predictor()):
        raise InvalidPredictorError("a predictor that starts from another one than the shipped one cannot be saved")


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
    if description.get("encoding") not in READABLE:
        raise InvalidPredictorError(
            f"{folder} was fitted on encoding {description.get('encoding')!r} of networks, this version has {ENCODING}: fit it again, "
            f"or use version {description.get('version')}"
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
    """The arrays of an npz archive of limited size; a damaged or hostile file raises `InvalidPredictorError`."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > MOST_BYTES:
                raise InvalidPredictorError(f"it would take more than {MOST_BYTES >> 20} MiB of memory")
            found = {}
            for member in members:
                # Other methods than numpy's take as much memory as the file asks for.
                if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise InvalidPredictorError("it is packed by another method than numpy's")
                with archive.open(member) as file:  # reads no more than the size that was checked
                    found[member.filename.removesuffix(".npy")] = _array(file.read(member.file_size))
            return found
    except InvalidPredictorError:
        raise
    except (
        *(ValueError, OSError, EOFError, KeyError, TypeError, MemoryError),
        *(zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, SyntaxError, tokenize.TokenError),
    ) as error:
        raise InvalidPredictorError(f"not an archive of arrays: {error}") from error


def _array(content: bytes) -> NDArray[np.generic]:
    """One npy file whose header agrees with its length."""
    file = io.BytesIO(content)
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[npy.read_magic(file)]
    shape, columns_first, kind = read(file)
    size = prod(shape) * kind.itemsize
    if kind.hasobject or size != len(content) - file.tell():
        raise InvalidPredictorError("an array does not have the length that its header states")
    flat = np.frombuffer(content, kind, offset=file.tell())
    return flat.reshape(shape, order="F" if columns_first else "C")


def _read(folder: Path, name: str) -> bytes:
    path = folder / name
    try:
        size = path.stat().st_size
        if not path.is_file():  # reading a pipe would block, and reading a device would never end
            raise InvalidPredictorError(f"{path} is not a regular file")
        if size > MOST_ON_DISK[name]:
            raise InvalidPredictorError(f"{path} has {size:,} bytes, expected at most {MOST_ON_DISK[name]:,}")
        return path.read_bytes()
    except OSError as error:
        raise InvalidPredictorError(
            f"{folder} is not a saved predictor: {name} cannot be read ({error.strerror}); expected {DESCRIPTION} and {ARRAYS}"
        ) from error


def _write(target: Path, files: Mapping[str, bytes]) -> None:
    """Write a complete folder under a temporary name, then rename it; an old one is moved aside before and removed afterwards."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_stale(target.parent)
        _write_beside(target, files)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(target)) from error


def _write_beside(target: Path, files: Mapping[str, bytes]) -> None:
    fresh, old = (temporary_path(target, ending) for ending in ("new", "old"))
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
