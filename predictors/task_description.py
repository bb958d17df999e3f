"""The description of a task for a predictor: how much data, how many classes, and the accuracy of two simple classifiers."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictors.errors import InvalidTaskError

MOST_INPUTS = 1_000_000
"""Most inputs whose relevance a description may hold."""
TASK_FEATURES = ("log_samples", "log_classes", "log_inputs", "one_nn_error", "linear_probe_error")


@dataclass(frozen=True, kw_only=True)
class TaskDescription:
    """A task in five numbers, and one number for every input if they are known.

    Attributes:
        samples: training examples; for sequences with an answer at every step, the number of steps.
        classes: number of outputs to choose from.
        inputs: numbers in one example; for sequences, in one step.
        one_nn: held-out accuracy of the nearest neighbour, in [0, 1].
        linear_probe: held-out accuracy of a linear classifier on the inputs (ridge), in [0, 1].
        relevance: how much each of these inputs alone tells about the answer, in [0, 1]: the share of its variance between the
            classes (η²). Empty if it is not known.
    """

    samples: int
    classes: int
    inputs: int
    one_nn: float
    linear_probe: float
    relevance: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse values that no task can have."""
        sizes = (self.samples, self.classes, self.inputs)
        if not all(1 <= size < 2**53 for size in sizes):
            raise InvalidTaskError(f"samples, classes and inputs of a task must be ≥ 1 and below 2**53, got {sizes}")
        if not (0 <= self.one_nn <= 1 and 0 <= self.linear_probe <= 1):
            raise InvalidTaskError(
                f"one_nn and linear_probe are accuracies in [0, 1], got {self.one_nn} and {self.linear_probe}"
            )
        if not all(0 <= share <= 1 for share in self.relevance):
            raise InvalidTaskError("the relevance of an input is a number in [0, 1]")

    def features(self) -> NDArray[np.float64]:
        """`TASK_FEATURES`, float64 ``(5,)``; errors are given as logarithms, and are at least .001 before."""
        errors = [np.log(max(1.0 - accuracy, 1e-3)) for accuracy in (self.one_nn, self.linear_probe)]
        return np.array([np.log(self.samples), np.log(self.classes), np.log(self.inputs), *errors])

    def to_json(self) -> dict[str, Any]:
        """The description as plain JSON values; without a relevance that is not known."""
        found = asdict(self)
        relevance = list(found.pop("relevance"))
        return found | ({"relevance": relevance} if relevance else {})

    @classmethod
    def from_json(cls, data: object) -> "TaskDescription":
        """Read a description from `to_json` or from a user; `InvalidTaskError` names missing or wrong values."""
        if not isinstance(data, Mapping):
            raise InvalidTaskError(f"a task is described by {', '.join(_KINDS)}, got {data!r}")
        unknown = sorted(set(data) - set(_KINDS) - {"relevance"})
        missing = sorted(set(_KINDS) - set(data))
        if unknown or missing:
            what = f"takes no {unknown[0]!r}" if unknown else f"lacks {missing[0]!r}"
            raise InvalidTaskError(f"a task description {what}; it takes {', '.join(_KINDS)}")
        for name, kind in _KINDS.items():
            value = data[name]
            wrong = isinstance(value, bool) or not isinstance(value, int if kind is int else (int, float))
            if wrong or (kind is float and not 0 <= value <= 1):
                raise InvalidTaskError(
                    f"{name} of a task must be {'a whole number' if kind is int else 'a number in [0, 1]'}, got {value!r}"
                )
        numbers = {name: kind(data[name]) for name, kind in _KINDS.items()}
        return cls(**numbers, relevance=_relevance(data.get("relevance", ())))  # type: ignore[arg-type]


def _relevance(values: object) -> tuple[float, ...]:
    if not isinstance(values, list | tuple) or len(values) > MOST_INPUTS:
        raise InvalidTaskError(f"relevance of a task must be a list of at most {MOST_INPUTS:,} numbers")
    if any(isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1 for value in values):
        raise InvalidTaskError("relevance of a task must be a list of numbers in [0, 1]")
    return tuple(float(value) for value in values)


_KINDS: Mapping[str, type[int] | type[float]] = {
    "samples": int,
    "classes": int,
    "inputs": int,
    "one_nn": float,
    "linear_probe": float,
}
