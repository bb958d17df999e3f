"""One use of an operator, as its rule sees it."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from onnx_graph.propagation.field import Dims, Field


class Product(Protocol):
    """A weight as a map from its input units to its output units, along the last axis of a field."""

    def forward(self, field: Field) -> Field:
        """Output units, ``(…, out or 1)``, from input units, ``(…, in or 1)``."""
        ...

    def backward(self, field: Field) -> Field:
        """The other way."""
        ...


class Recurrence(Protocol):
    """The two weights of a recurrent operator. Hidden units are ``(directions, hidden)``, inputs ``(in,)``."""

    def enter(self, field: Field) -> Field:
        """Hidden units that inputs ``(in or 1,)`` reach."""
        ...

    def leave(self, field: Field) -> Field:
        """Inputs from which hidden units are reached."""
        ...

    def run(self, field: Field) -> Field:
        """Hidden units that the given hidden units reach over the steps, including themselves."""
        ...

    def run_back(self, field: Field) -> Field:
        """The other way."""
        ...


class Call(Protocol):
    """One use of an operator.

    Attributes:
        opset: version of the operator set.
        inputs: shapes of the inputs; None for one that is omitted or has an unknown rank.
        outputs: shapes of the outputs, likewise.
        live: for each input, whether it depends on an input of the graph; all others are constant or omitted.
    """

    @property
    def opset(self) -> int: ...

    @property
    def inputs(self) -> Sequence[Dims | None]: ...

    @property
    def outputs(self) -> Sequence[Dims | None]: ...

    @property
    def live(self) -> Sequence[bool]: ...

    def given(self, index: int) -> bool:
        """Whether an input is given."""
        ...

    def integer(self, name: str, default: int) -> int:
        """An integer attribute."""
        ...

    def integers(self, name: str) -> tuple[int, ...] | None:
        """A setting that is an attribute in older operator sets and a constant input in newer ones; None if it is neither."""
        ...

    def text(self, name: str, default: str) -> str:
        """A text attribute."""
        ...

    def constant(self, index: int) -> NDArray[np.generic] | None:
        """The data of a constant input; None for any other."""
        ...

    def product(self, index: int) -> Product | None:
        """A maskable weight among the inputs; None for any other input."""
        ...

    def recurrence(self) -> Recurrence | None:
        """The weights of a recurrent operator; None if one of them is not maskable."""
        ...
