"""Mask transfer: a winning ticket of one task trained on another (Morcos et al. 2019, arXiv:1905.07785).

The ticket is that of an ONNX file (`source`), its pattern of non-zeros, or it is found first, by the method `by` on the task
`task`. The networks then start from their own initial values under that mask. Where the ticket holds more weights than are to be
kept, those of largest magnitude among its trained values stay. All layers must have the same shape; the paper draws the last
layer anew where the numbers of classes differ, here that is an error. Costs one training, with `task` those of `by` besides.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import onnx_ir as ir

from nas.tasks.registry import load_task
from nas.training.loop import selection
from nas.training.methods.method import Kind, Method, MethodError
from nas.training.stack.initialisation import Arrays
from onnx_graph import Weight, load, weights
from onnx_graph.internals import array_of

if TYPE_CHECKING:
    from nas.training.loop.session import Session


@dataclass(frozen=True, kw_only=True)
class MaskTransfer(Method):
    """Train under a mask that was found on another task, or that an ONNX file holds.

    Attributes:
        source: path of an ONNX file of the same layer shapes in node order; or
        task: name of the task, or path of its file, on which the ticket is found (see `nas.tasks.load_task`).
        by: the method that finds it, with its default options; one that starts dense.
        subset: examples of the source task at most.
    """

    kind: ClassVar[Kind] = "after"

    source: str = ""
    task: str = ""
    by: str = "magnitude-rewound"
    subset: int | None = None

    def __post_init__(self) -> None:
        """Refuse no ticket, or two."""
        if bool(self.source) == bool(self.task):
            raise MethodError(
                "mask-transfer needs either source, an ONNX file whose mask is taken, or task, to find one on"
            )
        if self.task and self._finder().start != "dense":
            raise MethodError(f"method {self.by!r} begins with a mask that it draws; give one as by that starts dense")

    def check(self, model: ir.Model, keep: int) -> None:
        """A file must fit the model and hold enough weights. Whether the source task fits is found when it is loaded."""
        if self.task:
            self._finder().check(model, keep)
            return
        held = sum(int(np.count_nonzero(array)) for array in _matched(model, self.source).values())
        if held < keep:
            raise MethodError(
                f"{self.source} holds {held} non-zero weights, fewer than the {keep} to keep; ask for a lower density"
            )

    def run(self, session: "Session") -> None:
        """Take or find the ticket, then train under its mask."""
        found = self._find(session) if self.task else self._read(session)
        first = session.state()
        session.stack.fill(found)
        values = session.weights()
        ticket = {name: value != 0 for name, value in values.items()}
        masks = selection.keep_largest(
            {name: value.abs() for name, value in values.items()}, session.keep, ticket, least=1
        )
        session.rewind(first)
        session.set_masks(masks)
        session.fit(last=True)

    def _read(self, session: "Session") -> Sequence[Arrays]:
        return [_matched(member.model, self.source) for member in session.stack.members]

    def _find(self, session: "Session") -> Sequence[Arrays]:
        """Each network's weights after the source training; a network that diverges there fails."""
        from nas.training.task_fit import check_fit

        task, members = load_task(self.task, subset=self.subset), session.stack.members
        for member in members:
            check_fit(member.model, task)
        options = replace(session.options, init="fan-in", patience=None)
        source = session.on(task, options)
        self._finder().run(source)
        found = []
        for row, (history, own) in enumerate(zip(source.finish(), session.histories, strict=True)):
            own.error = history.error
            found.append(session.stack.arrays(row) if history.error else history.weights)
        return found

    def _finder(self) -> Method:
        from nas.training.methods.registry import create

        return create(self.by)


def _matched(model: ir.Model, path: str) -> Arrays:
    """The values of the file's weights, stored as the model's weights of the same position, under their names."""
    source, own = load(path), weights(model)
    given = [(weight, weight.canonical(array_of(source.graph.initializers[weight.name]))) for weight in weights(source)]
    if len(own) != len(given):
        raise MethodError(f"{path} has {len(given)} weights, the network {len(own)}; their layers must be the same")
    for weight, (other, _) in zip(own, given, strict=True):
        if weight.shape != other.shape:
            raise MethodError(
                f"weight {other.name!r} of {path} is {_size(other)}, {weight.name!r} of the network {_size(weight)}; "
                "their shapes must be the same"
            )
    return {
        weight.name: np.ascontiguousarray(weight.stored(array), np.float32)
        for weight, (_, array) in zip(own, given, strict=True)
    }


def _size(weight: Weight) -> str:
    return " × ".join(map(str, weight.shape))
