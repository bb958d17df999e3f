"""How the outputs of one operator depend on its inputs, and how fields pass through that, forward and back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from onnx_graph.propagation.algebra import Algebra, added, folded
from onnx_graph.propagation.field import Field, reshaped
from onnx_graph.propagation.places import Cut, Put, joined
from onnx_graph.propagation.step import Gate, Step

Fields: TypeAlias = Sequence[Field | None]
"""A field for every input or output; None: a constant among the inputs, nothing needed among the outputs."""


@dataclass(frozen=True, slots=True)
class Path:
    """One output depends on one input through some steps."""

    output: int
    input: int
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Relation:
    """How the outputs of an operator depend on its inputs.

    Attributes:
        stages: the paths from inputs to outputs; of a recurrent operator in several stages, with its hidden units between them.
        mixes: every output depends on all that any input holds; there are no stages then.
        blurs: why this connects more than the operator does; empty where it is exact.
    """

    stages: tuple[tuple[Path, ...], ...]
    mixes: bool = False
    blurs: str = ""


def paths(*found: Path, blurs: str = "") -> Relation:
    """A relation of one stage."""
    return Relation((found,), blurs=blurs)


def mixing(reason: str) -> Relation:
    """Everything depends on everything."""
    return Relation((), mixes=True, blurs=reason)


def without_gates(relation: Relation) -> Relation:
    """The same without products with constants that hold zeros."""
    stages = tuple(tuple(_ungated(path) for path in stage) for stage in relation.stages)
    return relation if stages == relation.stages else replace(relation, stages=stages)


def _ungated(path: Path) -> Path:
    if not any(isinstance(step, Gate) for step in path.steps):
        return path
    return replace(path, steps=tuple(step for step in path.steps if not isinstance(step, Gate)))


KEPT = paths(Path(0, 0))
"""Every place of the output depends on the same place of the input alone."""
NOTHING = Relation(((),))
"""The outputs depend on the inputs' shapes only."""


def forward(relation: Relation, inputs: Fields, ranks: Sequence[int], algebra: Algebra) -> list[Field | None]:
    """Fields of the outputs, whose ranks are given, from those of the inputs."""
    if relation.mixes:
        return _mixed(inputs, ranks, algebra)
    fields = inputs
    for stage in relation.stages:
        fields = _passed(stage, fields, algebra, back=False)
    return [*fields, *[None] * (len(ranks) - len(fields))]


def backward(relation: Relation, outputs: Fields, ranks: Sequence[int], algebra: Algebra) -> list[Field | None]:
    """Fields of the inputs, whose ranks are given, from those of the outputs."""
    if relation.mixes:
        return _mixed(outputs, ranks, algebra)
    fields = outputs
    for stage in reversed(relation.stages):
        fields = _passed(stage, fields, algebra, back=True)
    return [*fields, *[None] * (len(ranks) - len(fields))]


def _mixed(fields: Fields, ranks: Sequence[int], algebra: Algebra) -> list[Field | None]:
    found = []
    for field in fields:
        if field is not None:
            rank = field.ndim - algebra.tail
            found.append(reshaped(folded(field, tuple(range(rank)), algebra), (), rank))
    if not found:
        return [None] * len(ranks)
    total = added(found, algebra)
    return [reshaped(total, (1,) * rank, 0) for rank in ranks]


def _passed(stage: Sequence[Path], fields: Fields, algebra: Algebra, *, back: bool) -> list[Field | None]:
    if len(stage) == 1 and len(fields) == 1 and stage[0].input == stage[0].output == 0 and fields[0] is not None:
        return [_walked(stage[0], fields[0], algebra, back=back)]
    arrived: dict[int, list[tuple[Path, Field]]] = {}
    for path in stage:
        start, end = (path.output, path.input) if back else (path.input, path.output)
        field = fields[start] if start < len(fields) else None
        if field is not None:
            arrived.setdefault(end, []).append((path, field))
    result: list[Field | None] = [None] * (max(arrived, default=-1) + 1)
    for end, found in arrived.items():
        result[end] = _together(found, algebra, back=back)
    return result


def _together(found: Sequence[tuple[Path, Field]], algebra: Algebra, *, back: bool) -> Field:
    """The sum of what several paths bring; parts of one axis are joined."""
    if len(found) > 1:
        last = [(path.steps[0] if back else path.steps[-1]) if path.steps else None for path, _ in found]
        if all(isinstance(step, Cut if back else Put) for step in last):
            return _parts(found, algebra, back=back)
    return added([_walked(path, field, algebra, back=back) for path, field in found], algebra)


def _parts(found: Sequence[tuple[Path, Field]], algebra: Algebra, *, back: bool) -> Field:
    pieces = []
    for path, field in found:
        steps = path.steps[:0:-1] if back else path.steps[:-1]
        for step in steps:
            field = step.backward(field, algebra) if back else step.forward(field, algebra)
        end = path.steps[0] if back else path.steps[-1]
        assert isinstance(end, Cut | Put)
        pieces.append(end.part.placed(field))
    return joined(pieces, algebra)


def _walked(path: Path, field: Field, algebra: Algebra, *, back: bool) -> Field:
    if back:
        for step in reversed(path.steps):
            field = step.backward(field, algebra)
    else:
        for step in path.steps:
            field = step.forward(field, algebra)
    return field
