"""Checks of a predictor's fitted state: valid training sets, and valid saved arrays."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from predictors.errors import InvalidPredictorError, InvalidTrainingSetError, ModelTypeError, NotFittedError
from predictors.structure_graph import StructureGraph


class HasArrays(Protocol):
    """An object with a state as named arrays, like a `Predictor`."""

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The state by name."""


Arrays = dict[str, NDArray[np.generic]]
State = TypeVar("State")
LARGEST = 1e32
"""Largest magnitude of a saved number; larger ones overflow in single precision."""
SEPARATOR = "/"
"""Separator between a member's name and the name of its array."""


def check_training(graphs: Sequence[StructureGraph], accuracies: ArrayLike) -> NDArray[np.float64]:
    """The accuracies as float64 ``(networks,)``.

    Raises:
        ModelTypeError: `graphs` is not a collection of structure graphs.
        InvalidTrainingSetError: there is not one accuracy in [0, 1] for each of at least two graphs.
    """
    _require_graphs(graphs)
    return check_accuracies(len(graphs), accuracies)


def check_accuracies(count: int, accuracies: ArrayLike) -> NDArray[np.float64]:
    """The accuracies as float64 ``(networks,)``; raises `InvalidTrainingSetError` like `check_training`."""
    targets = np.asarray(accuracies, np.float64)
    if targets.shape != (count,):
        raise InvalidTrainingSetError(f"{count} graphs need accuracies of shape ({count},), got {targets.shape}")
    if len(targets) < 2:
        raise InvalidTrainingSetError(f"a predictor is fitted on at least 2 networks, got {len(targets)}")
    wrong = ~((targets >= 0) & (targets <= 1))  # NaN is wrong too
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        raise InvalidTrainingSetError(
            f"accuracy {targets[place]} of network {place} is not in [0, 1]; give shares, not per cent"
        )
    return targets


def _require_graphs(graphs: object) -> None:
    if not isinstance(graphs, Collection) or isinstance(graphs, str | bytes):
        raise ModelTypeError(f"a predictor is fitted on a list of structure graphs, got {type(graphs).__name__}")
    for place, graph in enumerate(graphs):
        if not isinstance(graph, StructureGraph):
            raise ModelTypeError(
                f"a predictor is fitted on structure graphs, but network {place} is of type {type(graph).__name__}: "
                "give predictors.encode(network), for an ONNX file or a model in memory"
            )


def require_fitted(state: State | None, name: str) -> State:
    """The state; `NotFittedError` if there is none."""
    if state is None:
        raise NotFittedError(f"predictor {name!r} is not fitted: call fit first, or predictors.load a saved one")
    return state


def array(
    arrays: Mapping[str, NDArray[np.generic]], name: str, kind: str, shape: tuple[int | None, ...]
) -> NDArray[np.generic]:
    """A saved array, checked: its dtype kind (``f``, which must be finite, or ``i``) and its shape, with None for any length."""
    if name not in arrays:
        raise InvalidPredictorError(
            f"saved predictor lacks array {name!r}; it holds {', '.join(sorted(arrays)) or 'none'}"
        )
    value = arrays[name]
    fits = value.ndim == len(shape) and all(want in (None, have) for want, have in zip(shape, value.shape, strict=True))
    if value.dtype.kind != kind or not fits:
        raise InvalidPredictorError(
            f"saved array {name!r} has type {value.dtype} and shape {value.shape}, not kind {kind!r} and shape {shape}"
        )
    if kind == "f" and not (np.abs(value.astype(np.float64)) <= LARGEST).all():  # NaN neither
        raise InvalidPredictorError(f"saved array {name!r} holds values that are not finite")
    return value


def positive(
    arrays: Mapping[str, NDArray[np.generic]], name: str, shape: tuple[int | None, ...]
) -> NDArray[np.generic]:
    """Like `array`, for floats that must all be positive."""
    value = array(arrays, name, "f", shape)
    if not (value > 0).all():  # type: ignore[operator]
        raise InvalidPredictorError(f"saved array {name!r} holds values that are not positive")
    return value


def number(arrays: Mapping[str, NDArray[np.generic]], name: str, *, low: float = -np.inf) -> float:
    """A saved scalar ≥ `low`, checked."""
    kind = arrays[name].dtype.kind if name in arrays else "f"
    value = float(array(arrays, name, "i" if kind == "i" else "f", ()))  # type: ignore[arg-type]
    if value < low:
        raise InvalidPredictorError(f"saved value {name!r} is {value}, below {low}")
    return value


def joined(members: Mapping[str, Mapping[str, NDArray[np.generic]]]) -> Arrays:
    """Arrays of several members in one mapping, each under ``member/array``."""
    return {f"{member}{SEPARATOR}{name}": value for member, own in members.items() for name, value in own.items()}


def divided(arrays: Mapping[str, NDArray[np.generic]], names: Iterable[str]) -> dict[str, Arrays]:
    """The inverse of `joined`; `InvalidPredictorError` for an array that belongs to no member."""
    parts: dict[str, Arrays] = {name: {} for name in names}
    for key, value in arrays.items():
        member, _, name = key.partition(SEPARATOR)
        if member not in parts:
            raise InvalidPredictorError(f"saved ensemble holds array {key!r}, of no member: {', '.join(parts)}")
        parts[member][name] = value
    return parts


def digest(predictor: HasArrays) -> bytes:
    """SHA-256 of a fitted state, 32 bytes: names, types, shapes and bytes of its arrays."""
    found = hashlib.sha256()
    for name, value in sorted(predictor.arrays().items()):
        found.update(f"{name} {value.dtype} {value.shape}".encode() + np.ascontiguousarray(value).tobytes())
    return found.digest()
