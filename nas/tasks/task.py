"""A task: data split into train, validation and test, a loss and a metric."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from search_spaces import Signature


@dataclass(frozen=True, eq=False)
class Split:
    """One part of a task's data.

    Attributes:
        x: float32 ``(N, *input_shape)``, normalised, C-contiguous.
        y: int64 ``(N,)`` classes, or ``(N, T)`` next symbols where −1 marks padding that no loss or metric counts.
        legal: bool ``(N, T, outputs)``, the symbols that the grammar allows next; None if only one answer is right.
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    legal: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        """Number of examples."""
        return len(self.x)

    def first(self, count: int) -> "Split":
        """The first `count` examples, all if there are fewer."""
        return Split(x=self.x[:count], y=self.y[:count], legal=None if self.legal is None else self.legal[:count])


@dataclass(frozen=True, eq=False)
class Normalisation:
    """Normalisation of raw inputs to the ``x`` of a split: ``(raw − offset) · scale``, float32, broadcast over one example.

    Both arrays have the rank of one example, so that they broadcast over a batch as well.
    """

    offset: NDArray[np.float32]
    scale: NDArray[np.float32]

    def apply(self, raw: NDArray[np.generic]) -> NDArray[np.float32]:
        """Normalised float32 copy of raw rows ``(N, *input_shape)``."""
        x = np.array(raw, np.float32, order="C")
        if self.offset.any():
            x -= self.offset
        x *= self.scale
        return x

    def undo(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """The raw rows of normalised ones, up to float32 rounding."""
        return np.asarray(x / self.scale + self.offset, np.float32)

    def same_as(self, other: "Normalisation | None") -> bool:
        """Whether both give the same numbers for every input."""
        if other is None:
            return False
        pairs = ((self.offset, other.offset), (self.scale, other.scale))
        return all(a.shape == b.shape and np.array_equal(a, b) for a, b in pairs)


@dataclass(frozen=True, eq=False, kw_only=True)
class Task:
    """Data and metric. The search sees `train` and `validation`; `test` is read once, for the report.

    Nothing here enforces that: if `test` is used to choose a network, a setting or an epoch, it is no longer an unbiased test.

    Attributes:
        name: name from the command line.
        signature: inputs and outputs of a network for this task.
        metric: name of the metric of a trained network, see `nas.metrics.METRICS`.
        loss: name of the loss that a training minimises, see `nas.losses.LOSSES`.
        normalisation: normalisation to put into an exported model so that it takes raw inputs; None if inputs are raw already.
        classes: names of the outputs.
        features: names of the inputs of a table, ``column`` or ``column=category``; empty for other data.
        fingerprint: hash of all three splits, so that a resumed run notices changed data.
        description: one line for `nas list tasks` and the report.
    """

    name: str
    signature: Signature
    train: Split
    validation: Split
    test: Split
    metric: str = "accuracy"
    loss: str = "cross-entropy"
    normalisation: Normalisation | None = None
    classes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    fingerprint: str = ""
    description: str = ""

    def raw(self, split: Split) -> NDArray[np.float32]:
        """The inputs of a split as they were before normalisation."""
        return split.x if self.normalisation is None else self.normalisation.undo(split.x)

    def normalised_by(self, normalisation: Normalisation | None) -> "Task":
        """The same examples with another normalisation, or with raw inputs if it is None."""
        if normalisation is None and self.normalisation is None:
            return self
        if normalisation is not None and normalisation.same_as(self.normalisation):
            return self
        splits = {}
        for name in ("train", "validation", "test"):
            split = getattr(self, name)
            raw = self.raw(split)
            x = raw if normalisation is None else normalisation.apply(raw)
            splits[name] = replace(split, x=np.ascontiguousarray(x, np.float32))
        return replace(self, normalisation=normalisation, **splits)
